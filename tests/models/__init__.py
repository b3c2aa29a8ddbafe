"""Tests of `src.models`."""
