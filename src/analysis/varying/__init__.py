"""What varies between the runs of a group: seeds, draws of the data and folds, and what intervals over them cover."""
