"""All runs below a folder, and an index of them, so that runs that have not changed are not read again.

A run's entry holds for as long as its two files do that say what it was asked and how it has ended: the same time, size
and number of the file. Runs that cannot be read have no entry. Where nothing may be written, everything is read.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from src.analysis.records import STATUSES, Status, natural, read_job
from src.run.directory import RunDir
from src.run.files import write_atomically
from src.run.reading import PARSE_ERRORS, UnreadableError, parse_yaml, read_bytes

FILE = ".index.json"
SWEEP_FILE = "multirun.yaml"
_FORMAT = 3
_MOST_BYTES = 500_000_000  # of an index; that of 10,000 runs has some 10 MB

FoundStatus = Status | Literal["unreadable"]
FOUND_STATUSES: tuple[FoundStatus, ...] = (*STATUSES, "unreadable")

_CHOICES = re.compile(r"^    choices:\n((?:      .*\n)+)", re.MULTILINE)

# Time, size and number of a file; zeros where there is none.
_Stamp = tuple[int, int, int]
_NO_FILE: _Stamp = (0, 0, 0)


@dataclass(frozen=True)
class Found:
    """A run as a list shows it.

    Attributes:
        name: Its path, relative to the folder that was searched.
        path: Its directory.
        sweep: Name of the sweep that it is a job of; None for a single run.
        begun: When it began, in seconds since 1970: as it has recorded, else when its first file was written.
        status: How it has ended; ``unreadable`` where a file of it is broken.
        overrides: Values by key, as they were given.
        choices: Chosen option by group.
        leaves: Leaves of the stored configuration by dotted key, unresolved.
        seed: Seed of the run.
        metrics: Finite numbers by ``split/name``.
        optimized: Name of the metric that it was asked to optimise.
        duration_s: Seconds from start to end.
        n_parameters: Number of weights.
        problems: What is wrong with its files; each names the file.
        error: Class of the exception of a run that failed.
    """

    name: str
    path: Path
    sweep: str | None
    begun: float
    status: FoundStatus
    overrides: Mapping[str, str]
    choices: Mapping[str, Any]
    leaves: Mapping[str, Any]
    seed: int | None
    metrics: Mapping[str, float]
    optimized: str | None
    duration_s: float | None
    n_parameters: int | None
    problems: tuple[str, ...]
    error: str | None = None


@dataclass(frozen=True)
class Catalogue:
    """What lies below a folder.

    Attributes:
        under: The folder.
        runs: All runs, in natural order of their names.
        sweeps: When each sweep began, by its name; also of those that no job has begun of.
        n_read: Runs whose files were read, since the index did not know them as they are.
    """

    under: Path
    runs: tuple[Found, ...]
    sweeps: Mapping[str, float]
    n_read: int


class _Place(NamedTuple):
    name: str
    path: Path
    sweep: str | None
    config: _Stamp
    result: _Stamp
    why: str | None = None


def find_all(under: Path) -> Catalogue:
    """Find all runs and sweeps below a folder, links not followed, and bring its index up to date."""
    index = _Index.read(under / FILE)
    runs, sweeps = list[Found](), dict[str, float]()
    n_read = 0
    for place in _walk(under, sweeps):
        found = index.get(place)
        if found is None:
            n_read += 1
            found = _read(place, under)
            index.put(place, found)
        runs.append(found)
    index.write(under / FILE, {run.name for run in runs})
    runs.sort(key=lambda run: natural(run.name))
    return Catalogue(under, tuple(runs), sweeps, n_read)


def is_plain_folder(path: Path) -> bool:
    """Whether a path is a directory itself, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def _walk(under: Path, sweeps: dict[str, float]) -> Iterator[_Place]:
    """Yield runs, and gather sweeps."""
    waiting: list[tuple[Path, str, str | None]] = [(under, "", None)]
    while waiting:
        folder, name, sweep = waiting.pop()
        config, result = _stamp(folder / ".hydra" / "config.yaml"), _stamp(folder / "result.json")
        if config != _NO_FILE or result != _NO_FILE:
            yield _Place(name or ".", folder, sweep, config, result)
            continue
        try:
            with os.scandir(folder) as entries:
                inside = list(entries)
        except FileNotFoundError:
            # it has just been deleted
            continue
        except OSError as error:
            yield _Place(name or ".", folder, sweep, config, result, f"{folder} cannot be read: {error.strerror}")
            continue
        if any(each.name == SWEEP_FILE and each.is_file(follow_symlinks=False) for each in inside):
            sweep = name or "."
            sweeps[sweep] = _seconds(_stamp(folder / SWEEP_FILE))
        waiting.extend(
            (folder / each.name, f"{name}/{each.name}".lstrip("/"), sweep)
            for each in inside
            if not each.name.startswith(".") and each.is_dir(follow_symlinks=False)
        )


def _stamp(path: Path) -> _Stamp:
    try:
        found = path.stat()
    except OSError:
        return _NO_FILE
    return found.st_mtime_ns, found.st_size, found.st_ino


def _seconds(stamp: _Stamp) -> float:
    return stamp[0] / 1e9


def _written(place: _Place) -> float:
    """When a run's first file was written, which a copy does not keep."""
    return _seconds(place.config if place.config != _NO_FILE else place.result)


