"""What finished jobs say."""
