"""Where a sweep comes from: the command that started it, and what it ran with."""

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from src.analysis.records import JobRecord
from src.run.directory import RunDir
from src.run.reading import PARSE_ERRORS, UnreadableError, read_yaml


def commands(sweep_dirs: Sequence[Path], jobs: Sequence[JobRecord]) -> list[str]:
    """Command lines to copy, one per sweep; that of its first job where the sweep's own is lost."""
    found = []
    for sweep_dir in sweep_dirs:
        own = next((job for job in jobs if job.sweep_dir == sweep_dir), None)
        command = _command(sweep_dir / "multirun.yaml")
        if command is None and own is not None:
            command = _command(own.path / ".hydra" / "hydra.yaml", of_job=True)
        if command is not None:
            found.append(command)
    return found


def made_with(jobs: Iterable[JobRecord]) -> list[tuple[str, list[tuple[str, int]]]]:
    """Packages, commit and device by name, each with its versions and the number of jobs that ran with it."""
    counts: dict[str, Counter[str]] = {}
    for job in jobs:
        for name, value in job.made_with.items():
            counts.setdefault(name, Counter())[value] += 1
    return [(name, found.most_common()) for name, found in counts.items()]


def times(sweep_dirs: Sequence[Path], jobs: Sequence[JobRecord]) -> list[tuple[str, str]]:
    """Time of all runs together, and from the sweep's beginning to its last result, by name.

    The second is what the dates of files tell; it is left out where they tell less than the longest run has taken, as
    dates of a copy do.
    """
    took = [job.duration_s for job in jobs if job.duration_s is not None]
    if not took:
        return []
    found = [("time of all runs together", _duration(sum(took)))]
    ends = [end for job in jobs if job.duration_s is not None and (end := _date(RunDir(job.path).result_file))]
    begun = [date for sweep_dir in sweep_dirs if (date := _date(sweep_dir / "multirun.yaml"))]
    if ends and len(begun) == len(sweep_dirs) == 1 and (wall := max(ends) - begun[0]) >= max(took):
        found.append(("from the command to the last result", _duration(wall)))
    return found


def _date(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _duration(seconds: float) -> str:
    """Write a duration: "0.4 s", "12 min 5 s", "3 h 20 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _command(path: Path, *, of_job: bool = False) -> str | None:
    """The command as Hydra has recorded it; None if it has not."""
    try:
        # a job's file has the node below its name, a sweep's is that of the sweep's configuration
        hydra = read_yaml(path, instead="its command is not shown")["hydra"]
        overrides: Mapping[str, Any] = hydra["overrides"]
        own, task = ([str(line) for line in overrides[key]] for key in ("hydra", "task"))
        name = str(hydra["job"]["name"])
    except (OSError, UnreadableError, *PARSE_ERRORS):
        return None
    # it is shown to be copied
    if not re.fullmatch(r"\w+", name):
        return None
    if of_job:
        own = []
    # Hydra's record of the flag -m; an experiment may set the mode itself
    flag = ["-m"] if "hydra.mode=MULTIRUN" in own else []
    words = [*flag, *(line for line in own if line != "hydra.mode=MULTIRUN"), *task]
    return f"python -m src.{name} {shlex.join(words)}".strip()
