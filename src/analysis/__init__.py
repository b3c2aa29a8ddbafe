"""What finished jobs say; needs their run directories and nothing else, and loads no torch.

`records` reads the run directories of a sweep, also while jobs still run: a file that is broken is told, and the
others count. `groups` puts jobs together that differ in nothing but what varies (`varying`: seeds, draws, folds), and
`failed` counts the runs of a group that are worth nothing. `stats` describes and compares groups seed by seed,
`data_sets` ranks them over several, `settling` says when there are seeds enough. `summary` holds what comes of all
that, best group first. `scale` knows from a metric's name how to rank and to write it. `finish` has it all written:
`words` to the terminal, `summary_csv`, `as_json`, `page`, and `paper` for a paper.
"""
