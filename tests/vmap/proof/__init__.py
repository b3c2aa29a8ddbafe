"""Tests of the proof that stacked means the same."""
