"""Jobs that differ in nothing but seed, draw of the data or fold belong together; each such group gets a short name."""

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.analysis.leaves import unlike
from src.analysis.records import JobRecord
from src.analysis.varying.units import Unit, Varying, as_text, followed
from src.config.keys import counts

_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?")
_NO_WORDS = frozenset({"true", "false", "null", "none", "nan", "inf", "yes", "no", "on", "off", "default", "removed"})


@dataclass(frozen=True)
class Group:
    """Jobs of one configuration under several seeds, draws of the data or folds.

    Attributes:
        label: What tells it from the other groups, short.
        values: The same in full: value by key, None where a job was not given one.
        jobs: All its jobs, also those that have not completed.
        unit: What its mean is taken over.
        places: Per job which of these it is, and which run: equal for a run that was made again.
        varying: What differs between jobs of a group.
    """

    label: str
    values: Mapping[str, str | None]
    jobs: tuple[JobRecord, ...]
    unit: Unit
    places: tuple[tuple[Hashable, Hashable], ...]
    varying: Varying

    def told(self, job: JobRecord) -> dict[str, str]:
        """Which fold and draw a job is, beside its seed, by key; those of the keys that vary."""
        return self.varying.told(job)

    def by_unit(self, metric: str) -> dict[Hashable, float]:
        """Value per seed, draw or fold of the jobs that completed.

        A run that was made more than once, say in two sweeps, counts once, with the mean of its values: a repeated run
        tells nothing new. The value of a fold is the mean over its seeds.
        """
        ended = [
            (job.seed, job.metrics[metric], *place)
            for job, place in zip(self.jobs, self.places, strict=True)
            # a run off the diagonal of crossed draws is not independent of those on it
            if job.status == "completed" and metric in job.metrics and job.seed is not None and place[0] is not None
        ]
        found: dict[Hashable, dict[Hashable, list[float]]] = {}
        for _, value, place, run in sorted(ended, key=lambda each: each[0]):
            found.setdefault(place, {}).setdefault(run, []).append(value)
        return {place: _mean([_mean(values) for values in runs.values()]) for place, runs in found.items()}

    def lost_by_unit(self, metric: str) -> frozenset[Hashable]:
        """Seeds or draws whose run has ended without a finite number: it diverged, or broke; none of folds."""
        if self.unit.noun == "fold":
            return frozenset()
        ended = (
            place
            for job, (place, _) in zip(self.jobs, self.places, strict=True)
            if place is not None
            and (job.status == "failed" or (job.status == "completed" and metric in job.lost_metrics))
        )
        return frozenset(ended) - self.by_unit(metric).keys()

    @property
    def n_repeated(self) -> int:
        """Number of runs that more than one job has completed."""
        runs = Counter(run for job, (_, run) in zip(self.jobs, self.places, strict=True) if job.status == "completed")
        return sum(count > 1 for count in runs.values())


def group_jobs(jobs: Sequence[JobRecord]) -> list[Group]:
    """Group by the stored configurations, apart from what varies; jobs whose configuration is lost are left out.

    Configurations are compared as they were composed, so what follows the seed by ``${seed}`` is no difference, and
    neither is whether a value was given or is the default.
    """
    known = [job for job in jobs if job.leaves]
    differing = _differing(known)
    members: dict[tuple[str, ...], list[JobRecord]] = {}
    for job in known:
        members.setdefault(tuple(as_text(_resolved(job.leaves, key)) for key in differing), []).append(job)
    values = _naming([group[0] for group in members.values()], known, differing)
    varying = Varying(known)
    groups = []
    for label, named, group in zip(_labels(values), values, members.values(), strict=True):
        unit = varying.unit(group)
        places = tuple((varying.place(job, unit), varying.run(job)) for job in group)
        groups.append(Group(label, named, tuple(group), unit, places, varying))
    return groups


# What names a data set, the first that a sweep has several of.
_DATA_SETS = ("data", "data.path", "data._target_")


