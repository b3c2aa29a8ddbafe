"""Crossed draws: which runs are independent, and how much of the variance comes from which draw."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from src.analysis.groups import Group
from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.analysis.summary import Summary
from src.analysis.varying.components import components, shares
from src.analysis.varying.covered import factors, level, listed, sources
from src.analysis.varying.units import FOLD
from src.config.seeds import Source

_NOUNS: dict[Source, str] = {
    "data": "the data",
    "split": "the split into parts",
    "init": "initial weights",
    "order": "order of batches",
}

# Groups of which the parts of the variance are told.
_MOST = 3


def lines(summary: Summary) -> Iterator[str]:
    """Say of crossed draws which runs count, and how much of the variance comes from each draw."""
    crossed = [ranked.group for ranked in summary.groups if len(factors(ranked.group.jobs)) > 1]
    if crossed and crossed[0].varying.is_crossed and crossed[0].unit.noun == "draw":
        n = max(len({place for place, _ in group.places if place is not None}) for group in crossed)
        yield (
            "seeds and draws are crossed, and runs that share one are not independent: values and intervals are those "
            f"of {n} that share none; what follows is of all runs"
        )
    for group in crossed[:_MOST] if summary.metrics else ():
        for metric in summary.metrics:
            if text := variance(group, metric):
                name = f" of {group.label}" if len(summary.groups) > 1 else ""
                yield f"variance of {Scale.of(metric).words}{name}: {text}"


def variance(group: Group, metric: str) -> str:
    """Which share of the variance comes from which draws, where they are crossed; empty where they are not.

    Args:
        group: Its jobs; each combination of the seeds that vary must have a value.
        metric: What is measured.
    """
    keys = factors(group.jobs)
    values = cells(group.jobs, keys, metric) if len(keys) > 1 else None
    if values is None:
        return ""
    found = shares(components(values))
    if found is None:
        return ""
    leaves = group.jobs[0].leaves
    parts = [
        f"{100 * found[frozenset({axis})]:.0f}% from {_factor(leaves, key)} ({values.shape[axis]} of them)"
        for axis, key in enumerate(keys)
    ]
    together = sum(share for subset, share in found.items() if len(subset) > 1)
    return f"{', '.join(parts)}, {100 * together:.0f}% from what they do together"


def cells(jobs: Sequence[JobRecord], keys: Sequence[str], metric: str) -> NDArray[np.float64] | None:
    """Value for each combination of levels, an axis per key; None where one is missing.

    Args:
        jobs: Runs of one group; the mean of those with equal levels counts.
        keys: Of the seeds, as `factors` gives them.
        metric: What is measured.
    """
    found: dict[tuple[str, ...], list[float]] = {}
    for job in jobs:
        if job.status == "completed" and metric in job.metrics:
            found.setdefault(tuple(level(job, key) for key in keys), []).append(job.metrics[metric])
    levels = [sorted({cell[axis] for cell in found}) for axis in range(len(keys))]
    shape = [len(each) for each in levels]
    if not found or min(shape) < 2 or len(found) < np.prod(shape):
        return None
    values = np.empty(shape)
    for cell, each in found.items():
        values[tuple(levels[axis].index(level) for axis, level in enumerate(cell))] = np.mean(each)
    return values


def _factor(leaves: Mapping[str, Any], key: str) -> str:
    if key == FOLD:
        return "folds"
    if key == "data.val_seed":
        return "validation points"
    return listed([_NOUNS[source] for source in sources(leaves, key)]) or key
