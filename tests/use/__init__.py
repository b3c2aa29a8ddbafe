"""Finished runs put to use."""
