"""Tests of `src.callbacks`."""
