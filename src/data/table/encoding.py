"""From the columns of a table to numbers for a network, as the training part has them.

What is learnt of the training part, means, spreads and categories, is a few plain numbers and words: they are stored
with the run, and encode any later rows the same way.

Axes: ``n`` rows, ``f`` features.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError
from src.data.table.columns import Kind, as_numbers, as_words
from src.data.table.reading import SMALL, Rows, Table

log = logging.getLogger(__name__)

Missing = Literal["error", "mean", "median", "drop", "indicator"]

# Squares of what is larger may overflow.
_LARGE = 1e100


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How a column becomes features.

    Attributes:
        name: The column.
        kind: What it holds.
        mean: What is subtracted from a number.
        scale: What it is divided by.
        fill: What stands in for a missing value; None where there may be none.
        levels: The categories, one feature each: 1 for the row's own, 0 for the others.
        indicates: Whether one more feature is 1 where the value is missing.
    """

    name: str
    kind: Kind
    mean: float = 0.0
    scale: float = 1.0
    fill: float | str | None = None
    levels: tuple[str, ...] = ()
    indicates: bool = False

    @property
    def features(self) -> list[str]:
        """Their names."""
        own = [self.name] if self.kind == "number" else [f"{self.name}={level}" for level in self.levels]
        return own + ([f"{self.name} missing"] if self.indicates else [])


@dataclass(frozen=True)
class Encoder:
    """How rows of a table become inputs of a network.

    Attributes:
        columns: How each column does, in the order of the features.
    """

    columns: tuple[Encoding, ...]

    @classmethod
    def fit(cls, table: Table, kinds: Mapping[str, Kind], rows: Rows, missing: Missing) -> "Encoder":
        """Learn from some rows, those of the training part.

        Args:
            table: All rows.
            kinds: What each column holds.
            rows: Numbers of the rows that are learnt from.
            missing: What is done about missing values.

        Raises:
            ConfigError: If a number is not finite; names line and column.
        """
        learnt = _picked(table, rows)
        return cls(tuple(_fit(learnt(name), table, name, kind, rows, missing) for name, kind in kinds.items()))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One per feature."""
        return tuple(name for column in self.columns for name in column.features)

    def encode(self, table: Table, rows: Rows | None = None, *, tells_new: bool = True) -> NDArray[np.float32]:
        """Inputs (n, f) of rows; a category that was not learnt is none of the others.

        Args:
            table: Holds the columns, in any order.
            rows: Numbers of the rows; None for all.
            tells_new: Whether such a category is warned of.

        Raises:
            ConfigError: If a value is missing, or a word stands for a number; names line and column.
        """
        n = table.frame.height if rows is None else len(rows)
        out = np.empty((n, len(self.feature_names)), np.float32)
        place, picked, done = 0, _picked(table, rows), self._encode_numbers(table, rows, out)
        for column in self.columns:
            width = len(column.features)
            if not done or column.kind != "number":
                _encode(column, picked(column.name), table, rows, out[:, place : place + width], tells_new=tells_new)
            place += width
        return out

    def _encode_numbers(self, table: Table, rows: Rows | None, out: NDArray[np.float32]) -> bool:
        """Write all numbers at once, if there is nothing to say of any: a small table is encoded for each fold."""
        numbers, frame = [column for column in self.columns if column.kind == "number"], table.frame
        is_simple = all(column.fill is None and not column.indicates for column in numbers)
        if not numbers or not is_simple or frame.estimated_size() > SMALL:
            return False
        values = _numbers_of(frame, [column.name for column in numbers])
        if values is None:
            return False
        values = values if rows is None else values[rows]
        with np.errstate(over="ignore"):
            encoded = (values - [column.mean for column in numbers]) / [column.scale for column in numbers]
            found = encoded.astype(np.float32)
        if not (np.isfinite(values).all() and np.isfinite(found).all()):
            return False
        places = np.cumsum([0, *(len(column.features) for column in self.columns)])
        out[:, [place for place, column in zip(places, self.columns, strict=False) if column.kind == "number"]] = found
        return True

    def as_record(self) -> list[dict[str, Any]]:
        """As plain containers."""
        # lists, as JSON gives them back
        return [{**asdict(column), "levels": list(column.levels)} for column in self.columns]

    @classmethod
    def of_record(cls, record: Sequence[Mapping[str, Any]]) -> "Encoder":
        """From what `as_record` gives."""
        return cls(tuple(_of_record(column) for column in record))


def _of_record(column: Mapping[str, Any]) -> Encoding:
    """One column, looked at: a record may come from a stranger.

    Raises:
        TypeError: If a value is of another type.
    """
    if unknown := column.keys() - {each.name for each in fields(Encoding)}:
        raise TypeError(f"{min(unknown)!r} of a column is not known")
    encoding = Encoding(**{**column, "levels": tuple(column["levels"])})
    numbers = (encoding.mean, encoding.scale)
    is_text = all(isinstance(each, str) for each in (encoding.name, *encoding.levels))
    if not is_text or encoding.kind not in get_args(Kind) or not all(isinstance(each, float | int) for each in numbers):
        raise TypeError(f"column {encoding.name!r} is not encoded as it should be")
    if not isinstance(encoding.fill, float | int | str | None) or type(encoding.indicates) is not bool:
        raise TypeError(f"column {encoding.name!r} is not encoded as it should be")
    return encoding


def _picked(table: Table, rows: Rows | None) -> Callable[[str], polars.Series]:
    """A column at those rows, by its name; the rows are brought into Polars' form once for all columns."""
    if rows is None:
        return table.frame.__getitem__
    places = polars.Series(rows, dtype=polars.get_index_type())
    return lambda name: table.frame[name][places]


