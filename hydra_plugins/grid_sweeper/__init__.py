"""Every combination of the values given."""
