"""Tests of src.config.compose and src.config.explain."""
