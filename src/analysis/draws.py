"""What intervals cover: which random draws differ between the runs of a group, and how much comes from each."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from src.analysis.components import components, shares
from src.analysis.groups import Group
from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.analysis.summary import Summary
from src.analysis.units import DRAWS, FOLD, as_text, followed
from src.config.seeds import SOURCES, Source, is_drawn, varied

_NOUNS: dict[Source, str] = {
    "data": "the data",
    "split": "the split into parts",
    "init": "initial weights",
    "order": "batch order",
}
# Keys that draw one source and nothing else.
_OF_KEY: dict[str, Source] = {"data.seed": "data", "data.split_seed": "split"}

# Groups of which the parts of the variance are told.
_MOST = 3


def lines(summary: Summary) -> Iterator[str]:
    """Say what the intervals of a summary cover, and of crossed draws how much of the variance comes from each."""
    with_interval = [ranked.group for ranked in summary.groups if any(each.n > 1 for each in ranked.estimates.values())]
    found: dict[str, list[str]] = {}
    for group in with_interval:
        found.setdefault(coverage(group), []).append(group.label)
    for text, labels in found.items():
        of = f" of {', '.join(labels[:_MOST])}{' and others' if len(labels) > _MOST else ''}" if len(found) > 1 else ""
        if text:
            yield f"intervals{of} cover {text}"
    if with_interval and with_interval[0].varying.is_crossed and with_interval[0].unit.noun == "draw":
        n = max(len({place for place, _ in group.places if place is not None}) for group in with_interval)
        yield (
            f"seeds and draws are crossed, and runs that share one are not independent: values and intervals are those "
            f"of {n} that share none; what follows is of all runs"
        )
    for group in with_interval[:_MOST] if summary.metrics else ():
        for metric in summary.metrics:
            if text := variance(group, metric):
                name = f" of {group.label}" if len(summary.groups) > 1 else ""
                yield f"variance of {Scale.of(metric).words}{name}: {text}"


def coverage(group: Group) -> str:
    """What differs between the runs of a group, and what of it is one draw; empty where nobody can tell."""
    leaves = group.jobs[0].leaves
    varying = {source for key in factors(group) for source in sources(leaves, key)}
    names = [_NOUNS[source] for source in SOURCES if source in varying]
    if FOLD in factors(group):
        names.insert(0, "the fold")
    if not names:
        return ""
    of_data: tuple[Source, ...] = ("data", "split")
    once = [source for source in of_data if is_drawn(leaves, source) and source not in varying]
    if FOLD in factors(group):
        once = [source for source in once if source != "split"]
    if not once:
        return _and(names)
    are, them = ("is", "it") if once == ["split"] else ("are", "them")
    listed = ",".join(source for source in SOURCES if source in varying or source in once)
    return f"{_and(names)}; {_and([_NOUNS[each] for each in once])} {are} one draw (vary=[{listed}] draws {them} anew)"


def variance(group: Group, metric: str) -> str:
    """Which share of the variance comes from which draws, where they are crossed; empty where they are not.

    Args:
        group: Its jobs; each combination of the seeds that vary must have a value.
        metric: What is measured.
    """
    keys = factors(group)
    values = cells(group.jobs, keys, metric) if len(keys) > 1 else None
    if values is None:
        return ""
    found = shares(components(values))
    if found is None:
        return ""
    leaves = group.jobs[0].leaves
    parts = [
        f"{100 * found[frozenset({axis})]:.0f} % from {_factor(leaves, key)} ({values.shape[axis]} of them)"
        for axis, key in enumerate(keys)
    ]
    together = sum(share for subset, share in found.items() if len(subset) > 1)
    return f"{', '.join(parts)}, {100 * together:.0f} % from what they do together"


def factors(group: Group) -> list[str]:
    """Keys of the seeds, draws and folds that differ between the runs of a group."""
    keys = ("seed", *DRAWS, FOLD)
    return [key for key in keys if len({_level(job, key) for job in group.jobs}) > 1]


def sources(leaves: Mapping[str, object], key: str) -> list[Source]:
    """What a key draws in a run, of its stored leaves."""
    if key == "seed":
        return list(varied(leaves))
    if key == "base_seed":
        return [each for each in ("init", "order") if each not in varied(leaves) and is_drawn(leaves, each)]
    return [_OF_KEY[key]] if key in _OF_KEY else []


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
            found.setdefault(tuple(_level(job, key) for key in keys), []).append(job.metrics[metric])
    levels = [sorted({cell[axis] for cell in found}) for axis in range(len(keys))]
    shape = [len(each) for each in levels]
    if not found or min(shape) < 2 or len(found) < np.prod(shape):
        return None
    values = np.empty(shape)
    for cell, each in found.items():
        values[tuple(levels[axis].index(level) for axis, level in enumerate(cell))] = np.mean(each)
    return values


def _level(job: JobRecord, key: str) -> str:
    # what refers to the seed is the seed's
    return str(job.seed) if key == "seed" else as_text(followed(job.leaves, key, only_for="group"))


def _factor(leaves: Mapping[str, object], key: str) -> str:
    if key == FOLD:
        return "folds"
    if key == "data.val_seed":
        return "validation points"
    return _and([_NOUNS[source] for source in sources(leaves, key)]) or key


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
