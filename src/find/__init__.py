"""Runs and sweeps below a folder: found, filtered, listed, deleted. No torch.

`index` finds and reads them, and keeps what it has read in ``.index.json``, so that a second look reads no run again
that has not changed. `words` makes a query of a command line, `query` says which runs it names. `rows` are the lines of
the list: a run, or a sweep with its jobs; `listing` writes them, `cleaning` deletes what they stand for.
"""
