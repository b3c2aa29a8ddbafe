"""Lines of a list: a run, or a sweep with those of its jobs that are meant."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from src.analysis.groups import ending, rounded
from src.analysis.records import natural
from src.analysis.scale import Scale
from src.analysis.varying.units import ABSENT, as_text
from src.config.keys import counts
from src.find.index import FOUND_STATUSES, Catalogue, Found, FoundStatus
from src.find.query import check_keys, ordered, value_of
from src.find.words import Words


@dataclass(frozen=True)
class Row:
    """A run, or a sweep.

    Attributes:
        name: Path relative to the folder that was searched.
        begun: When it began, in seconds since 1970.
        runs: The run, or the jobs of the sweep that are meant, in natural order.
        n_jobs: All jobs of the sweep; 1 for a run.
        is_sweep: Whether it stands for a sweep.
    """

    name: str
    begun: float
    runs: tuple[Found, ...]
    n_jobs: int
    is_sweep: bool

    @classmethod
    def of(cls, run: Found) -> "Row":
        """The line of a run by itself."""
        return cls(run.name, run.begun, (run,), 1, is_sweep=False)

    @property
    def counts(self) -> dict[FoundStatus, int]:
        """Number of its runs by status, for those that there are."""
        found = Counter(run.status for run in self.runs)
        return {status: found[status] for status in FOUND_STATUSES if found[status]}

    @property
    def optimized(self) -> str | None:
        """What its runs were asked to optimise, most of them."""
        names = Counter(run.optimized for run in self.runs if run.optimized is not None)
        return names.most_common(1)[0][0] if names else None

    def best(self, metric: str) -> Found | None:
        """Its best run by a metric; None if none has it."""
        having = [run for run in self.runs if metric in run.metrics and run.status == "completed"]
        having = having or [run for run in self.runs if metric in run.metrics]
        pick = min if Scale.of(metric).lower_is_better else max
        return pick(having, key=lambda run: run.metrics[metric]) if having else None

    def value(self, key: str) -> Any:
        """What it is sorted by: the best value of a metric, else that of its first run; `ABSENT` for none."""
        if key == "begun":
            return self.begun
        if key == "directory":
            return self.name
        best = self.best(key)
        if best is not None:
            return best.metrics[key]
        return next((value for run in self.runs if (value := value_of(run, key)) is not ABSENT), ABSENT)


def rows_of(catalogue: Catalogue, selected: Sequence[Found], words: Words) -> list[Row]:
    """Lines for the runs that are meant, the newest first, or sorted as asked.

    Raises:
        ConfigError: If no run has the key by which to sort.
    """
    sort = words.sort or "-begun"
    key = sort.lstrip("-")
    if key != "begun":
        check_keys(catalogue.runs, [key])
    n_jobs = Counter(run.sweep for run in catalogue.runs)
    members: dict[str, list[Found]] = {}
    rows = []
    for run in selected:
        if run.sweep is None or words.jobs:
            rows.append(Row.of(run))
        else:
            members.setdefault(run.sweep, []).append(run)
    if not words.conditions and not words.jobs:
        # those of which no job has begun
        members.update(
            {name: [] for name in catalogue.sweeps if name not in n_jobs and _is_meant(name, catalogue, words)}
        )
    for name, jobs in members.items():
        begun = min((job.begun for job in jobs), default=catalogue.sweeps.get(name, 0.0))
        rows.append(Row(name, begun, tuple(jobs), n_jobs[name], is_sweep=True))
    rows.sort(key=lambda row: natural(row.name))
    return ordered(rows, sort, [row.value(key) for row in rows])


def _is_meant(name: str, catalogue: Catalogue, words: Words) -> bool:
    begun = catalogue.sweeps[name]
    return (words.since is None or begun >= words.since) and (words.until is None or begun < words.until)


def differing(rows: Sequence[Row]) -> list[dict[str, tuple[str, ...]]]:
    """Per line what sets it apart: values by key of what its runs were given, without what all lines have in common.

    A group of which some lines were given an option stands in each of them that has one.
    """
    given = [_given(row.runs) for row in rows]
    keys = dict.fromkeys(key for each in given for key in each)
    groups = {key for key in keys if any(key in run.choices for row in rows for run in row.runs)}
    for row, each in zip(rows, given, strict=True):
        for key in groups - each.keys():
            each.update({key: values} if (values := _distinct(row.runs, key)) not in ((), ("null",)) else {})
    common = {
        key
        for key in keys
        if len(rows) > 1 and all(each.get(key) == given[0].get(key) and len(each.get(key, ())) < 2 for each in given)
    }
    return [{key: each[key] for key in keys if key in each and key not in common} for each in given]


def _given(runs: Sequence[Found]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for run in runs:
        for key, value in run.overrides.items():
            # not where it stands, which its line begins with
            if counts(key, "show"):
                found.setdefault(key, {})[value] = None
    return {key: tuple(values) for key, values in found.items()}


def _distinct(runs: Sequence[Found], key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(as_text(run.choices[key]) for run in runs if key in run.choices))


def shown(values: Mapping[str, tuple[str, ...]], *, most: int = 4) -> str:
    """What sets a line apart, with keys and numbers as short as they are clear; of many values the first ones."""
    parts = []
    for key, texts in values.items():
        is_long = len(texts) > most
        listed = ",".join(rounded(text, 4) for text in (texts[: most - 1] if is_long else texts))
        more = f",... ({len(texts)} values)" if is_long else ""
        parts.append(f"{ending(key, list(values))}={listed}{more}")
    return " ".join(parts)
