"""What differs between the jobs of a group: seeds, draws of the data, or folds.

Folds are cut from the same rows, so that the training parts of any two of them overlap, and their values are not
independent. How much they overlap is what `src.analysis.stats` needs of them.
"""

import json
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from src.analysis.records import JobRecord
from src.config.errors import ConfigError
from src.config.keys import counts
from src.config.seeds import drawn_by, follows_seed
from src.run.directory import RunDir

ABSENT: Any = object()

FOLD = "data.fold"
DRAWS = ("data.seed", "data.val_seed", "data.split_seed", "base_seed")
_OF_LACKING = ("data.missing", "data.columns", "data.drop")

_MOST_HOPS = 20  # from reference to reference
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True)
class Unit:
    """What a mean is taken over, one value each.

    Attributes:
        noun: Its name. A draw is one of data and weights, and a fold's value the mean of all its runs.
        overlap: Test rows over training rows of a fold; 0 where values are independent of each other.
    """

    noun: Literal["seed", "draw", "fold"] = "seed"
    overlap: float = 0.0

    @property
    def plural(self) -> str:
        """Name of several."""
        return f"{self.noun}s"

    def number(self, n: int) -> str:
        """So many of them."""
        return f"{n} {self.noun if n == 1 else self.plural}"


SEED = Unit()


