"""The launchers, by the command line and by their parts."""
