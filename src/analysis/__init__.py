"""What finished jobs say; needs their run directories and nothing else, and loads no torch.

`records` reads the run directories of a sweep, also while jobs still run: a file that is broken is told, and the
others count. `groups` puts jobs together that differ in nothing but their seed, `stats` compares groups seed by seed,
`summary` holds what comes of it, best group first. `scale` knows from a metric's name how to rank and to write it,
`sentences` and `hints` say things in words. `finish` has it all written: `tables` to the terminal, `summary_csv`, and
`page`. `paper` writes tables and sentences for a paper.
"""
