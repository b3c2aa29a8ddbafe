"""Tests of `src.search`."""
