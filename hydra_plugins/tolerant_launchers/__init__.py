"""Launchers that lose no job to another one, and stop what they started."""