def data_set_key(groups: Sequence[Group]) -> str | None:
    """The key whose values name several data sets; None where all groups are of one."""
    return next((each for each in _DATA_SETS if len({group.values.get(each) for group in groups}) > 1), None)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def naming_values(jobs: Sequence[JobRecord], groups: Sequence[Group] | None = None) -> list[dict[str, str | None]]:
    """Per job the overrides it was given, or the values in their place, and what else tells configurations apart.

    Args:
        jobs: The jobs.
        groups: Those of all of these jobs, where they are known.
    """
    groups = group_jobs(jobs) if groups is None else groups
    named = {id(job): group.values for group in groups for job in group.jobs}
    # what varies is no name of a group, and has a column even where no override gives it
    varying = groups[0].varying.keys if groups else ()
    keys = dict.fromkeys([*(key for job in jobs for key in job.overrides), *varying])
    own = {key for key in keys if _is_value(jobs, key)}
    rows = []
    for job in jobs:
        row = {key: _shown(job, key, is_value=key in own) for key in keys}
        rows.append({**row, **named.get(id(job), {})})
    return rows


def _differing(jobs: Sequence[JobRecord]) -> list[str]:
    """Keys whose values are not the same in all configurations, the outermost first."""
    found = set[str]().union(*(unlike(jobs[0].leaves, job.leaves) for job in jobs))
    return sorted((key for key in found if counts(key, "group")), key=lambda key: (key.count("."), key))


def _resolved(leaves: Mapping[str, Any], key: str) -> Any:
    """Value of a key; one that is another key's is looked up there, but what follows the seed stays a reference."""
    return followed(leaves, key, only_for="group")


def _is_value(jobs: Iterable[JobRecord], key: str) -> bool:
    """Whether an override gives a value, and not the option of a group."""
    return all(not isinstance(job.leaves.get(key, {}), dict) for job in jobs if key in job.overrides)


def _shown(job: JobRecord, key: str, *, is_value: bool) -> str | None:
    if is_value and key in job.leaves:
        return as_text(_resolved(job.leaves, key))
    return job.overrides.get(key)


def _naming(
    firsts: Sequence[JobRecord], jobs: Sequence[JobRecord], differing: Sequence[str]
) -> list[dict[str, str | None]]:
    """Per group the values that tell it from all others: its overrides, and others if these are not enough."""
    given = dict.fromkeys(key for job in jobs for key in job.overrides if counts(key, "group"))
    columns: dict[str, list[str | None]] = {}
    for key in given:
        is_value = _is_value(jobs, key)
        column = [_shown(job, key, is_value=is_value) for job in firsts]
        if len(set(column)) > 1:
            columns[key] = column
    for key in differing:
        n_told_apart = len(set(zip(*columns.values(), strict=True))) if columns else 1
        if n_told_apart == len(firsts):
            break
        column = [as_text(_resolved(job.leaves, key)) or None for job in firsts]
        if len(set(zip(*columns.values(), column, strict=True))) > n_told_apart:
            columns[key] = column
    return [{key: column[i] for key, column in columns.items()} for i in range(len(firsts))]


def _labels(values: Sequence[Mapping[str, str | None]]) -> list[str]:
    """Shortest clear names: a word stands for itself if no other key has it, a number behind the end of its key.

    A word among numbers, which may be a mistake, stands behind the key as they do.
    """
    keys = list(values[0]) if values else []
    if not keys:
        return ["all jobs"] * len(values)
    short = {key: ending(key, keys) for key in keys}
    owners = Counter(text for key in keys for text in {row[key] for row in values} if text is not None)
    numeric = {key for key in keys for row in values if (text := row[key]) is not None and _NUMBER.fullmatch(text)}

    def part(key: str, text: str, digits: int) -> str:
        is_word = re.fullmatch(r"[A-Za-z][\w./-]*", text) and text.lower() not in _NO_WORDS
        return text if is_word and owners[text] == 1 and key not in numeric else f"{short[key]}={rounded(text, digits)}"

    labels: list[str] = []
    # a search draws numbers with all digits that there are
    for digits in (4, 6, 17):
        parts = ([part(key, text, digits) for key, text in row.items() if text is not None] for row in values)
        labels = [" ".join(row) or "as is" for row in parts]
        if len(set(labels)) == len(labels):
            break
    return labels


def rounded(text: str, digits: int) -> str:
    """Shorten a number that is not a whole one to so many digits."""
    is_long = len(text.strip("-")) > digits + 1 and re.fullmatch(r"-?\d*\.\d+(e[-+]?\d+)?", text)
    return f"{float(text):.{digits}g}" if is_long else text


def ending(key: str, keys: Sequence[str]) -> str:
    """The shortest end of a key that none of the keys shares."""
    parts = key.split(".")
    for n in range(1, len(parts)):
        ending = ".".join(parts[-n:])
        if not any(other != key and f".{other}".endswith(f".{ending}") for other in keys):
            return ending
    return key
