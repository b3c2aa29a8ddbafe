"""A sweep's answer as printed at its end: tables, sentences, failures and counts."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.analysis.hints import shared_hints
from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.analysis.sentences import mean, sentence
from src.analysis.stats import Comparison
from src.analysis.summary import Summary

# More than this is for summary.csv.
N_ROWS = 20
N_SENTENCES = 10


class End(NamedTuple):
    """How the command has ended that ran a sweep: no job of it runs any longer.

    Attributes:
        n_asked: Jobs that it was to run; None where nobody knows.
        is_interrupted: Whether it was told to end.
        has_room: Whether there is room for files; False where a full disk has ended it, which is said once.
    """

    n_asked: int | None
    is_interrupted: bool
    has_room: bool = True


def print_summary(summary: Summary, console: Console, *, end: End | None = None) -> None:
    """Print everything that there is to say.

    Args:
        summary: The answer.
        console: Where.
        end: How the command that ran the sweep has ended; None where it may still run.
    """
    if summary.groups and summary.metrics:
        first = summary.scales[summary.metrics[0]]
        best = "lowest" if first.lower_is_better else "highest"
        _print(console, f"{mean_of(summary)} ± 95 % interval, {best} {first.metric} first", _groups_table(summary))
        _and_more(console, len(summary.groups), N_ROWS, "groups")
    for _, found in groupby(summary.comparisons, key=lambda each: each.metric):
        _print_comparisons(list(found), console)
    # a job that has no result though nobody has interrupted it has lost its process
    bad = ("failed",) if end is None or end.is_interrupted else ("failed", "unfinished")
    failed = [job for job in summary.jobs if job.status in bad or (end is not None and job.problems)]
    if failed:
        _print(console, "failed", _failures_table(summary, failed))
        _and_more(console, len(failed), N_ROWS, "failed jobs")
    for line in (*(each.line for each in shared_hints(summary.jobs)), *remarks(summary, failed, end)):
        # a path that is wrapped can neither be clicked nor copied
        console.print(Text(plain(line)), soft_wrap=True)


def mean_of(summary: Summary) -> str:
    """What the means are: over seeds, over 10 folds."""
    sizes = {found.n for ranked in summary.groups if (found := ranked.estimates.get(summary.metrics[0]))}
    if [unit.noun for unit in summary.units] == ["fold"] and len(sizes) == 1:
        return f"mean over {summary.units[0].number(*sizes)}"
    return f"mean over {plurals(summary)}"


def plurals(summary: Summary) -> str:
    """What means are taken over, in a word; two where groups differ in it."""
    return " or ".join(unit.plural for unit in summary.units)


def plain(text: str) -> str:
    """One line of printable characters: what jobs leave behind may hold anything."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _print(console: Console, title: str, table: Table) -> None:
    # not the table's own title, which is folded to the table's width
    console.print(Text(plain(title), style="italic"))
    console.print(table)


def _groups_table(summary: Summary) -> Table:
    first = summary.metrics[0]
    table = Table()
    table.add_column("group", overflow="fold")
    table.add_column(plurals(summary), justify="right")
    for metric in summary.metrics:
        table.add_column(Scale.of(metric).heading, justify="right", no_wrap=True)
    left_out = [status for status, n in summary.counts.items() if n and status != "completed"]
    if left_out:
        table.add_column("left out")
    for ranked in summary.groups[:N_ROWS]:
        found = ranked.estimates.get(first)
        means = (mean(ranked, metric) or "-" for metric in summary.metrics)
        counts = ", ".join(f"{n} {status}" for status in left_out if (n := ranked.count(status)))
        cells = (str(found.n if found else 0), *means, *([counts] if left_out else []))
        table.add_row(Text(plain(ranked.group.label)), *cells)
    return table


def _print_comparisons(comparisons: Sequence[Comparison], console: Console) -> None:
    if not any(each.p_value is not None for each in comparisons):
        return
    scale, noun = Scale.of(comparisons[0].metric), comparisons[0].unit.noun
    unit = ", points" if scale.is_share else ""
    title = f"{scale.metric}{unit}: {comparisons[0].first} minus each other group, {noun} by {noun}"
    _print(console, title, _comparisons_table(scale, comparisons[:N_ROWS]))
    _and_more(console, len(comparisons), N_ROWS, "groups")
    for each in comparisons[:N_SENTENCES]:
        console.print(Text(f"- {plain(sentence(each))}"))
    console.print()


