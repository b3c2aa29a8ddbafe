"""What the jobs of a sweep have left: one run directory each, found and read while others still run.

No torch, and no YAML text is parsed twice, so that a thousand directories are read in a moment.
"""

import functools
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from src.run.directory import RunDir, flatten

Status = Literal["completed", "failed", "pruned", "unfinished"]
STATUSES: tuple[Status, ...] = get_args(Status)

# libyaml is ten times as fast, and not everywhere
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

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
        lost_metrics: Names of metrics that were not finite.
        optimized: Names of the metrics that the job was asked to optimise.
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
    optimized: tuple[str, ...]
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
    return run.config_file.is_file() or run.result_file.is_file()


def read_jobs(sweep_dirs: Iterable[Path]) -> list[JobRecord]:
    """Read all run directories below the given ones, in natural order; one that is found twice counts once."""
    jobs: dict[Path, JobRecord] = {}
    for sweep_dir in sweep_dirs:
        for path in find_runs(sweep_dir):
            jobs.setdefault(path.resolve(), read_job(path, sweep_dir))
    return list(jobs.values())


def find_runs(sweep_dir: Path) -> list[Path]:
    """List the run directories below a directory, at any depth, in natural order: 2 before 10."""
    found = []
    for folder, children, _ in os.walk(sweep_dir):
        here = Path(folder)
        if here != sweep_dir and is_run(here):
            found.append(here)
            children.clear()
        children[:] = [child for child in children if not child.startswith(".")]
    return sorted(found, key=lambda path: _natural(path.relative_to(sweep_dir).as_posix()))


def read_job(path: Path, sweep_dir: Path) -> JobRecord:
    """Read one run directory; a file that cannot be read is told in ``problems``."""
    run, problems = RunDir(path), list[str]()
    result = _read(run.result_file, json.loads, dict, problems)
    leaves = _read(run.config_file, _leaves, dict, problems) or {}
    if result is not None and result.get("status") not in STATUSES:
        problems.append(f"{run.result_file}: status is {result.get('status')!r}; allowed: {', '.join(STATUSES)}")
        result = None
    stored = result or {}
    lines = stored.get("overrides")
    if not isinstance(lines, list):
        lines = _read(run.config_file.with_name("overrides.yaml"), _parse, list, problems) or []
    metrics, error, seed = _mapping(stored.get("metrics")), _mapping(stored.get("error")), leaves.get("seed")
    numbers = {str(name): float(value) for name, value in metrics.items() if _is_number(value)}
    return JobRecord(
        name=path.relative_to(sweep_dir).as_posix(),
        path=path,
        sweep_dir=sweep_dir,
        status=stored.get("status", "unfinished"),
        overrides=dict(_split(str(line)) for line in lines),
        leaves=leaves,
        seed=seed if isinstance(seed, int) else stored.get("seed"),
        metrics=numbers,
        lost_metrics=tuple(str(name) for name in metrics if name not in numbers),
        optimized=_optimized(stored.get("optimized_metric")),
        duration_s=stored["duration_s"] if _is_number(stored.get("duration_s")) else None,
        error_type=str(error["type"]) if "type" in error else None,
        error_message=str(error["message"]) if "message" in error else None,
        traceback=str(error["traceback"]) if "traceback" in error else None,
        hints=_hints(stored.get("hints")),
        made_with=_made_with(stored),
        problems=tuple(problems),
    )


def _read(file: Path, parse: Callable[[str], Any], kind: type, problems: list[str]) -> Any:
    """Parse a file; None, and a line in ``problems``, if its content is not what it should be."""
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        problems.append(f"{file} cannot be read: {' '.join(str(error).split())}")
        return None
    if not isinstance(content, kind):
        problems.append(f"{file} cannot be read: it holds no {'mapping' if kind is dict else kind.__name__}")
        return None
    return content


def _parse(text: str) -> Any:
    return yaml.load(text, _Loader)


def _leaves(text: str) -> dict[str, Any]:
    """Leaves of a YAML mapping; jobs differ in few of the blocks below its root, and each is parsed once."""
    if not text.strip():
        raise ValueError("it is empty")
    leaves: dict[str, Any] = {}
    try:
        for block in _ROOT_KEY.split(text):
            leaves.update(_block(block))
    except (ValueError, yaml.YAMLError):
        # blocks that do not stand alone, such as an alias of an anchor further up
        leaves = _block(text)
    return leaves


@functools.lru_cache(maxsize=10_000)
def _block(text: str) -> dict[str, Any]:
    tree = _parse(text) if text.strip() else {}
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
    return key.lstrip("+"), value[1:-1] if quoted else value


def _optimized(given: Any) -> tuple[str, ...]:
    """Names of one metric, or of the several that a job gives as a list."""
    entries = given if isinstance(given, list) else [given]
    return tuple(str(entry["name"]) for entry in entries if isinstance(entry, dict) and "name" in entry)


def _made_with(stored: Mapping[str, Any]) -> dict[str, str]:
    found = {str(name): str(version) for name, version in _mapping(stored.get("versions")).items()}
    git = _mapping(stored.get("git"))
    if git.get("commit"):
        found["commit"] = f"{git['commit']}{' and changes' if git.get('dirty') else ''}"
    return {**found, "device": str(stored["device"])} if "device" in stored else found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _hints(value: Any) -> tuple[Mapping[str, str], ...]:
    """Hints as `src.hints.rules.as_record` writes them; whatever else stands there is left out."""
    keys = ("kind", "seen", "try")
    found = value if isinstance(value, list) else []
    return tuple(
        {key: str(hint[key]) for key in keys} for hint in found if isinstance(hint, dict) and hint.keys() >= set(keys)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
