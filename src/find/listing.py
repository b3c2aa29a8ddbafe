"""The list, as a table for people and as JSON for programs."""

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from src.analysis.words.tables import plain
from src.config.metrics import number
from src.console.terminal import width_of
from src.find.index import Found
from src.find.rows import Row, differing, shown
from src.find.words import Words

_N_PROBLEMS = 20

# Columns of a terminal for the longest cells, beyond which these are broken.
_WIDEST = 60


def print_rows(rows: Sequence[Row], words: Words, console: Console) -> None:
    """Print a line for each run or sweep, and what cannot be read with the reason."""
    listed = rows[: words.limit]
    if listed:
        asked = [key for key in ((words.sort or "").lstrip("-"), *(each.key for each in words.conditions)) if key]
        cells = [
            (row.name, _when(row.begun), shown(apart), result_text(row, asked), status_text(row))
            for row, apart in zip(listed, differing(listed), strict=True)
        ]
        table = Table()
        for heading in ("directory", "begun", "what differs", "result", "status"):
            table.add_column(heading, overflow="fold", no_wrap=heading != "what differs", max_width=_WIDEST)
        for each in cells:
            table.add_row(*(Text(plain(cell)) for cell in each))
        if width_of(console, table).maximum > console.width:
            _print_lines(cells, console)
        else:
            console.print(table)
    if len(rows) > len(listed):
        _say(console, f"and {len(rows) - len(listed)} more; limit=null shows all")
    broken = [run for row in rows for run in row.runs if run.problems]
    for run in broken[:_N_PROBLEMS]:
        _say(console, f"{run.name}: {run.problems[0]}")
    if len(broken) > _N_PROBLEMS:
        _say(console, f"and {len(broken) - _N_PROBLEMS} more that cannot be read")


def _print_lines(cells: Iterable[Sequence[str]], console: Console) -> None:
    """The same below each other, where five columns would cut every word."""
    for name, begun, differs, result, status in cells:
        _say(console, name)
        for line in (", ".join(part for part in (begun, result, status) if part), differs):
            # a long name is whole, wherever the terminal breaks it
            for part in textwrap.wrap(plain(line), console.width - 4, break_long_words=False, break_on_hyphens=False):
                console.print(Text(f"    {part}"), soft_wrap=True)


def print_best(best: Mapping[str, Found], console: Console) -> None:
    """Print a line for each metric, with the run that is best by it."""
    if not best:
        _say(console, "no run has completed with a number")
        return
    runs = list(best.values())
    rows = [Row.of(run) for run in runs]
    table = Table()
    for heading in ("metric", "best", "directory", "what differs"):
        table.add_column(heading, overflow="fold")
    for (metric, run), apart in zip(best.items(), differing(rows), strict=True):
        cells = (metric, number(run.metrics[metric]), run.name, shown(apart))
        table.add_row(*(Text(plain(cell)) for cell in cells))
    console.print(table)
    data = sorted({str(run.choices["data"]) for run in runs if "data" in run.choices})
    if len(data) > 1:
        _say(console, f"runs on other data do not compare: give one of data={', data='.join(data)}")


def result_text(row: Row, asked: Sequence[str] = ()) -> str:
    """What it has reached by the metric that it was to optimise, and by those that were asked for."""
    names = dict.fromkeys(([row.optimized] if row.optimized else []) + [key for key in asked if "/" in key])
    parts = []
    for name in names:
        best = row.best(name)
        if best is not None:
            where = f" (job {best.name.removeprefix(f'{row.name}/')})" if row.is_sweep else ""
            parts.append(f"{name} {number(best.metrics[name])}{where}")
    return ", ".join(parts)


def status_text(row: Row) -> str:
    """How it has ended; of a sweep the number of jobs by status."""
    if not row.is_sweep:
        (run,) = row.runs
        return f"{_word(run.status)}: {run.error}" if run.error else _word(run.status)
    counts = ", ".join(f"{n} {_word(status)}" for status, n in row.counts.items()) or "no job has begun"
    return counts if len(row.runs) == row.n_jobs else f"of {row.n_jobs} jobs: {counts}"


def as_json(rows: Sequence[Row]) -> str:
    """A list of objects: what stands in the table, and the rest that is known."""
    apart = differing(rows)
    return json.dumps([_row(*pair) for pair in zip(rows, apart, strict=True)], indent=2, default=str)


def best_as_json(best: Mapping[str, Found]) -> str:
    """A mapping from metric to run."""
    return json.dumps({name: _run(run) for name, run in best.items()}, indent=2, default=str)


def _row(row: Row, apart: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    if not row.is_sweep:
        return {"kind": "run", **_run(row.runs[0]), "differs": {key: values[0] for key, values in apart.items()}}
    best = row.best(row.optimized) if row.optimized else None
    return {
        "kind": "sweep",
        "directory": row.name,
        "begun": _iso(row.begun),
        "n_jobs": row.n_jobs,
        "jobs": row.counts,
        "optimized": row.optimized,
        "value": best.metrics[row.optimized] if best and row.optimized else None,
        "best": best.name if best else None,
        "differs": {key: list(values) for key, values in apart.items()},
        "problems": [problem for run in row.runs for problem in run.problems],
    }


def _run(run: Found) -> dict[str, Any]:
    return {
        "directory": run.name,
        "sweep": run.sweep,
        "begun": _iso(run.begun),
        "status": run.status,
        "seed": run.seed,
        "overrides": dict(run.overrides),
        "choices": dict(run.choices),
        "optimized": run.optimized,
        "value": run.metrics.get(run.optimized) if run.optimized else None,
        "metrics": dict(run.metrics),
        "duration_s": run.duration_s,
        "n_parameters": run.n_parameters,
        "error": run.error,
        "problems": list(run.problems),
    }


def _word(status: str) -> str:
    return "cannot be read" if status == "unreadable" else status


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M")


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def _say(console: Console, line: str) -> None:
    console.print(Text(plain(line)), soft_wrap=True)
