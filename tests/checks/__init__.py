"""Tests of `src.checks`."""
