"""Tests of `src.console`."""
