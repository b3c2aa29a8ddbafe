"""Plain networks and activations: torch only."""
