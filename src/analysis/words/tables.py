"""A sweep's answer as printed at its end: tables, sentences, failures and counts."""

from collections.abc import Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.analysis.stats.comparison import Comparison
from src.analysis.summary import Summary
from src.analysis.words.headings import estimate_of, is_mixed, plurals
from src.analysis.words.hints import shared_hints
from src.analysis.words.remarks import End, remarks
from src.analysis.words.sentences import number, p_text, sentence
from src.console.terminal import print_table

# More than this is for summary.csv.
N_ROWS = 20
N_SENTENCES = 10

# Columns of a terminal that names of groups, and what is left out, should have at least.
_LABEL = 16
_LEFT_OUT = 14
_N_OUTLOOKS = 3


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
        _print(
            console, f"{estimate_of(summary)}, {best} {first.metric} first", _groups_table(summary, width=console.width)
        )
        _and_more(console, len(summary.groups), N_ROWS, "groups")
    for _, found in groupby(summary.comparisons, key=lambda each: (each.metric, each.first)):
        _print_comparisons(list(found), console)
    # a job that has no result though nobody has interrupted it has lost its process
    bad = ("failed",) if end is None or end.is_interrupted else ("failed", "unfinished")
    failed = [job for job in summary.jobs if job.status in bad or (end is not None and job.problems)]
    if failed:
        _print(console, "failed", _failures_table(summary, failed))
        _and_more(console, len(failed), N_ROWS, "failed jobs")
    for hint in shared_hints(summary.jobs):
        console.print(Text(plain(hint.line)))
        # on one line however long, so that it can be copied
        console.print(Text(f"  try: {plain(hint.command)}"), soft_wrap=True)
    for line in remarks(summary, failed, end):
        # a path that is wrapped can neither be clicked nor copied
        has_path = any(str(sweep_dir) in line for sweep_dir in summary.sweep_dirs)
        console.print(Text(plain(line)), soft_wrap=has_path)


def plain(text: str) -> str:
    """One line of printable characters: what jobs leave behind may hold anything."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _print(console: Console, title: str, table: Table) -> None:
    # not the table's own title, which is folded to the table's width
    console.print(Text(plain(title), style="italic"))
    print_table(console, table)


def _groups_table(summary: Summary, *, width: int) -> Table:
    """Groups best first; intervals stand below the numbers where a line does not hold both."""
    first, mixed = summary.metrics[0], is_mixed(summary)
    left_out = [status for status, n in summary.counts.items() if n and status != "completed"]
    headings = [plurals(summary), *(Scale.of(metric).heading for metric in summary.metrics)]
    headings += ["failed"] if summary.tells_failed else []
    rows = []
    for ranked in summary.groups[:N_ROWS]:
        found = ranked.estimates.get(first)
        numbers = (number(ranked, metric, level=mixed) or "-" for metric in summary.metrics)
        counts = ", ".join(f"{n} {status}" for status in left_out if (n := ranked.count(status)))
        failed = [f"{ranked.failed.n} of {ranked.failed.of}"] if summary.tells_failed else []
        cells = (str(found.n if found else 0), *numbers, *failed, *([counts] if left_out else []))
        rows.append((plain(ranked.group.label), *cells))
    columns = zip(("group", *headings), *(row[: len(headings) + 1] for row in rows), strict=True)
    needed = [max(map(len, column)) + 3 for column in columns]
    if sum(needed) - needed[0] + min(needed[0], _LABEL) + (_LEFT_OUT if left_out else 0) > width:
        rows = [(row[0], *(cell.replace(" [", "\n[") for cell in row[1:])) for row in rows]
    table = Table()
    table.add_column("group", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    if left_out:
        table.add_column("left out")
    for row in rows:
        table.add_row(Text(row[0]), *row[1:])
    return table


def _print_comparisons(comparisons: Sequence[Comparison], console: Console) -> None:
    if not any(each.p_value is not None for each in comparisons):
        return
    scale, noun = Scale.of(comparisons[0].metric), comparisons[0].unit.noun
    unit = ", points" if scale.is_share else ""
    middle = comparisons[0].difference.words if comparisons[0].difference else "median"
    title = f"{scale.metric}{unit}: {comparisons[0].first} minus each other group, {noun} by {noun}, {middle}"
    _print(console, title, _comparisons_table(scale, comparisons[:N_ROWS]))
    _and_more(console, len(comparisons), N_ROWS, "groups")
    for i, each in enumerate(comparisons[:N_SENTENCES]):
        console.print(Text(f"- {plain(sentence(each, with_outlook=i < _N_OUTLOOKS))}"))
    console.print()


def _comparisons_table(scale: Scale, comparisons: Sequence[Comparison]) -> Table:
    table = Table()
    table.add_column("group", overflow="fold")
    for heading in ("difference", "wins/ties/losses", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in comparisons:
        found = each.difference
        difference = "-" if found is None else scale.with_interval(found.value, found.interval, level=True)
        score = f"{each.wins}/{each.ties}/{each.losses}"
        table.add_row(Text(plain(each.second)), difference, score, p_text(each.p_value))
    return table


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


def _and_more(console: Console, n: int, shown: int, what: str) -> None:
    if n > shown:
        console.print(f"and {n - shown} more {what}", highlight=False)
