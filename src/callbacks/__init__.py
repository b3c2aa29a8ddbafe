"""What watches a run: checkpoints, progress, pictures, metrics files."""
