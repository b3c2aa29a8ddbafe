"""Equal groups over several data sets: how often their ranks are taken for different."""

import numpy as np

from benchmarks.coverage.results import draw, truths
from src.analysis.data_sets.ranks import LEVEL, rank


def equal_groups(rng: np.random.Generator, n_draws: int, n: int, n_groups: int) -> tuple[float, float]:
    """In what share of the draws Friedman's test finds a difference, and in what share two groups are told apart.

    Args:
        rng: Draws seeds; a group has n of its own on each problem.
        n_draws: How often.
        n: Seeds.
        n_groups: Number of groups, of one configuration for each problem.
    """
    losses = {truth.problem: truth.values for truth in truths() if truth.metric == "val/loss"}
    medians = [
        np.median(values[draw(rng, n_draws, n * n_groups)].reshape(n_draws, n_groups, n), axis=2)
        for values in losses.values()
    ]
    differ = told_apart = 0
    for table in np.stack(medians, axis=1):
        found = rank(table, lower_is_better=True)
        differ += found.p_value < LEVEL
        told_apart += found.alike != [found.order]
    return differ / n_draws, told_apart / n_draws
