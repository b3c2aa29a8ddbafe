"""Columns of new rows, by name: which rows can be used, and what is wrong with the others."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError, nearest
from src.data.table.csv_files import MISSING
from src.data.table.encoding import Encoder, Encoding
from src.data.table.reading import Table, first_words

NAMED = 5
"""Rows that are named of those that cannot be used."""

_LARGEST = float(np.finfo(np.float32).max)


class Problem(NamedTuple):
    """Why a row cannot be used.

    Attributes:
        row: Its number among those that were looked at.
        text: Where it stands, and what is wrong.
    """

    row: int
    text: str


@dataclass(frozen=True)
class Looked:
    """Rows that were looked at.

    Attributes:
        table: The columns that the network takes, numbers as float64 and categories as words.
        bad: Which rows (n,) cannot be used.
        problems: Why, the first of each column and kind.
        new: Per column the number of rows whose category was not learnt, and one of these.
    """

    table: Table
    bad: NDArray[np.bool_]
    problems: list[Problem]
    new: dict[str, tuple[int, str]]

    def only(self, rows: NDArray[np.bool_]) -> "Looked":
        """Some of the rows (n,)."""
        return replace(self, table=self.table.only(rows), bad=self.bad[rows])


class Columns:
    """The columns that networks take, all of them the same ones.

    Args:
        encoders: How each network encodes them; kinds are the same.
    """

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        self.encodings: dict[str, list[Encoding]] = {
            column.name: [by_name(encoder)[column.name] for encoder in encoders] for column in encoders[0].columns
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in the order in which arrays without names hold them."""
        return tuple(self.encodings)

    def check_names(self, given: Sequence[str], source: str) -> None:
        """Refuse rows that lack a column.

        Raises:
            ConfigError: Names each that is missing, with the nearest that is there.
        """
        lines = []
        for name in self.names:
            if name not in given:
                near = _nearest(name, given, [each for each in given if each not in self.names])
                near = "" if near is None else f"; did you mean {near}?"
                lines.append(f"{source} has no column {name!r}, which the run has learnt from{near}")
        if lines:
            # a name may hold a comma
            its, taken = (first_words([repr(name) for name in names], 20) for names in (given, self.names))
            has = f"it has {its}; the run takes {taken}"
            raise ConfigError("\n".join([*lines, has]))

    def look(self, table: Table, *, decimal: str = ".", is_text: bool = False) -> Looked:
        """Bring the columns into the kinds that they were learnt in, and find the rows that cannot be used.

        Args:
            table: Holds all of them.
            decimal: What stands before the decimals of numbers that are words.
            is_text: Whether words stand for missing values, as in CSV files.

        Raises:
            ConfigError: If a column as a whole is of another type.
        """
        bad = np.zeros(table.frame.height, np.bool_)
        columns, problems, new = [], [], {}
        for name, encodings in self.encodings.items():
            column = table.frame[name]
            if encodings[0].kind == "number":
                numbers, is_word = _numbers(column, table.source, decimal=decimal, is_text=is_text)
                found = _wrong_numbers(numbers, column, is_word, encodings)
                columns.append(polars.Series(name, numbers))
            else:
                words, unknown = _words(column, table.source, encodings, is_text=is_text)
                if len(unknown):
                    new[name] = (len(unknown), str(unknown[0]))
                found = _missing_words(words, encodings)
                columns.append(words)
            for rows, what in found:
                if rows.any():
                    problems += [
                        Problem(row, f"{table.place(row, name)} holds {what(row)}")
                        for row in np.flatnonzero(rows)[:NAMED].tolist()
                    ]
                    bad |= rows
        return Looked(table._replace(frame=polars.DataFrame(columns)), bad, problems, new)


def by_name(encoder: Encoder) -> dict[str, Encoding]:
    """How each column is encoded."""
    return {column.name: column for column in encoder.columns}


def _nearest(name: str, given: Sequence[str], free: Sequence[str]) -> str | None:
    """The one of the names given that differs in case and accents alone, or the nearest that is still free."""
    if same := [each for each in given if _plain(each) == _plain(name)]:
        return same[0]
    found = nearest(name, free)
    if found is not None:
        return found
    plain = {_plain(each): each for each in free}
    found = nearest(_plain(name), plain)
    return None if found is None else plain[found]


def _plain(name: str) -> str:
    """Letters without case and accents."""
    return "".join(each for each in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(each))


# Rows (n,), and what one of them holds.
_Found = tuple[NDArray[np.bool_], Any]


