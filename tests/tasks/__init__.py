"""Tests of `src.tasks`."""