def _fit(learnt: polars.Series, table: Table, name: str, kind: Kind, rows: Rows, missing: Missing) -> Encoding:
    fills = missing in ("mean", "median", "indicator")
    if kind == "category":
        words = as_words(learnt).drop_nulls()
        counts = words.value_counts(sort=True)
        levels = tuple(words.unique().sort().to_list())
        if not levels and missing != "indicator":
            raise _nothing(name, table, rows)
        # of equally frequent ones the first in the alphabet
        most = counts.filter(polars.col("count") == counts["count"].max())[name].sort() if len(levels) else [None]
        fill = most[0] if missing in ("mean", "median") else None
        return Encoding(name=name, kind=kind, levels=levels, fill=fill, indicates=missing == "indicator")
    numbers = _numbers(learnt, name, table, rows)
    known = numbers[~np.isnan(numbers)]
    if len(known) == 0:
        raise _nothing(name, table, rows)
    # squares and sums of what is large remain numbers
    unit = float(np.abs(known).max()) if np.abs(known).max() > _LARGE else 1.0
    fill_number = float(np.median(known) if missing == "median" else (known / unit).mean() * unit) if fills else None
    if fill_number is not None:
        known = np.where(np.isnan(numbers), fill_number, numbers)
    mean = float((known / unit).mean()) * unit
    scale = float((known / unit).std()) * unit
    # what rounding leaves of a column that is constant
    is_constant = scale <= 10 * np.finfo(np.float64).eps * abs(mean)
    return Encoding(
        name=name,
        kind=kind,
        mean=mean,
        scale=1.0 if is_constant else scale,
        fill=fill_number,
        indicates=missing == "indicator",
    )


def _nothing(name: str, table: Table, rows: Rows) -> ConfigError:
    return ConfigError(
        f"{table.source}: column {name!r} holds no value in any of the {len(rows):,} rows to train on; leave it out "
        f"with data.drop=[{name}]"
    )


# Of the small table that was encoded last.
_last: list[tuple[polars.DataFrame, list[str], NDArray[np.float64] | None]] = []


