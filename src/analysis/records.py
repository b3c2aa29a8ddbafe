"""What the jobs of a sweep have left: one run directory each, found and read while others still run.

No torch, and no YAML text is parsed twice, so that a thousand directories are read in a moment.
"""

import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from src.analysis.leaves import Leaves
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.run.directory import OtherResultError, RunDir, digest_of
from src.run.reading import PARSE_ERRORS, UnreadableError, parse_yaml, read_bytes
from src.run.result import Result
from src.run.result import Status as Ended

Status = Ended | Literal["unfinished"]
STATUSES: tuple[Status, ...] = ("completed", "failed", "pruned", "unfinished")

_INSTEAD = "the job counts without it; remove its directory, and the sweep's command trains it anew"

# Numbers from here on have no square, and with it no standard deviation; they count like infinite ones.
_LARGEST = 1e150

# Blocks below the root of a configuration, parsed one by one.
_MOST_BLOCKS = 200

# A block that holds one whole number, such as a seed, which no other job may have.
_NUMBER = re.compile(r"([a-z_]+): (0|-?[1-9][0-9]{0,17})\n?")

# Before each line that begins a key of the root; a line with `- ` goes on a list.
_ROOT_KEY = re.compile(r"^(?=[^\s#-]|-\S)", re.MULTILINE)


@dataclass(frozen=True)
class JobRecord:
    """What one run directory of a sweep says.

    Attributes:
        name: Path relative to the sweep's directory, usually the job's number.
        path: The run directory.
        sweep_dir: The directory below which it was found.
        status: ``unfinished`` while there is no readable result: it runs, waits, or was interrupted.
        overrides: Values by key, as given on the command line and by the sweep.
        leaves: Leaves of the stored configuration by dotted key, unresolved; empty if it cannot be read.
        seed: Seed of the run.
        metrics: Finite numbers by ``split/name``.
        lost_metrics: Names of metrics that were not finite, or beyond any use.
        optimized: Name of the metric that the job was asked to optimise.
        n_parameters: Number of weights of the network.
        duration_s: Seconds from start to end.
        error_type: Class of the exception of a failed job.
        error_message: Its text.
        traceback: Where it was raised.
        hints: What its own numbers say: kind, what was seen, command to try.
        made_with: Versions of packages, commit and device, by name.
        problems: What is wrong with the directory's files; each names the file.
    """

    name: str
    path: Path
    sweep_dir: Path
    status: Status
    overrides: Mapping[str, str]
    leaves: Mapping[str, Any]
    seed: int | None
    metrics: Mapping[str, float]
    lost_metrics: tuple[str, ...]
    optimized: str | None
    n_parameters: int | None
    duration_s: float | None
    error_type: str | None
    error_message: str | None
    traceback: str | None
    hints: tuple[Mapping[str, str], ...]
    made_with: Mapping[str, str]
    problems: tuple[str, ...]


def is_run(path: Path) -> bool:
    """Whether a directory is that of a run, also of one that has just begun, or failed before it could."""
    run = RunDir(path)
    return run.config_file.exists() or run.result_file.exists()


def read_jobs(sweep_dirs: Iterable[Path]) -> list[JobRecord]:
    """Read all run directories below the given ones, in natural order; one that is found twice counts once."""
    jobs: dict[Path, JobRecord] = {}
    for sweep_dir in sweep_dirs:
        # the walk follows no link below it
        base = sweep_dir.resolve()
        for path in find_runs(sweep_dir):
            place = base / path.relative_to(sweep_dir)
            if place not in jobs:
                jobs[place] = read_job(path, sweep_dir)
    return list(jobs.values())


def find_runs(sweep_dir: Path) -> list[Path]:
    """List the run directories below a directory, at any depth, in natural order: 2 before 10.

    One that may not be looked into counts as one.
    """
    found: list[Path] = []

    def keep(error: OSError) -> None:
        # one that may not be looked into; what is wrong with its files is told when they are read
        if isinstance(error, PermissionError) and Path(error.filename) != sweep_dir:
            found.append(Path(error.filename))

    for folder, children, _ in os.walk(sweep_dir, onerror=keep):
        here = Path(folder)
        if here != sweep_dir and is_run(here):
            found.append(here)
            children.clear()
        children[:] = [child for child in children if not child.startswith(".")]
    return sorted(found, key=lambda path: natural(path.relative_to(sweep_dir).as_posix()))


