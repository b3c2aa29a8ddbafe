"""Tests of `src.analysis.paper`."""
