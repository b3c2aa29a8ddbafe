"""Tests of `src.compat`."""
