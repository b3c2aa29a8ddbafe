"""What a sweep has found out: jobs in groups, means over seeds or folds, and comparisons with the best group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from src.analysis.groups import Group, group_jobs
from src.analysis.objectives import by_test, read_objectives
from src.analysis.records import STATUSES, JobRecord, Status
from src.analysis.scale import Scale
from src.analysis.stats import Comparison, Estimate, compare, estimate, holm
from src.analysis.units import Unit
from src.config.errors import ConfigError
from src.config.metrics import RECORDED


@dataclass(frozen=True)
class RankedGroup:
    """A group with its means.

    Attributes:
        group: The jobs.
        estimates: Mean by metric, for those that it has.
        scales: How to read each metric.
    """

    group: Group
    estimates: Mapping[str, Estimate]
    scales: Mapping[str, Scale]

    def scale(self, metric: str) -> Scale:
        """How to read a metric."""
        return self.scales.get(metric) or Scale.of(metric)

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
        scales: How to read each of the metrics.
        by_test: Metrics of the test part by which the jobs were to choose.
    """

    sweep_dirs: tuple[Path, ...]
    jobs: tuple[JobRecord, ...]
    metrics: tuple[str, ...]
    groups: tuple[RankedGroup, ...]
    comparisons: tuple[Comparison, ...]
    scales: Mapping[str, Scale]
    by_test: tuple[str, ...]

    @property
    def units(self) -> list[Unit]:
        """What means are taken over, each kind once."""
        return list({ranked.group.unit.noun: ranked.group.unit for ranked in self.groups}.values())

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
        metric: What ranks the groups; None for the objectives of a search, or what the jobs were asked to optimise, and
            beside it test accuracy, or test loss where there is none.

    Raises:
        ConfigError: If no completed job has the metric, though some have others.
    """
    objectives = read_objectives(sweep_dirs)
    if recorded := [name for name in objectives if name in RECORDED]:
        jobs = [_with_recorded(job, recorded) for job in jobs]
    asked = Counter(job.optimized for job in jobs if job.status == "completed" and job.optimized)
    metrics = _metrics(jobs, metric, list(objectives) or [name for name, _ in asked.most_common(1)])
    scales = {name: Scale.of(name, lower_is_better=objectives.get(name)) for name in metrics}
    ranked = [_rank(group, scales) for group in group_jobs(jobs)]
    if metrics:
        ranked.sort(key=lambda each: _order(each, scales[metrics[0]]))
    comparisons = [each for name in metrics if name not in RECORDED for each in _compare(ranked, scales[name])]
    chosen_by = by_test(list(objectives or asked))
    return Summary(tuple(sweep_dirs), tuple(jobs), metrics, tuple(ranked), tuple(comparisons), scales, tuple(chosen_by))


def other_metric(jobs: Sequence[JobRecord], sweep_dirs: Sequence[Path], metric: str | None) -> str | None:
    """A metric that was asked for; None if it is what ranks the groups anyway."""
    if metric is None:
        return None
    own = summarise(jobs, sweep_dirs, metric=None).metrics
    return None if own[:1] == (metric,) else metric


def _with_recorded(job: JobRecord, names: Sequence[str]) -> JobRecord:
    """With what a search has taken for an objective among the metrics."""
    found = {name: value for name in names if (value := getattr(job, name)) is not None}
    return replace(job, metrics={**job.metrics, **{name: float(value) for name, value in found.items()}})


def _metrics(jobs: Sequence[JobRecord], metric: str | None, chosen_by: Sequence[str]) -> tuple[str, ...]:
    ended = [job for job in jobs if job.status == "completed"]
    known = dict.fromkeys(name for job in ended for name in (*job.metrics, *job.lost_metrics))
    if metric is not None:
        if known and metric not in known:
            raise ConfigError(f"metric={metric}: no job has it; the jobs have {', '.join(known)}")
        return (metric,) if known else ()
    tested = [name for name in ("test/accuracy", "test/loss") if name in known][:1]
    return tuple(dict.fromkeys(each for each in (*chosen_by, *tested) if each in known))


def _rank(group: Group, scales: Mapping[str, Scale]) -> RankedGroup:
    found = {name: estimate(list(group.by_unit(name).values()), group.unit) for name in scales}
    return RankedGroup(group, {name: value for name, value in found.items() if value is not None}, scales)


def _order(ranked: RankedGroup, scale: Scale) -> tuple[bool, float, int]:
    """Sort key: groups without a number last, better means first, of equal means the one with more values first."""
    found = ranked.estimates.get(scale.metric)
    if found is None:
        return True, 0.0, 0
    return False, found.mean if scale.lower_is_better else -found.mean, -found.n


def _compare(ranked: Sequence[RankedGroup], scale: Scale) -> list[Comparison]:
    metric = scale.metric
    with_number = [each.group for each in ranked if metric in each.estimates]
    # the best one may have lost this metric
    if len(with_number) < 2 or with_number[0] is not ranked[0].group:
        return []
    best = with_number[0]
    values = best.by_unit(metric)
    return holm(
        [
            compare(
                metric,
                (best.label, values),
                (other.label, other.by_unit(metric)),
                lower_is_better=scale.lower_is_better,
                # with the larger overlap, so that no difference is taken for surer than it is
                unit=max((best.unit, other.unit), key=lambda unit: unit.overlap),
            )
            for other in with_number[1:]
        ]
    )
