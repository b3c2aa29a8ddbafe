"""``result.json``: how a run has ended. The only writer and the only reader of the file. No torch.

The file holds the fields of `Result` by their names, and ``format``, the version of this form. A file without it was
written before there were versions, and is of version 1. A reader of version 1 leaves out keys that it does not know.
"""

import errno
import json
import math
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from src.config.errors import ConfigError
from src.run.files import write_atomically
from src.run.reading import UnreadableError, read_json, short
from src.run.versions import git_state, package_versions

FORMAT = 1

Status = Literal["completed", "failed", "pruned"]
STATUSES: tuple[Status, ...] = get_args(Status)

_INSTEAD = "remove it, and the same command goes on from the run's checkpoint, or trains it anew"

# Most names of metrics, overrides and the like; a result has some tens.
_MOST = 2_000

# Characters that are kept of a message or traceback, half of them from each end; a reader has its limits.
_KEPT = 100_000

# How messages begin of a disk or a quota that is used up, SQLite's as SQLAlchemy tells it.
_FULL = re.compile(rf"\[Errno ({errno.ENOSPC}|{errno.EDQUOT})\]|(\(sqlite3\.\w+\) )?database or disk is full")


@dataclass(frozen=True)
class Metric:
    """A metric's name and value; no value where it was not finite or not measured."""

    name: str
    value: float | None


@dataclass(frozen=True)
class Failure:
    """What a run has raised."""

    type: str
    message: str
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Of an exception."""
        return cls(type(error).__name__, _kept(str(error)), _kept("".join(traceback.format_exception(error))))

    @property
    def is_of_disk(self) -> bool:
        """Whether a disk was full, which says nothing about the run."""
        return _FULL.match(self.message) is not None


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run has ended.

    Attributes:
        status: ``completed``, ``failed``, or ``pruned`` where its search has ended it early.
        seed: Seed of the run.
        overrides: What its configuration was composed from.
        optimized_metric: What a sweeper is told.
        metrics: Numbers by ``split/name``; None where one was not finite.
        per_class: Precision, recall, F1 and support of each class of the test part.
        hints: What its own numbers say: kind, what was seen, command to try.
        device: What it was computed on.
        n_parameters: Number of weights of the network; a loss may have more of its own.
        weights: Which weights validation and test have measured: ``best, epoch 834`` (epochs count from 0), or ``last
            epoch``. The training metrics are always those of the last epoch.
        threads: Threads that torch has computed with on a CPU.
        duration_s: Seconds from start to end.
        versions: Versions of the packages that have computed it.
        git: Commit of this code and whether files differed from it; None outside a checkout.
        error: What a failed run has raised.
        epoch: The last epoch of a pruned run.
        configuration: SHA-256 of the ``.hydra/config.yaml`` that it is the result of, without ``run_dir``; None where
            there was none.
    """

    status: Status
    seed: int | None = None
    overrides: Sequence[str] = ()
    optimized_metric: Metric | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    per_class: Sequence[Mapping[str, Any]] = ()
    hints: Sequence[Mapping[str, str]] = ()
    device: str | None = None
    n_parameters: int | None = None
    weights: str | None = None
    threads: int | None = None
    duration_s: float | None = None
    versions: Mapping[str, str] = field(default_factory=package_versions)
    git: Mapping[str, Any] | None = field(default_factory=git_state)
    error: Failure | None = None
    epoch: int | None = None
    configuration: str | None = None

    @property
    def value(self) -> float | None:
        """The value of the optimised metric."""
        return self.optimized_metric.value if self.optimized_metric else None

    def write(self, path: Path) -> None:
        """Write the file in one step; numbers that JSON does not know become null."""
        # `asdict` of it all would copy every list and mapping
        given = {name: value for name, value in vars(self).items() if value is not None}
        given |= {name: asdict(value) for name, value in given.items() if isinstance(value, Metric | Failure)}
        text = json.dumps(_json({"format": FORMAT, **given}), indent=2, allow_nan=False)
        write_atomically(path, text.encode())

    @classmethod
    def read(cls, path: Path) -> "Result | None":
        """Read the file; None where there is none.

        Raises:
            UnreadableError: If it is no result.
            ConfigError: If it is one of a later version than this code reads.
        """
        try:
            found = read_json(path, instead=_INSTEAD)
        except FileNotFoundError:
            return None
        version = found.get("format", FORMAT)
        if not isinstance(version, int) or version > FORMAT:
            raise ConfigError(
                f"{path} is of format {short(str(version), 60)}, this code reads up to format {FORMAT}: read it with "
                "the code that wrote it, or with a newer one"
            )
        try:
            return _checked(found)
        except _FieldError as error:
            raise UnreadableError(path, error, _INSTEAD) from None


