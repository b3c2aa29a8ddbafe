"""Tests of the sweep report."""