def _comparisons_table(scale: Scale, comparisons: Sequence[Comparison]) -> Table:
    table = Table()
    table.add_column("group", overflow="fold")
    for heading in ("difference", "wins/ties/losses", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in comparisons:
        found = each.difference
        difference = "-" if found is None else scale.text(found.mean, found.half_width)
        score = f"{each.wins}/{each.ties}/{each.losses}"
        table.add_row(Text(plain(each.second)), difference, score, p_text(each.p_value))
    return table


def p_text(value: float | None) -> str:
    """Write a p value."""
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _failures_table(summary: Summary, failed: Sequence[JobRecord]) -> Table:
    groups = {id(job): ranked.group for ranked in summary.groups for job in ranked.group.jobs}
    table = Table()
    for heading in ("job", "what", "error", "message"):
        table.add_column(heading, overflow="fold")
    for job in failed[:N_ROWS]:
        name = job_name(job, summary)
        group = groups.get(id(job))
        given = {"seed": job.seed, **group.told(job)} if group else job.overrides
        what = " ".join([*([group.label] if group else []), *(f"{key}={value}" for key, value in given.items())])
        message = (job.error_message or "").strip().partition("\n")[0]
        error = job.error_type or ""
        if job.problems:
            error, message = "unreadable", "a file of its directory cannot be read; which one stands below"
        elif job.status == "unfinished":
            error, message = "lost", "its process ended without a result (killed, out of memory?)"
        cells = (name, what, error, message[:300])
        table.add_row(*(Text(plain(cell)) for cell in cells))
    return table


def job_name(job: JobRecord, summary: Summary) -> str:
    """Name a job, together with its sweep where there are several."""
    return job.name if len(summary.sweep_dirs) == 1 else f"{job.sweep_dir.name}/{job.name}"


def remarks(summary: Summary, failed: Sequence[JobRecord], end: End | None = None) -> Iterable[str]:
    """Yield what else a reader must know, and where things lie."""
    for sweep_dir in dict.fromkeys(job.sweep_dir for job in failed):
        own = [job for job in failed if job.sweep_dir == sweep_dir]
        yield _where_failures_lie(sweep_dir, own, [job for job in own if (job.path / "train.log").is_file()])
    for metric in summary.metrics:
        lost = [job for job in summary.jobs if job.status == "completed" and metric not in job.metrics]
        if lost:
            yield f"no finite {metric}, so in no mean: {_names(lost)}"
    yield from _repeated(summary)
    yield from _not_compared(summary)
    units = [ranked.group.unit for ranked in summary.groups for each in ranked.estimates.values() if each.n > 1]
    if any(unit.overlap for unit in units):
        yield (
            "intervals and p values are those of the corrected resampled t test (Nadeau and Bengio 2003): the training "
            "parts of folds overlap, so that the usual interval is too narrow"
        )
    if summary.by_test:
        yield (
            f"the test part was used to choose (by {', '.join(summary.by_test)}), so that its numbers flatter the "
            "best; choose by val/..., and the test part is measured all the same"
        )
    yield from (problem for job in summary.jobs for problem in job.problems)
    yield counts(summary, end)


def _repeated(summary: Summary) -> Iterable[str]:
    for unit in summary.units:
        n = sum(ranked.group.n_repeated for ranked in summary.groups if ranked.group.unit.noun == unit.noun)
        if n and unit.noun == "fold":
            yield f"{_count(n, 'run')} of a fold {'was' if n == 1 else 'were'} made more than once; each counts once"
        elif n:
            were = f"{unit.noun} was" if n == 1 else f"{unit.plural} of a group were"
            yield f"{n} {were} run more than once; each counts once, with the mean of its values"


def _not_compared(summary: Summary) -> Iterable[str]:
    folds = [each for each in summary.comparisons if each.unit.noun == "fold" and each.difference is None]
    if folds:
        others = len({each.second for each in folds})
        yield (
            f"{_count(others, 'group')} not compared with the best: folds of one number hold the same rows only where "
            "data.folds, data.repeats, data.split_seed and the data are the same"
        )
    elif len(summary.groups) > 1 and summary.comparisons and all(each.p_value is None for each in summary.comparisons):
        unit = summary.comparisons[0].unit
        key = {"seed": "seed", "draw": "data.seed", "fold": "data.fold"}[unit.noun]
        yield f"too few {unit.plural} to compare groups: give each several, such as {key}=0,1,2,3,4"


def counts(summary: Summary, end: End | None = None) -> str:
    """One line with the number of jobs that were asked for, and what has become of them."""
    words: dict[str, str] = {"unfinished": "interrupted"} if end is not None and end.is_interrupted else {}
    found = {words.get(status, status): n for status, n in summary.counts.items()}
    n_jobs = len(summary.jobs)
    # directories of an earlier command with more jobs may be among those that were found
    found["not begun"] = max(0, ((end and end.n_asked) or 0) - n_jobs)
    listed = [f"{n} {status}" for status, n in found.items() if n or status == "completed"]
    return f"{_count(n_jobs + found['not begun'], 'job')}: {', '.join(listed)}"


def _where_failures_lie(sweep_dir: Path, failed: Sequence[JobRecord], with_log: Sequence[JobRecord]) -> str:
    """Only of files that are there: `hydra.job_logging` may leave out the log."""
    if not with_log:
        return f"tracebacks of failed jobs: {sweep_dir}/<job>/result.json"
    of = "" if len(with_log) == len(failed) else f" of {_names(with_log)}"
    return f"logs of failed jobs: {sweep_dir}/<job>/train.log{of}; tracebacks: result.json beside it"


def _names(jobs: Sequence[JobRecord]) -> str:
    names = [f"job {job.name}" for job in jobs]
    return ", ".join(names[:N_ROWS]) + (f" and {len(names) - N_ROWS} more" if len(names) > N_ROWS else "")


def _and_more(console: Console, n: int, shown: int, what: str) -> None:
    if n > shown:
        console.print(f"and {n - shown} more {what}", highlight=False)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
