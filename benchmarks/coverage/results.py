"""Stored results: metrics of 2,000 runs of each of several configurations, by seed; and seeds drawn from them."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
STORED = ROOT / "tests" / "analysis" / "coverage.npz"

Values = NDArray[np.float64]
Seeds = NDArray[np.int64]

NUMBERS_OF_SEEDS = (3, 5, 8, 16, 32, 64)


@dataclass(frozen=True)
class Truth:
    """All results of a configuration by one metric, which are what is true.

    Attributes:
        problem: The data that it is trained on.
        name: What tells it from the other configuration of the problem.
        metric: Its name.
        values: By seed, (2000,).
        failed: Whether each run is no better than guessing.
    """

    problem: str
    name: str
    metric: str
    values: Values
    failed: NDArray[np.bool_]

    @property
    def is_share(self) -> bool:
        """Whether it lies between 0 and 1."""
        return self.metric == "test/accuracy"

    @property
    def lower_is_better(self) -> bool:
        """Whether small values are good ones."""
        return not self.is_share

    def __str__(self) -> str:
        return f"{self.problem}, {self.name}: {self.metric}"


@cache
def truths() -> tuple[Truth, ...]:
    """Every configuration by its loss, and by accuracy or mean absolute error; the two of a problem stand together."""
    stored = {key: values.astype(float) for key, values in np.load(STORED).items()}
    groups = list(dict.fromkeys(key.rsplit(": ", 1)[0] for key in stored))
    found = []
    for group in groups:
        problem, name = group.split(", ", 1)
        own = {key.rsplit(": ", 1)[1]: values for key, values in stored.items() if key.startswith(f"{group}: ")}
        failed = own["test/accuracy"] <= own["test/chance"] + 1e-6 if "test/accuracy" in own else own["test/r2"] <= 0
        metrics = [metric for metric in ("val/loss", "test/accuracy", "test/mae") if metric in own]
        found += [Truth(problem, name, metric, own[metric], failed) for metric in metrics]
    return tuple(found)


@cache
def pairs() -> tuple[tuple[Truth, Truth], ...]:
    """Two configurations of a problem by the same metric, by the same seeds."""
    found = []
    for i, first in enumerate(truths()):
        found += [
            (first, each) for each in truths()[i + 1 :] if (each.problem, each.metric) == (first.problem, first.metric)
        ]
    return tuple(found)


def draw(rng: np.random.Generator, n_draws: int, n: int, *, of: int = 2000) -> Seeds:
    """Draws of n different seeds in random order, (n_draws, n)."""
    deck = np.tile(np.arange(of, dtype=np.int16), (n_draws, 1))
    rows = np.arange(n_draws)
    for j in range(n):
        chosen = rng.integers(j, of, n_draws)
        deck[rows, j], deck[rows, chosen] = deck[rows, chosen], deck[rows, j]
    return deck[:, :n].astype(np.int64)
