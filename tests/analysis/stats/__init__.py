"""Tests of src/analysis/stats."""