class Varying:
    """Tells what varies in a sweep, and which job is which.

    Where data are cut into several folds, these do; else the data, where they are drawn several times; else the seed.
    """

    def __init__(self, jobs: Sequence[JobRecord]) -> None:
        folds = {_text(job, FOLD) for job in jobs} - {None}
        self._draws = tuple(key for key in DRAWS if len({_drawn(job, key) for job in jobs} - {None}) > 1)
        self._blocks = _Blocks([(str(job.seed), *map(str, self._of_draws(job))) for job in jobs] if self._draws else [])
        self._folds: dict[Hashable, set[str]] = {}
        for job in jobs if len(folds) > 1 else ():
            if (fold := _text(job, FOLD)) is not None:
                self._folds.setdefault(_rows(job), set()).add(fold)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys that vary beside the seed, and tell no groups apart."""
        return (*((FOLD,) if self._folds else ()), *self._draws)

    def unit(self, jobs: Sequence[JobRecord]) -> Unit:
        """What varies in a group."""
        if self._folds and any(_text(job, FOLD) is not None for job in jobs):
            return Unit("fold", max(self._overlap(job) for job in jobs))
        if any(_drawn(job, key) is not None for job in jobs for key in self._draws):
            return Unit("draw")
        return SEED

    def place(self, job: JobRecord, unit: Unit) -> Hashable:
        """Equal for jobs of which a group has one value: a seed; seed and draws; or a fold and what cuts its rows.

        Where draws are crossed, seeds with data say, runs that share one of them are not independent: None for a run
        that shares one with those that count.
        """
        if unit.noun == "fold":
            return _text(job, FOLD), _rows(job)
        if unit.noun == "draw":
            return self._blocks.place((str(job.seed), *map(str, self._of_draws(job))))
        return job.seed

    @property
    def is_crossed(self) -> bool:
        """Whether runs share seeds or draws with others, so that fewer are independent than there are."""
        return self._blocks.is_crossed

    def run(self, job: JobRecord) -> Hashable:
        """Equal for jobs that are the same run again."""
        return job.seed, _text(job, FOLD) if self._folds else None, self._of_draws(job)

    def told(self, job: JobRecord) -> dict[str, str]:
        """Value by key of what varies beside the seed, for those that the job has."""
        return {key: text for key in self.keys if (text := _text(job, key)) is not None}

    def _of_draws(self, job: JobRecord) -> tuple[str | None, ...]:
        return tuple(_text(job, key) for key in self._draws)

    def _overlap(self, job: JobRecord) -> float:
        """Test over training rows, as the run has counted them.

        Where it has not, one of k folds tests, and of the others all train but a share of `data.val_size`.
        """
        if counted := _counted(job):
            return counted
        given, val_size = (followed(job.leaves, key) for key in ("data.folds", "data.val_size"))
        k = given if isinstance(given, int) else len(self._folds.get(_rows(job), ()))
        kept = 1 - val_size if isinstance(val_size, float) and 0 <= val_size < 1 else 1.0
        return 1 / ((k - 1) * kept) if k > 1 else 0.0


def _counted(job: JobRecord) -> float | None:
    """Test over training rows of a table that a run has taken note of; None where it has not."""
    try:
        rows = (RunDir(job.path).data_record() or {}).get("rows")
    # one that cannot be read is told by whoever uses the run
    except ConfigError:
        return None
    sizes = [rows.get(name) for name in ("test", "train")] if isinstance(rows, dict) else []
    if len(sizes) != 2 or not all(type(size) is int and size > 0 for size in sizes):
        return None
    return sizes[0] / sizes[1]  # type: ignore[operator, no-any-return] # looked at


class _Blocks:
    """Which of crossed runs share nothing with each other.

    Of a levels of one factor and b of another, k = min(a, b) blocks along the diagonal share no level: each is the mean
    of its runs. Their mean is nearly as sure as that of all runs, as it averages over all levels of both.

    Args:
        cells: Levels of each run, seed first.
    """

    def __init__(self, cells: Sequence[tuple[str, ...]]) -> None:
        distinct = list(dict.fromkeys(cells))
        columns = [list(dict.fromkeys(column)) for column in zip(*distinct, strict=True)]
        # draws that are not crossed with each other are one
        draws = {cell[1:] for cell in distinct}
        self._is_joint = math.prod(len(column) for column in columns[1:]) != len(draws)
        split = [self._factors(cell) for cell in distinct]
        levels = [sorted(set(factor), key=_natural) for factor in zip(*split, strict=True)]
        self._levels = [{level: i for i, level in enumerate(known)} for known in levels]
        self.is_crossed = any(len(levels) < len(distinct) for levels in self._levels if len(levels) > 1)

    def place(self, cell: tuple[str, ...]) -> Hashable:
        """The block of a run, which it is itself where nothing is crossed; None if it is off the diagonal."""
        if not self.is_crossed:
            return cell
        levels = [
            (factor, known) for factor, known in zip(self._factors(cell), self._levels, strict=True) if len(known) > 1
        ]
        k = min(len(known) for _, known in levels)
        blocks = {known[factor] * k // len(known) for factor, known in levels}
        return ("block", *blocks) if len(blocks) == 1 else None

    def _factors(self, cell: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
        return (cell[:1], cell[1:]) if self._is_joint else tuple((level,) for level in cell)


def _natural(levels: tuple[str, ...]) -> list[tuple[int, str]]:
    """Sort key of levels: 2 before 10."""
    return [(int(level), "") if level.isdecimal() else (-1, level) for level in levels]


def followed(leaves: Mapping[str, Any], key: str, *, only_for: Literal["group"] | None = None) -> Any:
    """Value of a key, `ABSENT` if it has none; one that is another key's is looked up there.

    Args:
        leaves: Of a stored configuration.
        key: Dotted.
        only_for: A reference to a key that does not count for this stays one.
    """
    value = leaves.get(key, ABSENT)
    for _ in range(_MOST_HOPS):
        found = _REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if found is None or found[1] not in leaves or (only_for and not counts(found[1], only_for)):
            break
        value = leaves[found[1]]
    return value


def as_text(value: Any) -> str:
    """Write a value as one would on the command line; the empty text is no value."""
    if value is ABSENT:
        return ""
    if isinstance(value, str):
        return value
    if type(value) is int:
        return str(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value, separators=(",", ":"), default=str)


def _text(job: JobRecord, key: str) -> str | None:
    value = followed(job.leaves, key)
    return None if value is ABSENT or value is None else as_text(value)


def _drawn(job: JobRecord, key: str) -> str | None:
    """Value of a seed of the data; None where it is that of the run."""
    if key not in job.leaves or follows_seed(job.leaves, key):
        return None
    return _text(job, key)


def _rows(job: JobRecord) -> tuple[tuple[str, str], ...]:
    """What decides which rows a fold of a number holds."""
    # rows that lack a value are left out, so that it matters which columns are looked at
    also = _OF_LACKING if job.leaves.get("data.missing") == "drop" else ()
    decide = sorted(k for k in job.leaves if k.startswith("data.") and (counts(k, "fold") or k.startswith(also)))
    return tuple((key, as_text(drawn_by(job.leaves, key, job.seed, followed(job.leaves, key)))) for key in decide)
