"""A launcher that trains many jobs as one vectorised batch."""
