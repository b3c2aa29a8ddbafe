"""Jobs of a sweep trained as one batch."""
