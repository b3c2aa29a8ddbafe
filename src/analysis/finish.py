"""The end of every sweep: read its run directories, print the answer, write summary.csv and report.html."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from src.analysis.file_names import with_metric
from src.analysis.options import DEFAULTS, Options
from src.analysis.page.write import PAGE, write_page
from src.analysis.records import JobRecord, read_jobs
from src.analysis.summary import Summary, other_metric, summarise
from src.analysis.summary_csv import FILE, write_csv
from src.analysis.words.remarks import End
from src.analysis.words.tables import print_summary
from src.console.terminal import open_terminal, shown


def finish_sweep(
    sweep_dir: Path,
    *,
    metric: str | None = None,
    draw: Callable[[Summary], None] | None = None,
    end: End | None = None,
    options: Options = DEFAULTS,
) -> Summary:
    """Write and print what a sweep has found, so far or at its end; a sweep without jobs is no error.

    Args:
        sweep_dir: Directory with a run directory per job, at any depth.
        metric: As in `src.analysis.summary.summarise`.
        draw: Draws what the page shows, before it is written; None for what the jobs have drawn.
        end: How the command that ran the sweep has ended, as in `publish`.
        options: As in `src.analysis.summary.summarise`.

    Returns:
        The answer; ``is_complete`` tells whether every job that began has ended well.
    """
    return publish([sweep_dir], read_jobs([sweep_dir]), metric=metric, draw=draw, end=end, options=options)


def publish(
    sweep_dirs: Sequence[Path],
    jobs: Sequence[JobRecord],
    *,
    metric: str | None,
    draw: Callable[[Summary], None] | None = None,
    end: End | None = None,
    options: Options = DEFAULTS,
) -> Summary:
    """Summarise jobs and print; write a summary.csv into each of the directories, and a page on all into the first.

    Args:
        sweep_dirs: What was read.
        jobs: What was found there.
        metric: As in `src.analysis.summary.summarise`; files of another one than the sweep's own carry its name.
        draw: As in `finish_sweep`.
        end: How the command that ran the sweep has ended; None where it may still run.
        options: As in `src.analysis.summary.summarise`.

    Raises:
        ConfigError: If no completed job has the metric; nothing is written then.
    """
    metric = other_metric(jobs, sweep_dirs, metric)
    summary = summarise(jobs, sweep_dirs, metric=metric, options=options)
    console = open_terminal()
    print_summary(summary, console, end=end)
    if end is not None and not end.has_room:
        return summary
    for sweep_dir in sweep_dirs:
        own = [job for job in summary.jobs if job.sweep_dir == sweep_dir]
        if own:
            groups = [each.group for each in summary.groups] if len(own) == len(summary.jobs) else None
            _write(
                "all jobs", sweep_dir / with_metric(FILE, metric), partial(write_csv, jobs=own, groups=groups), console
            )
    if draw is not None:
        draw(summary)
    if jobs:
        _write("report", sweep_dirs[0] / with_metric(PAGE, metric), partial(write_page, summary=summary), console)
    return summary


def _write(what: str, path: Path, write: Callable[[Path], None], console: Console) -> None:
    """Write a file, and say where; the answer is worth printing where nothing may be written."""
    try:
        write(path)
    except OSError as error:
        line = f"{path} cannot be written: {error.strerror or error}"
    else:
        line = f"{what}: {shown(path)}"
    console.print(Text(line), soft_wrap=True)
