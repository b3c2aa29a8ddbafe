"""What a run is asked to do: composed, checked, explained."""