def _numbers_of(frame: polars.DataFrame, names: list[str]) -> NDArray[np.float64] | None:
    """Columns of numbers (n, c) of a small table; None if one of them holds something else."""
    for known, of, values in _last:
        if known is frame and of == names:
            return values
    schema = frame.schema
    kinds = [schema.get(name) for name in names]
    values = None
    if all(kind is not None and kind.is_numeric() for kind in kinds):
        values = frame.select(polars.col(name).cast(polars.Float64) for name in names).to_numpy()
    _last[:] = [(frame, names, values)]
    return values


def _encode(
    encoding: Encoding,
    column: polars.Series,
    table: Table,
    rows: Rows | None,
    out: NDArray[np.float32],
    *,
    tells_new: bool,
) -> None:
    """Write the features of a column into ``out``."""
    if encoding.kind == "category":
        words = as_words(column)
        is_missing = words.is_null().to_numpy()
        _refuse_missing(encoding, table, rows, is_missing, may=encoding.fill is not None or encoding.indicates)
        if encoding.fill is not None:
            words = words.fill_null(str(encoding.fill))
        codes = words.replace_strict(
            list(encoding.levels), range(len(encoding.levels)), default=-1, return_dtype=polars.Int64
        )
        labels = codes.fill_null(-1).to_numpy()
        new = (labels < 0) & ~is_missing
        if tells_new and new.any():
            log.warning(
                "%s: column %r holds categories that training did not have (rows: %s), such as %r; they are none of "
                "the others",
                *(table.source, encoding.name, f"{int(new.sum()):,}", words[int(np.argmax(new))]),
            )
        n_levels = len(encoding.levels)
        out[:, :n_levels] = labels[:, None] == np.arange(n_levels)
    else:
        numbers = _numbers(column, encoding.name, table, rows)
        is_missing = np.isnan(numbers)
        _refuse_missing(encoding, table, rows, is_missing, may=encoding.fill is not None)
        if encoding.fill is not None:
            numbers = np.where(is_missing, encoding.fill, numbers)
        with np.errstate(over="ignore"):
            out[:, 0] = (numbers - encoding.mean) / encoding.scale
        if (large := np.isinf(out[:, 0])).any():
            raise ConfigError(
                f"{table.source}: {_place(table, rows, large, encoding.name)} holds {numbers[int(np.argmax(large))]}, "
                f"too large beside training's mean of {encoding.mean:.3g} and spread of {encoding.scale:.3g}"
            )
    if encoding.indicates:
        out[:, -1] = is_missing


def _numbers(column: polars.Series, name: str, table: Table, rows: Rows | None) -> NDArray[np.float64]:
    try:
        numbers = as_numbers(column)
    except polars.exceptions.PolarsError:
        cast = column.cast(polars.String).str.strip_chars().cast(polars.Float64, strict=False)
        bad = (cast.is_null() & column.is_not_null()).to_numpy()
        where = _place(table, rows, bad, name)
        raise ConfigError(
            f"{table.source}: {where} holds {column[int(np.argmax(bad))]!r}; a number is asked for"
        ) from None
    if np.isinf(numbers).any():
        where = _place(table, rows, np.isinf(numbers), name)
        raise ConfigError(f"{table.source}: {where} holds a number that is not finite")
    return numbers


def _refuse_missing(
    encoding: Encoding, table: Table, rows: Rows | None, is_missing: NDArray[np.bool_], *, may: bool
) -> None:
    if not may and is_missing.any():
        where = _place(table, rows, is_missing, encoding.name)
        raise ConfigError(
            f"{table.source}: {where} holds no value, and none was missing in training: {int(is_missing.sum()):,} of "
            f"{len(is_missing):,} rows"
        )


def _place(table: Table, rows: Rows | None, bad: NDArray[np.bool_], name: str) -> str:
    first = int(np.argmax(bad))
    return table.place(first if rows is None else int(rows[first]), name)
