"""What a command prints: plain words, no wider than the terminal, and word for word what it was given.

`terminal`: the one console, and how a number is shown.
`results`: what a run prints, its configuration, results and hints.
`sweep`: what a sweep shows while its stacked models train.
The tables of a sweep are in `src.analysis.words.tables`.
"""
