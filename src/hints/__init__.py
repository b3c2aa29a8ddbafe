"""What a run's own numbers say about what went wrong."""
