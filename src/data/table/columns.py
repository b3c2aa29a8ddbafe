"""What each column of a table is: a number, a category, the target, or nothing that goes in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError, suggest
from src.data.spec import TaskName
from src.data.table.reading import Table, first_words

Kind = Literal["number", "category"]

# More different words than this are names or texts, and no categories.
_MOST_LEVELS = 100
# More different whole numbers than this are counted, and no classes.
_MOST_CLASSES = 20
# Numbers whose thousands are set apart beyond doubt: 1,234.50, 1.234,50 and 1,234,567.
_THOUSANDS = r"^\s*[-+]?(\d{1,3}(,\d{3})+\.\d+|\d{1,3}(\.\d{3})+,\d+|\d{1,3}(,\d{3}){2,}|\d{1,3}(\.\d{3}){2,})\s*$"


@dataclass(frozen=True)
class Target:
    """What is predicted.

    Attributes:
        name: Its column.
        task: What kind of prediction that is.
        classes: Names of the classes, in the order of their labels; empty for a regression.
        values: Labels (n,), int64, or numbers (n,), float64; -1 or NaN where missing.
    """

    name: str
    task: TaskName
    classes: tuple[str, ...]
    values: NDArray[Any]


def need_column(table: Table, name: str, key: str) -> polars.Series:
    """A column by its name.

    Raises:
        ConfigError: If there is none; names the nearest.
    """
    if name not in table.frame.columns:
        near = suggest(name, table.frame.columns)
        near = f"{near} " if near.endswith("?") else ""
        first = "; its first line looks like values, and has to name the columns" if _are_values(table) else ""
        has = first_words(table.frame.columns, 20)
        raise ConfigError(f"{key}={name}: {table.source} has no such column; {near}allowed: {has}{first}")
    return table.frame[name]


def _are_values(table: Table) -> bool:
    """Whether some names of columns are numbers with decimals."""
    return table.first_row > 0 and any(re.fullmatch(r"[-+]?\d*[.,]\d+", name) for name in table.frame.columns)


def choose_columns(
    table: Table,
    *,
    columns: Sequence[str] | Mapping[str, Kind] | None,
    drop: Sequence[str],
    apart: Sequence[str],
) -> dict[str, Kind]:
    """The columns that go in, in the order of the file, and what each is.

    Args:
        table: All columns.
        columns: Names of those that go in, or kinds of some of them, which overrule what is seen; None for all.
        drop: Names of those that do not.
        apart: Names of those that decide something else, and go in only where ``columns`` names them.

    Raises:
        ConfigError: If a name is unknown, or a column cannot go in as it is; names file, line and column.
    """
    names = list(columns or ())
    for key, given in (("data.columns", names), ("data.drop", drop)):
        for name in given:
            need_column(table, name, key)
    if both := [name for name in names if name in drop]:
        raise ConfigError(f"data.columns and data.drop both name {both[0]!r}; leave it out of one of them")
    kinds = columns if isinstance(columns, Mapping) else {}
    listed = names if columns and not kinds else [n for n in table.frame.columns if n not in apart or n in names]
    chosen = [name for name in table.frame.columns if name in listed and name not in drop]
    if not chosen:
        has = first_words(table.frame.columns, 20)
        raise ConfigError(
            f"{table.source}: no column is left to predict from; it has {has}; allowed: at least one of them"
        )
    return {name: _kind(table, name, kinds.get(name)) for name in chosen}


def _kind(table: Table, name: str, given: Kind | None) -> Kind:
    column = table.frame[name]
    if column.null_count() == len(column):
        raise ConfigError(f"{table.source}: column {name!r} is empty; leave it out with data.drop=[{name}]")
    if column.dtype.is_numeric() or column.dtype == polars.Boolean:
        return given or "number"
    if column.dtype not in (polars.String, polars.Categorical, polars.Enum):
        raise ConfigError(
            f"{table.source}: column {name!r} is of type {column.dtype}; allowed: numbers, words, true and "
            f"false. Leave it out with data.drop=[{name}]"
        )
    if given == "number":
        _refuse_word(table, name, "data.columns says that it holds numbers", _or_else(name))
    if given is None:
        _check_words(table, name)
    return given or "category"


def _check_words(table: Table, name: str) -> None:
    """Refuse words that were meant for numbers, and those that are no categories."""
    words = table.frame[name].cast(polars.String).drop_nulls()
    numbers = words.str.strip_chars().cast(polars.Float64, strict=False)
    n_numbers = len(numbers) - numbers.null_count()
    thousands = words.str.contains(_THOUSANDS)
    if thousands.any() and n_numbers + thousands.sum() > len(words) / 2:
        row = _first(table.frame[name].cast(polars.String).str.contains(_THOUSANDS))
        raise ConfigError(
            f"{table.source}: {table.place(row, name)} holds {table.frame[name][row]!r}, a number whose thousands are "
            f"set apart; write numbers without that, {_or_else(name)}"
        )
    if n_numbers > len(words) / 2:
        _refuse_word(table, name, f"{n_numbers:,} of {len(words):,} values of the column are numbers", _or_else(name))
    with_comma = words.str.contains(r"^\s*[-+]?\d+,\d+\s*$")
    if with_comma.sum() > len(words) / 2:
        row = _first(table.frame[name].cast(polars.String).str.contains(","))
        raise ConfigError(
            f"{table.source}: {table.place(row, name)} holds {table.frame[name][row]!r}, a number with a decimal "
            "comma; write \"data.decimal=','\", or if the comma sets thousands apart, leave it out in the file"
        )
    n_levels = words.n_unique()
    if n_levels > _MOST_LEVELS:
        raise ConfigError(
            f"{table.source}: column {name!r} holds {n_levels:,} different words in {len(words):,} rows, such as "
            f"{first_words(words.unique(maintain_order=True).to_list(), 3)}: names or texts, no categories. Leave it "
            f"out with data.drop=[{name}], or say that they are with 'data.columns={{{name}: category}}'"
        )


def _or_else(name: str) -> str:
    """What else there is to do about a column."""
    return f"or 'data.columns={{{name}: category}}', or data.drop=[{name}]"


def _refuse_word(table: Table, name: str, why: str, instead: str) -> None:
    """Raise an error that names the first value of a column that is no number."""
    column = table.frame[name].cast(polars.String)
    bad = column.is_not_null() & column.str.strip_chars().cast(polars.Float64, strict=False).is_null()
    if not bad.any():
        return
    row = _first(bad)
    raise ConfigError(
        f"{table.source}: {table.place(row, name)} holds {column[row]!r}, which is no number, but {why}; correct the "
        f"file, {instead}"
    )


def _first(rows: polars.Series) -> int:
    index = rows.arg_true()
    return int(index[0])


def as_words(column: polars.Series) -> polars.Series:
    """A column of any kind as words, without what stands around them; whole numbers without decimals."""
    if column.dtype == polars.Boolean:
        return column.cast(polars.String)
    if column.dtype.is_float():
        whole = column.drop_nulls()
        if len(whole) and (whole == whole.round()).all() and whole.abs().max() < 2**53:  # type: ignore[operator]
            column = column.cast(polars.Int64)
    words = column.cast(polars.String).str.strip_chars()
    return words.set(words == "", None)


def as_numbers(column: polars.Series) -> NDArray[np.float64]:
    """A column of numbers (n,), NaN where one is missing."""
    if not (column.dtype.is_numeric() or column.dtype == polars.Boolean):
        column = column.cast(polars.String).str.strip_chars()
    return column.cast(polars.Float64).to_numpy().astype(np.float64, copy=False)


def read_target(table: Table, name: str, task: TaskName | None, *, is_known: bool = False) -> Target:
    """The column that is predicted, and what kind of prediction that is.

    Words, true and false are classes; so are a few different whole numbers. Any other numbers are a regression.

    Args:
        table: All columns.
        name: Its name.
        task: What it is; None for what its values look like.
        is_known: Whether the classes are those of a run, of which a file may hold few.

    Raises:
        ConfigError: If there is no such column, or it is not what ``task`` says.
    """
    column = need_column(table, name, "data.target")
    is_number = column.dtype.is_numeric()
    if not (is_number or column.dtype in (polars.String, polars.Boolean, polars.Categorical, polars.Enum)):
        raise ConfigError(f"data.target={name} is of type {column.dtype}; allowed: numbers, words, true and false")
    if task == "regression" or (task is None and is_number and not _looks_like_classes(column)):
        if not is_number:
            _refuse_word(table, name, "data.task=regression asks for numbers", "or let data.task be null")
        target = Target(name, "regression", (), as_numbers(column))
        _check_size(target, table)
        return target
    if not is_number and task is None:
        _check_words(table, name)
    if column.dtype.is_float():
        column = column.fill_nan(None)
    elif not (is_number or column.dtype == polars.Boolean):
        column = as_words(column)
    values = column.drop_nulls().unique().sort()
    names = as_words(values).to_list()
    if is_known and task is not None:
        return Target(name, task, tuple(names), _labels(column, values))
    if len(names) < 2:
        raise ConfigError(f"data.target={name} holds {first_words(names) or 'nothing'} only; two classes are the least")
    if task == "binary" and len(names) != 2:
        raise ConfigError(f"data.task=binary, but data.target={name} holds {len(names)} classes: {first_words(names)}")
    if task is None:
        task = "binary" if len(names) == 2 else "multiclass"
    return Target(name, task, tuple(names), _labels(column, values))


def _labels(column: polars.Series, values: polars.Series) -> NDArray[np.int64]:
    labels = column.replace_strict(values, range(len(values)), default=-1, return_dtype=polars.Int64)
    return labels.fill_null(-1).to_numpy().copy()


def _looks_like_classes(column: polars.Series) -> bool:
    values = column.drop_nulls()
    if column.dtype.is_float():
        values = values.drop_nans()
        if not values.is_finite().all() or (values != values.round()).any():
            return False
    return values.n_unique() <= min(_MOST_CLASSES, max(2, len(values) // 5))


def _check_size(target: Target, table: Table) -> None:
    """Refuse numbers to predict that are none in 32 bits."""
    if (large := np.abs(target.values) > np.finfo(np.float32).max).any():
        row = int(np.argmax(large))
        raise ConfigError(
            f"{table.source}: {table.place(row, target.name)} holds {target.values[row]}; numbers to predict are at "
            f"most {np.finfo(np.float32).max:.1e} in size: correct it, or give the column in other units"
        )
