"""Tests of `src.find`."""
