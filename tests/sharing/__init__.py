"""Tests of `src.sharing`."""