def _read(place: _Place, under: Path) -> Found:
    if place.why is not None:
        nothing: dict[str, Any] = {}
        return Found(
            place.name, place.path, place.sweep, _written(place), "unreadable", nothing, nothing, nothing, None,
            nothing, None, None, None, (place.why,),
        )  # fmt: skip
    job = read_job(place.path, under)
    return Found(
        name=place.name,
        path=place.path,
        sweep=place.sweep,
        begun=_written(place) if (begun := RunDir(place.path).begun) is None else begun,
        status="unreadable" if job.problems else job.status,
        overrides=job.overrides,
        choices=_choices(place.path / ".hydra" / "hydra.yaml"),
        leaves=job.leaves,
        seed=job.seed,
        metrics=job.metrics,
        optimized=job.optimized,
        duration_s=job.duration_s,
        n_parameters=job.n_parameters,
        problems=job.problems,
        error=job.error_type,
    )


def _choices(path: Path) -> dict[str, Any]:
    """Chosen options, from that part of the file alone: all of it takes longer to parse than the run's other files."""
    try:
        block = _CHOICES.search(read_bytes(path, instead="its groups are not known").decode("utf-8"))
        found = parse_yaml(block[1]) if block else {}
    except (OSError, UnreadableError, *PARSE_ERRORS):
        return {}
    return {str(group): option for group, option in found.items()} if isinstance(found, dict) else {}


class _Index:
    """Entries by name. Most keys and values of configurations are those of many runs, and each pair is kept once."""

    def __init__(self, pairs: list[tuple[str, Any]], entries: dict[str, list[Any]]) -> None:
        self._pairs, self._entries = pairs, entries
        self._numbers: dict[tuple[str, str], int] | None = None
        self._has_changed = False

    @classmethod
    def read(cls, path: Path) -> "_Index":
        """The index in a file; an empty one where it is missing, broken, or of another form."""
        try:
            if path.is_symlink():
                return cls([], {})
            found = json.loads(read_bytes(path, instead="it is made anew", largest=_MOST_BYTES))
            if found["format"] != _FORMAT:
                return cls([], {})
            pairs = [(str(key), value) for key, value in found["pairs"]]
            return cls(pairs, dict(found["runs"]))
        except (OSError, UnreadableError, *PARSE_ERRORS):
            return cls([], {})

    def get(self, place: _Place) -> Found | None:
        """The entry of a run; None where it has none, or another one than that of its files."""
        try:
            config, result, entry = self._entries[place.name]
            if (tuple(config), tuple(result)) != (place.config, place.result) or place.why is not None:
                return None
            return self._found(place, entry)
        except PARSE_ERRORS:
            return None

    def put(self, place: _Place, run: Found) -> None:
        """Take a run that has been read."""
        if run.status == "unreadable":
            self._has_changed |= self._entries.pop(place.name, None) is not None
            return
        self._has_changed = True
        entry = {
            "status": run.status,
            "begun": run.begun,
            "overrides": self._ids(run.overrides),
            "choices": self._ids(run.choices),
            "leaves": self._ids(run.leaves),
            "seed": run.seed,
            "metrics": dict(run.metrics),
            "optimized": run.optimized,
            "duration_s": run.duration_s,
            "n_parameters": run.n_parameters,
            "error": run.error,
        }
        self._entries[place.name] = [place.config, place.result, entry]

    def write(self, path: Path, names: set[str]) -> None:
        """Write it, without runs that are gone, if anything has changed; where that is not allowed, leave it."""
        gone = self._entries.keys() - names
        if not (gone or self._has_changed):
            return
        entries = {name: entry for name, entry in self._entries.items() if name in names}
        content = {"format": _FORMAT, "pairs": self._pairs, "runs": entries}
        # pairs of runs that are gone would stay for ever
        if len(gone) > len(entries):
            content = {"format": _FORMAT, "pairs": [], "runs": {}}
        try:
            write_atomically(path, json.dumps(content, separators=(",", ":"), default=str).encode())
        except OSError:
            return

    def _ids(self, mapping: Mapping[str, Any]) -> list[int]:
        if self._numbers is None:
            self._numbers = {(key, _text(value)): i for i, (key, value) in enumerate(self._pairs)}
        found = []
        for key, value in mapping.items():
            number = self._numbers.setdefault((key, _text(value)), len(self._pairs))
            if number == len(self._pairs):
                self._pairs.append((key, value))
            found.append(number)
        return found

    def _mapping(self, ids: Sequence[int]) -> dict[str, Any]:
        return dict([self._pairs[i] for i in ids])

    def _found(self, place: _Place, entry: Mapping[str, Any]) -> Found:
        if entry["status"] not in STATUSES:
            raise ValueError("no status of a run")
        optimized, overrides = entry["optimized"], self._mapping(entry["overrides"])
        return Found(
            name=place.name,
            path=place.path,
            sweep=place.sweep,
            begun=float(entry["begun"]),
            status=entry["status"],
            overrides={key: str(value) for key, value in overrides.items()},
            choices=self._mapping(entry["choices"]),
            leaves=self._mapping(entry["leaves"]),
            seed=_number(entry["seed"], int),
            metrics={str(name): float(value) for name, value in entry["metrics"].items()},
            optimized=None if optimized is None else str(optimized),
            duration_s=_number(entry["duration_s"], float),
            n_parameters=_number(entry["n_parameters"], int),
            problems=(),
            error=None if entry["error"] is None else str(entry["error"]),
        )


def _text(value: Any) -> str:
    """Equal for values that are the same in JSON."""
    return f"s{value}" if isinstance(value, str) else json.dumps(value, default=str)


def _number(value: Any, kind: type) -> Any:
    return None if value is None else kind(value)
