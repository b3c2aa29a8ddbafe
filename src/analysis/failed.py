"""Runs that failed: no better than chance, or without a number; how many of a group, and how sure their share is."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

from src.analysis.groups import Group
from src.analysis.records import JobRecord
from src.analysis.stats.interval import Interval
from src.analysis.stats.shares import share_interval
from src.config.errors import ConfigError

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
}
_CONDITION = re.compile(r"\s*([^<>=\s]+)\s*(<=|<|>=|>)\s*([^<>=\s]+)\s*")

# Metrics are kept in single precision.
_EQUAL = 1e-6


@dataclass(frozen=True)
class Criterion:
    """A condition on the metrics of a run: a metric beside a number, or beside another metric.

    Attributes:
        metric: On the left.
        sign: One of < <= > >=.
        other: A number, or the name of a metric.
    """

    metric: str
    sign: str
    other: float | str

    @classmethod
    def parse(cls, text: str) -> "Criterion":
        """Read ``report.failed``.

        Raises:
            ConfigError: If it is no condition.
        """
        found = _CONDITION.fullmatch(text)
        if found is None or _number(found[1]) is not None:
            raise ConfigError(
                f"report.failed={text}: allowed: a metric, one of < <= > >=, and a number or another metric, such as "
                "test/accuracy<0.9"
            )
        other = _number(found[3])
        return cls(found[1], found[2], found[3] if other is None else other)

    def __str__(self) -> str:
        other = self.other if isinstance(self.other, str) else f"{self.other:g}"
        return f"{self.metric} {self.sign} {other}"

    def can_judge(self, metrics: Mapping[str, float]) -> bool:
        """Whether a run has what the condition asks for."""
        return self.metric in metrics and (not isinstance(self.other, str) or self.other in metrics)

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether a run that `can_judge` has failed."""
        value = metrics[self.metric]
        other = metrics[self.other] if isinstance(self.other, str) else self.other
        if abs(value - other) <= _EQUAL:
            return "=" in self.sign
        return _COMPARE[self.sign](value, other)


# What guessing gets, of the test part if that is measured: the largest class, or the mean.
_BY_CHANCE = tuple(
    criterion
    for split in ("test", "val")
    for criterion in (
        Criterion(f"{split}/accuracy", "<=", f"{split}/chance"),
        Criterion(f"{split}/r2", "<=", 0.0),
    )
)


@dataclass(frozen=True)
class Failed:
    """The failed runs of a group.

    Attributes:
        n: How many have failed.
        of: How many have ended, but for those that lack a metric by which they are judged.
        interval: Exact interval of their share; None of folds, which are no independent draws, and of no run.
    """

    n: int
    of: int
    interval: Interval | None


def criterion_of(jobs: Sequence[JobRecord], given: Criterion | None) -> Criterion | None:
    """The condition by which runs have failed: a given one, or chance, where any run can be judged by it.

    Raises:
        ConfigError: If no run has what a given condition asks for, though some have metrics.
    """
    ended = [job for job in jobs if job.status == "completed"]
    if given is not None:
        if ended and not any(given.can_judge(job.metrics) or given.metric in job.lost_metrics for job in ended):
            known = dict.fromkeys(name for job in ended for name in job.metrics)
            raise ConfigError(f"report.failed={given}: no job has these metrics; the jobs have {', '.join(known)}")
        return given
    return next((each for each in _BY_CHANCE if any(each.can_judge(job.metrics) for job in ended)), None)


def count_failed(group: Group, criterion: Criterion | None, metric: str | None) -> Failed:
    """Count the runs of a group that have ended, and those among them that failed; one that was made again counts once.

    Args:
        group: The jobs.
        criterion: What has failed; None if only what has no number has.
        metric: What ranks: a run without a finite number of it has failed.
    """
    runs: dict[Hashable, list[JobRecord]] = {}
    for job, (_, run) in zip(group.jobs, group.places, strict=True):
        if job.status in ("completed", "failed"):
            runs.setdefault(run, []).append(job)
    found = [_has_failed(jobs, criterion, metric) for jobs in runs.values()]
    verdicts = [verdict for verdict in found if verdict is not None]
    n, of = sum(verdicts), len(verdicts)
    return Failed(n, of, None if group.unit.noun == "fold" else share_interval(n, of))


def _has_failed(jobs: Sequence[JobRecord], criterion: Criterion | None, metric: str | None) -> bool | None:
    """Whether a run has failed, made once or more often; None if nobody can tell."""
    completed = [job for job in jobs if job.status == "completed"]
    if not completed:
        return True
    verdicts = [_is_bad(job, criterion, metric) for job in completed]
    return True if True in verdicts else None if None in verdicts else False


def _is_bad(job: JobRecord, criterion: Criterion | None, metric: str | None) -> bool | None:
    if metric in job.lost_metrics or (criterion is not None and criterion.metric in job.lost_metrics):
        return True
    if metric is not None and metric not in job.metrics:
        return None
    if criterion is None:
        return False
    return criterion.holds(job.metrics) if criterion.can_judge(job.metrics) else None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
