"""All jobs as a table that the page can sort and filter."""

from collections.abc import Sequence
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
    """A column: its heading, and whether it is of those that are shown on demand."""

    heading: str
    is_extra: bool = False


@dataclass(frozen=True)
class JobRow:
    """A job: its colour in the charts, and its cells behind name and status."""

    job: JobRecord
    color: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class JobTable:
    """Columns behind name and status, and a row per job."""

    columns: tuple[Column, ...]
    rows: tuple[JobRow, ...]


def build_job_table(summary: Summary, series: Sequence[Series]) -> JobTable:
    """Swept values, folds and draws that differ, seed, metrics, the asked ones first, duration and error."""
    named = naming_values(summary.jobs)
    # the seed has a column of its own
    keys = [key for key in dict.fromkeys(key for row in named for key in row) if key != "seed" and counts(key, "run")]
    keys = [key for key in keys if len({row.get(key) for row in named}) > 1]
    all_metrics = dict.fromkeys(name for job in summary.jobs for name in (*job.metrics, *job.lost_metrics))
    metrics = [*summary.metrics, *(name for name in all_metrics if name not in summary.metrics)]
    scales = [Scale.of(name) for name in metrics]
    columns = [
        *(Column(key) for key in (*keys, "seed")),
        *(Column(scale.heading, is_extra=scale.metric not in summary.metrics) for scale in scales),
        Column("seconds"),
        *([Column("error")] if any(job.error_type for job in summary.jobs) else []),
    ]
    colors = {id(job): each.color for each in series for job in each.ranked.group.jobs}
    rows = []
    for job, values in zip(summary.jobs, named, strict=True):
        cells = [
            *(Cell(values.get(key) or "") for key in keys),
            Cell("" if job.seed is None else str(job.seed)),
            *(_metric_cell(job, scale) for scale in scales),
            Cell("" if job.duration_s is None else f"{job.duration_s:.1f}"),
            *([Cell(_error(job))] if columns[-1].heading == "error" else []),
        ]
        rows.append(JobRow(job, colors.get(id(job), "transparent"), tuple(cells)))
    return JobTable(tuple(columns), tuple(rows))


def _metric_cell(job: JobRecord, scale: Scale) -> Cell:
    value = job.metrics.get(scale.metric)
    if value is None:
        return Cell("nan" if scale.metric in job.lost_metrics else "")
    return Cell(scale.text(value), f"{value:.6g}")


def _error(job: JobRecord) -> str:
    first = (job.error_message or "").strip().partition("\n")[0]
    return f"{job.error_type}: {first[:200]}" if job.error_type else ""
