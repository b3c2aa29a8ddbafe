"""README.txt of what is shared: what it is, how to open it, what is missing."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

from src.analysis.page.origin import made_with
from src.analysis.records import JobRecord
from src.config.compose import quoted

_FOLDED = 6


@dataclass
class Report:
    """What a zip holds and what it lacks.

    Attributes:
        name: Of the run or sweep.
        is_sweep: Whether it is one.
        jobs: Its runs.
        data_files: Files that the runs read and that are not in it, by key, as the configuration in it names them.
        left_out: Files that are not in it, and why, a line each.
        missing: What the runs lack, a line each.
    """

    name: str
    is_sweep: bool
    jobs: Sequence[JobRecord]
    data_files: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def readme(report: Report) -> str:
    """The text."""
    parts = [_what(report), _how(report), _with_what(report)]
    for title, lines in (("What is missing", report.missing), ("What was left out", report.left_out)):
        if lines:
            parts.append("\n".join([f"{title}:", *(f"- {line}" for line in folded(lines))]))
    return "\n\n".join(part for part in parts if part) + "\n"


def folded(lines: Sequence[str]) -> list[str]:
    """The first lines, and how many more there are."""
    more = [f"and {len(lines) - _FOLDED} more"] if len(lines) > _FOLDED else []
    return [*lines[:_FOLDED], *more]


def as_word(key: str, value: object) -> str:
    """A word of a command line, whatever the value holds."""
    return shlex.quote(f"{key}={quoted(value)}")


def _what(report: Report) -> str:
    n = len(report.jobs)
    return f"{report.name}: {f'a sweep of {n} jobs' if report.is_sweep else 'a run'}."


def _how(report: Report) -> str:
    name = report.name
    job = f"{name}/{report.jobs[0].name}" if report.is_sweep and report.jobs else name
    lines = [
        "How to open it, with the code that made it (README.md there says how to set it up):",
        f"  python -m src.share {as_word('open', f'{name}.zip')} {as_word('into', name)}",
        *([f"  python -m src.report {as_word('sweep', name)}"] if report.is_sweep else []),
        f"  python -m src.eval {as_word('run', job)}",
        f"  python -m src.draw {as_word('run', job)}",
        "The first one unpacks it, and refuses what no run has written; any other unzip does, too.",
    ]
    for key, value in report.data_files.items():
        lines.append(
            f"The data are not in it: {key} names {value}. Put that file there, as seen from the folder where you "
            f"start the commands, or say where it is: python -m src.eval {as_word('run', job)} {key}=..."
        )
    return "\n".join(lines)


def _with_what(report: Report) -> str:
    found = [f"  {name} {' or '.join(version for version, _ in versions)}" for name, versions in made_with(report.jobs)]
    return "\n".join(["Made with:", *found]) if found else ""
