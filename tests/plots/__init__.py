"""Tests of `src.plots`."""
