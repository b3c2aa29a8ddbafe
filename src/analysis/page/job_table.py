"""All jobs as a table that the page can sort and filter, column by column."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from src.analysis.groups import naming_values
from src.analysis.page.series import Series
from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.analysis.summary import Summary
from src.config.keys import counts


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and the number to sort by where that is another one."""

    text: str
    value: str = ""


@dataclass(frozen=True)
class Column:
    """A column: its heading, whether it is of those that are shown on demand, and the cell of a job by its place."""

    heading: str
    cell: Callable[[int], Cell]
    is_extra: bool = False


@dataclass(frozen=True)
class JobRow:
    """A job: its colour in the charts, and its cells behind name and status."""

    job: JobRecord
    color: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class JobTable:
    """Columns behind name and status, and the jobs with their colours."""

    columns: tuple[Column, ...]
    jobs: tuple[JobRecord, ...]
    colors: tuple[str, ...]

    @property
    def rows(self) -> Iterator[JobRow]:
        """A row per job."""
        for i, (job, color) in enumerate(zip(self.jobs, self.colors, strict=True)):
            yield JobRow(job, color, tuple(column.cell(i) for column in self.columns))


def build_job_table(summary: Summary, series: Sequence[Series]) -> JobTable:
    """Swept values, folds and draws that differ, seed, metrics, the asked ones first, duration and error."""
    jobs = summary.jobs
    named = naming_values(jobs, [each.ranked.group for each in series])
    # the seed has a column of its own
    keys = [key for key in dict.fromkeys(key for row in named for key in row) if key != "seed" and counts(key, "run")]
    keys = [key for key in keys if len({row.get(key) for row in named}) > 1]
    all_metrics = dict.fromkeys(name for job in jobs for name in (*job.metrics, *job.lost_metrics))
    metrics = [*summary.metrics, *(name for name in all_metrics if name not in summary.metrics)]

    def given(key: str) -> Column:
        return Column(key, lambda i: Cell(named[i].get(key) or ""))

    def measured(scale: Scale) -> Column:
        is_extra = scale.metric not in summary.metrics
        return Column(scale.heading, lambda i: _metric_cell(jobs[i], scale), is_extra=is_extra)

    columns = [
        *map(given, keys),
        Column("seed", lambda i: Cell("" if jobs[i].seed is None else str(jobs[i].seed))),
        *(measured(Scale.of(name)) for name in metrics),
        Column("seconds", lambda i: Cell(_seconds(jobs[i].duration_s))),
        *([Column("error", lambda i: Cell(_error(jobs[i])))] if any(job.error_type for job in jobs) else []),
    ]
    colors = {id(job): each.color for each in series for job in each.ranked.group.jobs}
    return JobTable(tuple(columns), jobs, tuple(colors.get(id(job), "transparent") for job in jobs))


def _metric_cell(job: JobRecord, scale: Scale) -> Cell:
    value = job.metrics.get(scale.metric)
    if value is None:
        return Cell("nan" if scale.metric in job.lost_metrics else "")
    return Cell(scale.text(value), f"{value:.6g}")


def _error(job: JobRecord) -> str:
    first = (job.error_message or "").strip().partition("\n")[0]
    return f"{job.error_type}: {first[:200]}" if job.error_type else ""


def _seconds(duration_s: float | None) -> str:
    if duration_s is None:
        return ""
    return f"{duration_s:.1f}" if duration_s >= 1 else f"{duration_s:.2g}"
