"""summary.csv: a row per job."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from src.analysis.groups import Group, naming_values
from src.analysis.records import JobRecord
from src.config.keys import counts
from src.run.files import write_atomically

FILE = "summary.csv"


def _rows(jobs: Sequence[JobRecord], groups: Sequence[Group] | None) -> tuple[list[str], list[list[str]]]:
    """Header and rows: job, status, duration, overrides and other differences, seed, metrics, directory, error.

    A cell is empty where a job has no such value; a metric that was not finite is ``nan``.
    """
    named = naming_values(jobs, groups)
    bases = {sweep_dir: sweep_dir.resolve() for sweep_dir in {job.sweep_dir for job in jobs}}
    given = dict.fromkeys(key for row in named for key in row)
    # the seed has a column of its own
    keys = [key for key in given if key != "seed" and counts(key, "run")]
    metrics = list(dict.fromkeys(name for job in jobs for name in (*job.metrics, *job.lost_metrics)))
    header = ["job", "status", "duration_s", *keys, "seed", *metrics, "directory", "error_type", "error_message"]
    table = []
    for job, values in zip(jobs, named, strict=True):
        lost = dict.fromkeys(job.lost_metrics, "nan")
        cells = [
            job.name,
            job.status,
            None if job.duration_s is None else f"{job.duration_s:.3f}",
            *(values.get(key) for key in keys),
            job.seed,
            *(job.metrics.get(name, lost.get(name)) for name in metrics),
            # a job lies below its sweep by no link
            bases[job.sweep_dir] / job.name,
            job.error_type,
            job.error_message,
        ]
        table.append(["" if cell is None else str(cell) for cell in cells])
    return header, table


def write_csv(path: Path, jobs: Sequence[JobRecord], groups: Sequence[Group] | None = None) -> None:
    """Write summary.csv in one step; the groups are those of all of these jobs, where they are known."""
    header, table = _rows(jobs, groups)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(table)
    write_atomically(path, text.getvalue().encode("utf-8", errors="replace"))