class _FieldError(Exception):
    """A field holds something else than it should."""


def _checked(found: Mapping[str, Any]) -> Result:
    if found.get("status") not in STATUSES:
        raise _FieldError(f"status is {_shown(found.get('status'))}; allowed: {', '.join(STATUSES)}")
    metric, error, git = (_field(found, name, dict, "a mapping") for name in ("optimized_metric", "error", "git"))
    return Result(
        status=found["status"],
        seed=_field(found, "seed", int, "a whole number"),
        overrides=_list(found, "overrides", str, "strings"),
        optimized_metric=None if metric is None else _metric(metric),
        metrics={str(name): _number(value, f"metrics.{name}") for name, value in _mapping(found, "metrics").items()},
        per_class=_list(found, "per_class", dict, "mappings"),
        hints=_hints(found),
        device=_field(found, "device", str, "a string"),
        n_parameters=_field(found, "n_parameters", int, "a whole number"),
        weights=_field(found, "weights", str, "a string"),
        threads=_field(found, "threads", int, "a whole number"),
        duration_s=_number(found.get("duration_s"), "duration_s"),
        versions={str(name): str(version) for name, version in _mapping(found, "versions").items()},
        git=git and {name: _plain(value, f"git.{name}") for name, value in git.items()},
        error=None if error is None else Failure(*(str(error.get(name, "")) for name in Failure.__annotations__)),
        epoch=_field(found, "epoch", int, "a whole number"),
        configuration=_field(found, "configuration", str, "a string"),
    )


def _field(found: Mapping[str, Any], name: str, kind: type, allowed: str) -> Any:
    value = found.get(name)
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise _FieldError(f"{name} is {_shown(value)}; allowed: {allowed} or null")
    if kind is int and value is not None:
        _number(value, name)
    return value


def _metric(found: Mapping[str, Any]) -> Metric:
    if not isinstance(found.get("name"), str):
        raise _FieldError(f"optimized_metric.name is {_shown(found.get('name'))}; allowed: a string")
    return Metric(found["name"], _number(found.get("value")))


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, dict | list):
        raise _FieldError(f"{name} is {_shown(value)}; allowed: a single value")
    return value


def _shown(value: Any) -> str:
    return short(repr(value), 100)


def _kept(text: str) -> str:
    return text if len(text) <= _KEPT else f"{text[: _KEPT // 2]}\n...\n{text[-_KEPT // 2 :]}"


def _mapping(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    mapping: dict[str, Any] = _field(found, name, dict, "a mapping") or {}
    if len(mapping) > _MOST:
        raise _FieldError(f"{name} has {len(mapping)} entries; allowed: {_MOST}")
    return mapping


def _list(found: Mapping[str, Any], name: str, kind: type, what: str) -> list[Any]:
    values: list[Any] = _field(found, name, list, f"a list of {what}") or []
    if len(values) > _MOST and name != "per_class":
        raise _FieldError(f"{name} has {len(values)} entries; allowed: {_MOST}")
    if not all(isinstance(value, kind) for value in values):
        raise _FieldError(f"{name} is {_shown(values)}; allowed: a list of {what}")
    return values


def _hints(found: Mapping[str, Any]) -> list[dict[str, str]]:
    names = ("kind", "seen", "try")
    hints = _list(found, "hints", dict, "mappings")
    if not all(hint.keys() >= set(names) for hint in hints):
        raise _FieldError(f"hints is {_shown(hints)}; each must hold {', '.join(names)}")
    return [{name: str(hint[name]) for name in names} for hint in hints]


def _number(value: Any, name: str = "optimized_metric.value") -> float | None:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _FieldError(f"{name} is {_shown(value)}; allowed: a number or null")
    return value


def _json(value: Any) -> Any:
    """Plain containers; numbers that JSON does not know become null."""
    if isinstance(value, Mapping):
        return {str(k): _json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
