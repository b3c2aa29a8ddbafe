"""The corrected resampled t test where the truth is known: data sets from a generator, as many as one likes.

Two learners are equal where both do the same with features that are exchangeable by how the data are made: over data
sets their expected accuracies are the same, though on any one of them they are not. What is true of a mean over folds
is the mean over many data sets.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.coverage.results import Values
from src.analysis.stats import folds
from src.analysis.stats.interval import LEVEL

_N_ROWS = 120
_VALIDATION = 0.2  # of what does not test

# What a learner is: from inputs (b, n, f), labels (b, n) of -1 and 1, and more inputs to their scores (b, m).
Learner = Callable[[Values, Values, Values], Values]


class Found(NamedTuple):
    """Over many data sets.

    Attributes:
        false_alarms: How often one of two equal learners is called better.
        power: How often a learner that sees another good feature is.
        held: How often the interval of the mean accuracy holds what is true.
    """

    false_alarms: float
    power: float
    held: float


def linear(x: Values, y: Values, new: Values) -> Values:
    """Least squares with a constant."""
    ones = [np.concatenate([each, np.ones((*each.shape[:2], 1))], axis=2) for each in (x, new)]
    gram = np.einsum("bnf,bng->bfg", ones[0], ones[0]) + 1e-6 * np.eye(ones[0].shape[2])
    weights = np.linalg.solve(gram, np.einsum("bnf,bn->bf", ones[0], y)[..., None])
    scores: Values = (ones[1] @ weights)[..., 0]
    return scores


def nearest(x: Values, y: Values, new: Values) -> Values:
    """Label of the nearest row."""
    distances = (x**2).sum(2)[:, None] - 2 * new @ x.transpose(0, 2, 1)
    return np.take_along_axis(y, distances.argmin(2), axis=1)


def random_features(x: Values, y: Values, new: Values) -> Values:
    """Least squares of sixteen random units, a network whose first layer is not trained."""
    rng = np.random.default_rng(len(x))
    weights, bias = rng.normal(size=(x.shape[2], 16)), rng.normal(size=16)
    return linear(np.tanh(x @ weights + bias), y, np.tanh(new @ weights + bias))


LEARNERS: dict[str, Learner] = {"linear": linear, "nearest row": nearest, "random units": random_features}


def study(learner: Learner, n_folds: int, n_sets: int, rng: np.random.Generator, *, share: float) -> Found:
    """Cross-validate pairs of learners on data sets of their own.

    Args:
        learner: What trains.
        n_folds: Number of folds.
        n_sets: Number of data sets.
        rng: Draws them.
        share: Of rows in the first class.
    """
    y = np.where(rng.random((n_sets, _N_ROWS)) < share, 1.0, -1.0)
    # the first two features are equally good, the third is better
    x = rng.normal(size=(n_sets, _N_ROWS, 4)) + y[..., None] * np.array([0.5, 0.5, 1.0, 0.0])
    accuracy = [_accuracies(learner, x[..., columns], y, n_folds) for columns in ([0, 3], [1, 3], [2, 3])]
    overlap = (1 / n_folds) / ((1 - 1 / n_folds) * (1 - _VALIDATION))
    equal, better = (
        [folds.corrected_p_value(row, overlap) or 0.0 for row in (accuracy[i] - accuracy[0]).tolist()] for i in (1, 2)
    )
    true = float(np.mean([accuracy[0], accuracy[1]]))
    ends = np.array([folds.corrected_interval(row, overlap) for row in accuracy[0].tolist()])
    return Found(
        float((np.array(equal) < 1 - LEVEL).mean()),
        float((np.array(better) < 1 - LEVEL).mean()),
        float(((ends[:, 0] <= true) & (true <= ends[:, 1])).mean()),
    )


def _accuracies(learner: Learner, x: Values, y: Values, n_folds: int) -> Values:
    """Of each fold, (b, n_folds); a part of the other rows is for validation, and trains nothing."""
    parts = np.array_split(np.arange(_N_ROWS), n_folds)
    found = []
    for test in parts:
        others = np.setdiff1d(np.arange(_N_ROWS), test)
        train = others[: round(len(others) * (1 - _VALIDATION))]
        scores = learner(x[:, train], y[:, train], x[:, test])
        found.append(((scores > 0) == (y[:, test] > 0)).mean(1))
    return np.stack(found, axis=1)
