"""Tests of src.config and src.explain."""
