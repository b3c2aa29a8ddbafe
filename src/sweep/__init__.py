"""Sweeps: their jobs, and what they answer."""
