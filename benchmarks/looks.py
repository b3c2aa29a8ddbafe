"""What `sweep.until=clear` does where the truth is known: how often it is wrong, and how many seeds it takes.

``python -m benchmarks.looks`` prints the tables of docs/explanations/seeds.md; a minute.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from src.analysis.settling.verdict import settle

_N_SWEEPS, _MAX_SEEDS, _BATCH = 2000, 64, 8

Values = NDArray[np.float64]
Law = Callable[[np.random.Generator, tuple[int, ...]], Values]

# accuracies as small networks have them, in steps of a test part of 200 points
LAWS: dict[str, Law] = {
    "skewed": lambda rng, shape: _steps(1 - rng.beta(0.3, 8, size=shape)),
    "two humps": lambda rng, shape: _steps(np.where(rng.random(shape) < 0.1, 0.5, 0.99) + 0.01 * rng.random(shape)),
    "few values": lambda rng, shape: rng.choice([0.985, 0.99, 0.995, 1.0], p=[0.05, 0.05, 0.2, 0.7], size=shape),
    "normal": lambda rng, shape: rng.normal(0.9, 0.03, shape),
}


def _steps(values: Values) -> Values:
    return np.round(values * 200) / 200


def run(values: Values, *, margin: float | None) -> tuple[int, set[str]]:
    """A sweep of groups (k, n): seeds until it was clear, or all of them, and the verdicts that it came to."""
    for n in range(_BATCH, _MAX_SEEDS + 1, _BATCH):
        groups = {str(i): dict(enumerate(row[:n].tolist())) for i, row in enumerate(values)}
        look = settle(groups, metric="test/accuracy", lower_is_better=False, margin=margin)
        if look.is_clear:
            break
    said = {f"{pair.first} {pair.verdict} {pair.second}" for pair in look.pairs if pair.verdict != "unclear"}
    return n, said


def equal_groups() -> None:
    """How often one of equal groups is called better."""
    print("| equal groups | 2 groups | 4 groups |\n| --- | --- | --- |")
    for name, law in LAWS.items():
        cells = []
        for k in (2, 4):
            rng = np.random.default_rng(k)
            wrong = sum(
                any("better" in each or "worse" in each for each in run(law(rng, (k, _MAX_SEEDS)), margin=None)[1])
                for _ in range(_N_SWEEPS // (k // 2))
            )
            cells.append(f"{100 * wrong / (_N_SWEEPS // (k // 2)):.1f}%")
        print(f"| {name} | {' | '.join(cells)} |")


def unequal_groups() -> None:
    """How many seeds it takes to find the better of two groups, or the best of four."""
    print(
        "\n| better on so many of 100 seeds | 2 groups: clear | seeds | 4 groups: clear | seeds |\n"
        + "| --- " * 5
        + "|"
    )
    for share in (0.6, 0.7, 0.8, 0.9, 1.0):
        cells = []
        for k in (2, 4):
            rng, found = np.random.default_rng(k), []
            for _ in range(_N_SWEEPS // (4 * k)):
                values = rng.random((k, _MAX_SEEDS))
                values[0] = np.where(rng.random(_MAX_SEEDS) < share, 2.0, -1.0)
                n, said = run(values, margin=None)
                found.append((len(said) == k - 1, n))
            cells += [f"{100 * np.mean([ok for ok, _ in found]):.0f}%", f"{np.mean([n for _, n in found]):.0f}"]
        print(f"| {100 * share:.0f} | {' | '.join(cells)} |")


if __name__ == "__main__":
    equal_groups()
    unequal_groups()
