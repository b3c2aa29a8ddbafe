"""Tests mirror `src`: one file per module."""
