"""Tests of src.config.compose and src.config.command.explain."""