def read_job(path: Path, sweep_dir: Path) -> JobRecord:
    """Read one run directory; a file that cannot be read is told in ``problems``."""
    run, problems = RunDir(path), list[str]()
    texts = list[str]()

    def parse(text: str) -> Leaves:
        texts.append(text)
        return _leaves(text)

    leaves = _read(run.config_file, parse, Leaves, problems) or Leaves()
    result = _result(run, problems, digest_of(texts[0].encode()) if texts else None)
    # not `Path.exists`, which raises where one may not look
    if os.path.exists(run.extension.config_file) and (  # noqa: PTH110
        result is None or result.status == "completed"
    ):
        # how that has ended, or that it has not
        result = _result(run.extension, problems)
    lines = (
        result.overrides if result else _read(run.config_file.with_name("overrides.yaml"), parse_yaml, list, problems)
    )
    metrics = result.metrics if result else {}
    # names that all jobs share are held once
    numbers = {
        sys.intern(name): float(value) for name, value in metrics.items() if value is not None and abs(value) < _LARGEST
    }
    seed, error = leaves.get("seed"), result.error if result else None
    stored_seed, duration_s = (result.seed, result.duration_s) if result else (None, None)
    return JobRecord(
        name=path.relative_to(sweep_dir).as_posix(),
        path=path,
        sweep_dir=sweep_dir,
        status=result.status if result else "unfinished",
        overrides=dict(_split(str(line)) for line in lines or ()),
        leaves=leaves,
        seed=seed if isinstance(seed, int) else stored_seed,
        metrics=numbers,
        lost_metrics=tuple(name for name in metrics if name not in numbers),
        optimized=result.optimized_metric.name if result and result.optimized_metric else None,
        n_parameters=result.n_parameters if result else None,
        duration_s=duration_s,
        error_type=error.type if error else None,
        error_message=error.message if error else None,
        traceback=error.traceback if error else None,
        hints=tuple(result.hints) if result else (),
        made_with=_made_with(result) if result else {},
        problems=tuple(problems),
    )


def _result(run: RunDir, problems: list[str], digest: str | None = None) -> Result | None:
    try:
        return run.result(digest)
    except OtherResultError as error:
        # of a configuration that cannot be read, any result is that of another one
        problems.extend([] if problems else [str(error)])
        return None
    except ConfigError as error:
        problems.append(str(error))
        return None


def _read(file: Path, parse: Callable[[str], Any], kind: type, problems: list[str]) -> Any:
    """Parse a file; None, and a line in ``problems``, if its content is not what it should be."""
    try:
        content = parse(read_bytes(file, instead=_INSTEAD).decode("utf-8"))
    except FileNotFoundError:
        return None
    except UnreadableError as error:
        problems.append(str(error))
        return None
    except PARSE_ERRORS as error:
        problems.append(str(UnreadableError(file, error, _INSTEAD)))
        return None
    if not isinstance(content, kind):
        why = f"it holds no {'mapping' if kind is dict else kind.__name__}"
        problems.append(str(UnreadableError(file, why, _INSTEAD)))
        return None
    return content


def _leaves(text: str) -> Leaves:
    """Leaves of a YAML mapping; jobs differ in few of the blocks below its root, and each is parsed once."""
    if not text.strip():
        raise ValueError("it is empty")
    blocks = _ROOT_KEY.split(text)
    try:
        return Leaves([_leaf(block) or _block(block) for block in (blocks if len(blocks) < _MOST_BLOCKS else [text])])
    except PARSE_ERRORS:
        # blocks that do not stand alone
        return Leaves([_block(text)])


def _leaf(text: str) -> dict[str, Any] | None:
    found = _NUMBER.fullmatch(text)
    return None if found is None else {sys.intern(found[1]): int(found[2])}


@functools.lru_cache(maxsize=10_000)
def _block(text: str) -> dict[str, Any]:
    tree = parse_yaml(text) if text.strip() else {}
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ValueError("it holds no mapping")
    return flatten(tree)


def _split(override: str) -> tuple[str, str]:
    """Key and value of an override; the marks of Hydra's grammar around them say nothing about the job."""
    key, _, value = override.partition("=")
    if key.startswith("~"):
        return key[1:], "removed"
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return sys.intern(key.lstrip("+")), sys.intern(value[1:-1] if quoted else value)


def _made_with(result: Result) -> Mapping[str, str]:
    found = dict(result.versions)
    if result.git and result.git.get("commit"):
        found["commit"] = f"{result.git['commit']}{' and changes' if result.git.get('dirty') else ''}"
    return _shared(tuple(found.items()) + ((("device", result.device),) if result.device else ()))


@functools.lru_cache(maxsize=1000)
def _shared(items: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    """What jobs have in common, held once."""
    return dict(items)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key of a path: 2 before 10."""
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