def _numbers(
    column: polars.Series, source: str, *, decimal: str, is_text: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Numbers (n,), NaN where one is missing, and which of them (n,) are words instead."""
    if column.dtype.is_numeric() or column.dtype == polars.Boolean:
        numbers = column.cast(polars.Float64).to_numpy().astype(np.float64, copy=False)
        return numbers, np.zeros(len(column), np.bool_)
    words = _as_strings(column, source).str.strip_chars()
    if decimal == ",":
        words = words.str.replace(",", ".", literal=True)
    cast = words.cast(polars.Float64, strict=False)
    odd = cast.is_null() & words.is_not_null() & (words != "")
    if is_text and odd.any():
        odd = odd & ~words.is_in(MISSING)
    if odd.any():
        truth = words.str.to_lowercase().replace_strict(
            ["true", "false"], [1.0, 0.0], default=None, return_dtype=polars.Float64
        )
        cast, odd = polars.select(polars.coalesce(cast, truth)).to_series(), odd & truth.is_null()
    return cast.to_numpy().astype(np.float64, copy=False), odd.fill_null(value=False).to_numpy()


def _wrong_numbers(
    numbers: NDArray[np.float64], column: polars.Series, is_word: NDArray[np.bool_], encodings: Sequence[Encoding]
) -> Iterator[_Found]:
    yield is_word, lambda row: f"{column[row]!r}; a number is asked for"
    is_missing = np.isnan(numbers) & ~is_word
    if is_missing.any() and any(each.fill is None for each in encodings):
        yield is_missing, lambda _: "no value, and none was missing in training"
    is_infinite = np.isinf(numbers)
    yield is_infinite, lambda _: "a number that is not finite"
    for each in encodings:
        with np.errstate(invalid="ignore", over="ignore"):
            large = (np.abs((numbers - each.mean) / each.scale) > _LARGEST) & ~is_infinite
        yield (
            large,
            lambda row, each=each: (
                f"{numbers[row]}, too large beside training's mean of {each.mean:.3g} and spread of {each.scale:.3g}"
            ),
        )


def _words(
    column: polars.Series, source: str, encodings: Sequence[Encoding], *, is_text: bool
) -> tuple[polars.Series, polars.Series]:
    """A column as categories, and the words among them that were not learnt, one for each row."""
    levels = list(dict.fromkeys(level for each in encodings for level in each.levels))
    if column.dtype.is_float():
        column = column.fill_nan(None)
    is_plain = column.dtype.is_numeric() or column.dtype in (polars.Date, polars.Time)
    if isinstance(column.dtype, polars.Datetime):
        column, is_plain = _as_iso(column, column.dtype), True
    words = (column.cast(polars.String) if is_plain else _as_strings(column, source)).str.strip_chars()
    unknown = words.filter(~words.is_in(levels)).unique().drop_nulls().to_list()
    if unknown:
        absent = [word for word in unknown if word == "" or (is_text and word in MISSING)]
        same = {word: level for word in unknown if (level := _same(word, levels)) is not None and word not in absent}
        words = words.replace({**same, **dict.fromkeys(absent)})
    known_in_all = [level for level in levels if all(level in each.levels for each in encodings)]
    return words.rename(column.name), words.filter(~words.is_in(known_in_all) & words.is_not_null())


def _same(word: str, levels: Sequence[str]) -> str | None:
    """The level that is the same number, truth value or time, written in another way."""
    if word.lower() in ("true", "false"):
        return word.lower() if word.lower() in levels else None
    for meaning in (number_of, _time_of):
        value = meaning(word)
        if value is not None:
            return next((level for level in levels if meaning(level) == value), None)
    return None


def _as_iso(column: polars.Series, dtype: polars.Datetime) -> polars.Series:
    """Times as words."""
    return column.dt.strftime("%Y-%m-%d %H:%M:%S%.6f" if dtype.time_zone is None else "%Y-%m-%d %H:%M:%S%.6f%:z")


def _time_of(word: str) -> datetime | None:
    """A word of ISO 8601 as a time, of a day its beginning; None if it is none."""
    try:
        return datetime.fromisoformat(f"{word[:-1]}+00:00" if word.endswith("Z") else word)
    except ValueError:
        return None


def number_of(word: str) -> float | None:
    """A word as a finite number; None if it is none."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _missing_words(words: polars.Series, encodings: Sequence[Encoding]) -> Iterator[_Found]:
    if any(each.fill is None and not each.indicates for each in encodings):
        yield words.is_null().to_numpy(), lambda _: "no value, and none was missing in training"


def _as_strings(column: polars.Series, source: str) -> polars.Series:
    if column.dtype not in (polars.String, polars.Boolean, polars.Categorical, polars.Enum, polars.Null):
        raise ConfigError(
            f"{source}: column {column.name!r} is of type {column.dtype}; allowed: numbers, words, true and false"
        )
    return column.cast(polars.String)


def identity(names: Mapping[str, None] | Sequence[str]) -> Encoder:
    """Numbers that go in as they are, as data do that are drawn."""
    return Encoder(tuple(Encoding(name=name, kind="number") for name in names))
