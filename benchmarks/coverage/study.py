"""All studies on all stored results; what they find is kept in docs/measured/coverage.json."""

import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks.coverage import comparisons, data_sets, folds, intervals, looks
from benchmarks.coverage.results import NUMBERS_OF_SEEDS, ROOT, Truth, draw, pairs, truths

FOUND = ROOT / "docs" / "measured" / "coverage.json"

N_DRAWS, N_ALARM_DRAWS = 4000, 12_000
POINTS = (0.01, 0.02, 0.05)
N_GROUPS = (3, 8)
FOLDS = (3, 5, 10)
_N_CHOSEN_FROM = 4
_MORE = 5  # times the draws where they cost little

# Each finding: what was studied, on what, number of seeds, and numbers by name.
Row = dict[str, Any]


def run(n_draws: int = N_DRAWS, n_alarm_draws: int = N_ALARM_DRAWS, *, only: Sequence[int] | None = None) -> list[Row]:
    """Everything; a quarter of an hour.

    Args:
        n_draws: Draws of seeds for each interval, and for power.
        n_alarm_draws: Draws for each rate of false alarms.
        only: Numbers of seeds; None for all.
    """
    ns = only or NUMBERS_OF_SEEDS
    rows: list[Row] = []
    for part in (
        coverage(n_draws, ns),
        differences(n_draws, ns),
        alarms(n_alarm_draws, ns),
        power(n_draws // 2, ns),
        until(n_alarm_draws // 2),
        over_data_sets(n_draws // 2),
        of_folds(n_draws),
    ):
        rows += part
    return rows


def coverage(n_draws: int, ns: Sequence[int]) -> Iterator[Row]:
    """Intervals of one group."""
    methods = {**intervals.METHODS, "mean and t distribution": intervals.naive_mean}
    for truth in truths():
        for n in ns:
            seeds = draw(_rng("coverage", truth, n), _MORE * n_draws, n)
            for name, method in methods.items():
                is_slow = method in (intervals.interquartile_mean, intervals.mean)
                if found := method(truth, seeds[:n_draws] if is_slow else seeds):
                    yield _row("coverage", name, truth, n, **found._asdict())


def differences(n_draws: int, ns: Sequence[int]) -> Iterator[Row]:
    """Intervals of two configurations on the same seeds."""
    for a, b in pairs():
        for n in ns:
            seeds = draw(_rng("differences", a, n), _MORE * n_draws, n)
            for name, found in (
                ("median difference", comparisons.difference(a, b, seeds)),
                ("share of seeds that are better", comparisons.wins(a, b, seeds)),
            ):
                yield _row("coverage", name, a, n, **found._asdict())


def alarms(n_draws: int, ns: Sequence[int]) -> Iterator[Row]:
    """What is said of equal groups, and of groups that are just not equal enough."""
    for truth in truths():
        for n in ns:
            rng = _rng("alarms", truth, n)
            rate = comparisons.same_configuration(truth, rng, n_draws, n)
            yield _row("alarms", "two groups of one configuration", truth, n, rate=rate)
            for k in N_GROUPS:
                rate = comparisons.best_of(truth, rng, n_draws // 4, n, k)
                yield _row("alarms", f"the best of {k} equal groups", truth, n, rate=rate)
            held = comparisons.interval_of_best(truth, rng, n_draws // 4, n, _N_CHOSEN_FROM)
            yield _row("chosen", f"the best of {_N_CHOSEN_FROM} equal groups", truth, n, share=held)
    for a, b in pairs():
        for n in ns:
            rng = _rng("pairs", a, n)
            rate = comparisons.swapped_names(a, b, rng, n_draws, n)
            yield _row("alarms", "two configurations with swapped names", a, n, rate=rate)
            seeds = draw(rng, n_draws, n)
            for margin in _margins(a, b):
                rate = comparisons.called_equal(a.values - b.values, margin, seeds)
                yield _row("alarms", "called equal, just beyond the margin", a, n, rate=rate)


def power(n_draws: int, ns: Sequence[int]) -> Iterator[Row]:
    """Accuracies of two groups, one of which is worse by some points."""
    for truth in truths():
        if truth.is_share:
            for n in ns:
                for by in POINTS:
                    found = comparisons.power(truth, by, _rng("power", truth, n), n_draws, n)
                    yield _row("power", f"{100 * by:g}", truth, n, **found._asdict())


def until(n_sweeps: int) -> Iterator[Row]:
    """Sweeps that add seeds until it is clear."""
    for truth in truths():
        rng = _rng("until", truth, looks.MOST)
        for k in (2, 4):
            rate = looks.equal_groups(truth, rng, n_sweeps, k)
            yield _row("alarms", f"sweep.until=clear, {k} equal groups", truth, looks.MOST, rate=rate)
        if truth.is_share:
            for by in POINTS:
                found = looks.power(truth, by, rng, n_sweeps)
                yield _row("until", f"{100 * by:g}", truth, looks.MOST, **found._asdict())
    for a, b in pairs():
        for margin in _margins(a, b):
            rate = looks.called_equal(a.values - b.values, margin, _rng("until", a, 0), n_sweeps)
            name = "sweep.until=clear, called equal just beyond the margin"
            yield _row("alarms", name, a, looks.MOST, rate=rate)


def over_data_sets(n_draws: int) -> Iterator[Row]:
    """Ranks of equal groups of eight seeds."""
    for k in (3, 5):
        found = data_sets.equal_groups(np.random.default_rng(k), n_draws, 8, k)
        for test, rate in zip(("Friedman's test", "Nemenyi's test"), found, strict=True):
            name = f"{test} over all problems, {k} equal groups"
            yield {"study": "ranks", "name": name, "of": "all problems", "n": 8, "rate": rate}


def of_folds(n_sets: int) -> Iterator[Row]:
    """The corrected resampled t test."""
    for name, learner in folds.LEARNERS.items():
        for share in (0.5, 0.2):
            for n in FOLDS:
                found = folds.study(learner, n, n_sets, np.random.default_rng(n), share=share)
                yield {"study": "folds", "name": name, "of": f"{share:g} in a class", "n": n, **found._asdict()}


def _margins(a: Truth, b: Truth) -> list[float]:
    """A point of accuracy, and once and three times the spread of the differences."""
    spread = float(np.subtract(*np.quantile(a.values - b.values, (0.75, 0.25))))
    return [*([comparisons.POINT] if a.is_share else []), spread, 3 * spread]


def _rng(study: str, truth: Truth, n: int) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(f"{study} {truth}".encode()), n])


def _row(study: str, name: str, truth: Truth, n: int, **numbers: float) -> Row:
    return {"study": study, "name": name, "of": str(truth), "n": n, **numbers}


def write(rows: Sequence[Row]) -> None:
    """Keep what was found, a line each."""
    rounded = [
        {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()}
        for row in rows
    ]
    FOUND.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rounded) + "\n]\n")


def read() -> list[Row]:
    """What was found."""
    rows: list[Row] = json.loads(FOUND.read_text())
    return rows
