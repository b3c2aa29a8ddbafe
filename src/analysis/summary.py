"""What a sweep has found out: jobs in groups, means over seeds, and comparisons with the best group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.analysis.groups import Group, group_jobs
from src.analysis.records import STATUSES, JobRecord, Status
from src.analysis.scale import Scale
from src.analysis.stats import Comparison, Estimate, compare, estimate, holm
from src.config.errors import ConfigError


@dataclass(frozen=True)
class RankedGroup:
    """A group with its means.

    Attributes:
        group: The jobs.
        estimates: Mean over seeds by metric, for those that it has.
    """

    group: Group
    estimates: Mapping[str, Estimate]

    def count(self, status: Status) -> int:
        """Count the jobs with a status."""
        return sum(job.status == status for job in self.group.jobs)


@dataclass(frozen=True)
class Summary:
    """The answer of a sweep, or of several that are read together.

    Attributes:
        sweep_dirs: Where it was read.
        jobs: All jobs, in natural order.
        metrics: What is compared; the first one ranks the groups. Empty while no job has completed.
        groups: Best first; those without a number last.
        comparisons: The best group with each other one, by metric, in the groups' order.
    """

    sweep_dirs: tuple[Path, ...]
    jobs: tuple[JobRecord, ...]
    metrics: tuple[str, ...]
    groups: tuple[RankedGroup, ...]
    comparisons: tuple[Comparison, ...]

    @property
    def counts(self) -> dict[Status, int]:
        """Number of jobs by status."""
        found = Counter(job.status for job in self.jobs)
        return {status: found[status] for status in STATUSES}

    @property
    def is_complete(self) -> bool:
        """Whether there are jobs, and each has completed or was pruned, and can be read."""
        return bool(self.jobs) and all(job.status in ("completed", "pruned") and not job.problems for job in self.jobs)


def summarise(jobs: Sequence[JobRecord], sweep_dirs: Sequence[Path], *, metric: str | None) -> Summary:
    """Group, rank and compare.

    Args:
        jobs: What was read.
        sweep_dirs: Where it was read.
        metric: What ranks the groups; None for what the jobs were asked to optimise, and beside it test accuracy, or
            test loss where there is none.

    Raises:
        ConfigError: If no completed job has the metric, though some have others.
    """
    metrics = _metrics(jobs, metric)
    ranked = [_rank(group, metrics) for group in group_jobs(jobs)]
    if metrics:
        ranked.sort(key=lambda each: _order(each, Scale.of(metrics[0])))
    comparisons = [each for name in metrics for each in _compare(ranked, name)]
    return Summary(tuple(sweep_dirs), tuple(jobs), metrics, tuple(ranked), tuple(comparisons))


def _metrics(jobs: Sequence[JobRecord], metric: str | None) -> tuple[str, ...]:
    ended = [job for job in jobs if job.status == "completed"]
    known = dict.fromkeys(name for job in ended for name in (*job.metrics, *job.lost_metrics))
    if metric is not None:
        if known and metric not in known:
            raise ConfigError(f"metric={metric}: no job has it; the jobs have {', '.join(known)}")
        return (metric,) if known else ()
    asked = Counter(job.optimized for job in ended if job.optimized)
    name = asked.most_common(1)[0][0] if asked else None
    tested = next((name for name in ("test/accuracy", "test/loss") if name in known), None)
    return tuple(dict.fromkeys(each for each in (name, tested) if each in known))


def _rank(group: Group, metrics: Sequence[str]) -> RankedGroup:
    found = {name: estimate(list(group.by_seed(name).values())) for name in metrics}
    return RankedGroup(group, {name: value for name, value in found.items() if value is not None})


def _order(ranked: RankedGroup, scale: Scale) -> tuple[bool, float, int]:
    """Sort key: groups without a number last, better means first, of equal means the one with more seeds first."""
    found = ranked.estimates.get(scale.metric)
    if found is None:
        return True, 0.0, 0
    return False, found.mean if scale.lower_is_better else -found.mean, -found.n


def _compare(ranked: Sequence[RankedGroup], metric: str) -> list[Comparison]:
    with_number = [each.group for each in ranked if metric in each.estimates]
    # the best one may have lost this metric
    if len(with_number) < 2 or with_number[0] is not ranked[0].group:
        return []
    scale, best = Scale.of(metric), with_number[0]
    values = best.by_seed(metric)
    return holm(
        [
            compare(
                metric,
                (best.label, values),
                (other.label, other.by_seed(metric)),
                lower_is_better=scale.lower_is_better,
            )
            for other in with_number[1:]
        ]
    )
