"""Tests of `src.data`."""
