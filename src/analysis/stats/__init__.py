"""What can be said of the results of small networks, which are skewed, bounded, and often of two humps.

Nothing here takes values as normal. `estimates` describes a group: median, interquartile mean and mean, each with an
interval that holds for such values, or with none. `comparison` compares two groups seed by seed: the test, the size of
the difference, and what both come to. `planning` says how many seeds would settle it. Below them the arithmetic, each
module with its source: `orders` and `bootstrap` (medians and interquartile means), `betting` (means of bounded values),
`shares` (shares of runs), `signed_rank` (the test), `folds` (values that depend on each other).

An interval says which level it has; where the level that was asked for cannot be reached, it has the one that is.
docs/explanations/statistics.md tells why these and no others.

SciPy is imported where there is something to compute, and its special functions alone: its statistics take most of a
second.
"""
