"""Tests of `src.sweep`."""
