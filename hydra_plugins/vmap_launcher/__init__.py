"""Jobs of a sweep that train together."""
