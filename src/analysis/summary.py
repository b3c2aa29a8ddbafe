"""What a sweep has found out: jobs in groups, what their values tell, and comparisons with the best group.

Text, page, tables for a paper and JSON are all made of one `Summary`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from src.analysis.failed import Criterion, Failed, count_failed, criterion_of
from src.analysis.groups import Group, data_set_key, group_jobs
from src.analysis.objectives import by_test, read_objectives
from src.analysis.options import DEFAULTS, Options
from src.analysis.records import STATUSES, JobRecord, Status
from src.analysis.scale import Scale
from src.analysis.stats.comparison import Comparison, compare, holm
from src.analysis.stats.estimates import Distribution, Estimate, Name, distribution
from src.analysis.varying.covered import covered
from src.analysis.varying.units import Unit
from src.config.errors import ConfigError
from src.config.metrics import RECORDED


@dataclass(frozen=True)
class RankedGroup:
    """A group with what its values tell.

    Attributes:
        group: The jobs.
        distributions: Values by metric, for those that it has.
        scales: How to read each metric.
        failed: How many of its runs have failed.
        estimate: Which estimate stands in front; None for what suits the values.
    """

    group: Group
    distributions: Mapping[str, Distribution]
    scales: Mapping[str, Scale]
    failed: Failed
    estimate: Name | None = None

    @cached_property
    def estimates(self) -> Mapping[str, Estimate]:
        """The estimate that stands in front, by metric."""
        return {name: each.of(self.estimate or each.default) for name, each in self.distributions.items()}

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
        comparisons: The best group with each other one, by metric, in the groups' order; of several data sets the best
            one of each with the others there.
        scales: How to read each of the metrics.
        by_test: Metrics of the test part by which the jobs were to choose.
        criterion: By which runs have failed, beside those without a number; None where nothing tells.
        covers: What intervals cover, in words; None where there are none, or nothing tells.
    """

    sweep_dirs: tuple[Path, ...]
    jobs: tuple[JobRecord, ...]
    metrics: tuple[str, ...]
    groups: tuple[RankedGroup, ...]
    comparisons: tuple[Comparison, ...]
    scales: Mapping[str, Scale]
    by_test: tuple[str, ...]
    criterion: Criterion | None = None
    covers: str | None = None

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
    def tells_failed(self) -> bool:
        """Whether some group has several runs, so that the share of those that failed says something."""
        return any(ranked.failed.of > 1 for ranked in self.groups)

    @property
    def is_complete(self) -> bool:
        """Whether there are jobs, and each has completed or was pruned, and can be read."""
        return bool(self.jobs) and all(job.status in ("completed", "pruned") and not job.problems for job in self.jobs)


def summarise(
    jobs: Sequence[JobRecord], sweep_dirs: Sequence[Path], *, metric: str | None, options: Options = DEFAULTS
) -> Summary:
    """Group, rank and compare.

    Args:
        jobs: What was read.
        sweep_dirs: Where it was read.
        metric: What ranks the groups; None for the objectives of a search, or what the jobs were asked to optimise, and
            beside it test accuracy, or test loss where there is none.
        options: How groups are described and compared.

    Raises:
        ConfigError: If no completed job has the metric, though some have others; or what tells which runs have failed.
    """
    objectives = read_objectives(sweep_dirs)
    if recorded := [name for name in objectives if name in RECORDED]:
        jobs = [_with_recorded(job, recorded) for job in jobs]
    asked = Counter(job.optimized for job in jobs if job.status == "completed" and job.optimized)
    metrics = _metrics(jobs, metric, list(objectives) or [name for name, _ in asked.most_common(1)])
    scales = {name: Scale.of(name, lower_is_better=objectives.get(name)) for name in metrics}
    options.check_margins(dict.fromkeys(name for job in jobs for name in (*job.metrics, *job.lost_metrics)))
    criterion = criterion_of(jobs, options.failed)
    groups = group_jobs(jobs)
    ranked = [_rank(group, scales, criterion, options) for group in groups]
    if metrics:
        ranked.sort(key=lambda each: _order(each, scales[metrics[0]]))
    comparisons = [
        each
        for name in metrics
        if name not in RECORDED
        for each in _compare_all(
            ranked,
            scales[name],
            margin=options.margin_of(name, ranks=name == metrics[0], is_share=scales[name].is_share),
        )
    ]
    return Summary(
        sweep_dirs=tuple(sweep_dirs),
        jobs=tuple(jobs),
        metrics=metrics,
        groups=tuple(ranked),
        comparisons=tuple(comparisons),
        scales=scales,
        by_test=tuple(by_test(list(objectives or asked))),
        criterion=criterion,
        covers=covered(groups),
    )


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


def _rank(group: Group, scales: Mapping[str, Scale], criterion: Criterion | None, options: Options) -> RankedGroup:
    found = {
        name: distribution(list(group.by_unit(name).values()), group.unit, scale.limits)
        for name, scale in scales.items()
    }
    failed = count_failed(group, criterion, next(iter(scales), None))
    return RankedGroup(
        group, {name: each for name, each in found.items() if each is not None}, scales, failed, options.estimate
    )


def _order(ranked: RankedGroup, scale: Scale) -> tuple[bool, float, float, int]:
    """Sort key: better estimates first, of equal ones better means, then more values; groups without a number last."""
    found = ranked.estimates.get(scale.metric)
    if found is None:
        return True, 0.0, 0.0, 0
    sign = 1 if scale.lower_is_better else -1
    # not the estimate of the mean, whose interval takes time
    values = ranked.distributions[scale.metric].values
    return False, sign * found.value, sign * sum(values) / len(values), -found.n


def _compare_all(ranked: Sequence[RankedGroup], scale: Scale, *, margin: float | None) -> list[Comparison]:
    """The best group with each other one; of several data sets on each by itself, where one has several groups."""
    key = data_set_key([each.group for each in ranked])
    by_data: dict[str | None, list[RankedGroup]] = {}
    for each in ranked:
        by_data.setdefault(None if key is None else each.group.values.get(key), []).append(each)
    families = [family for family in by_data.values() if len(family) > 1] or [list(ranked)]
    return holm([each for family in families for each in _compare(family, scale, margin=margin)])


def _compare(ranked: Sequence[RankedGroup], scale: Scale, *, margin: float | None) -> list[Comparison]:
    metric = scale.metric
    with_number = [each.group for each in ranked if metric in each.distributions]
    # the best one may have lost this metric
    if len(with_number) < 2 or with_number[0] is not ranked[0].group:
        return []
    best = with_number[0]
    values = best.by_unit(metric)
    return [
        compare(
            metric,
            (best.label, values),
            (other.label, other.by_unit(metric)),
            lower_is_better=scale.lower_is_better,
            # with the larger overlap, so that no difference is taken for surer than it is
            unit=max((best.unit, other.unit), key=lambda unit: unit.overlap),
            margin=margin,
            lost=(best.lost_by_unit(metric), other.lost_by_unit(metric)),
        )
        for other in with_number[1:]
    ]
