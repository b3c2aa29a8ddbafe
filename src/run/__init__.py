"""One run's directory: the only writer and reader of each of its files."""
