"""Values that a table lacks: rows that may not stay, or an error that counts what is missing in each column."""

import logging
from collections.abc import Sequence

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError
from src.data.table.encoding import Missing
from src.data.table.reading import Table

log = logging.getLogger(__name__)


def without_missing(table: Table, names: Sequence[str], needed: Sequence[str], missing: Missing) -> Table:
    """The table without rows that may not stay, or an error that counts what is missing in each column.

    Args:
        table: All rows.
        names: Columns that go in.
        needed: Columns for whose values nothing stands in: the target, and what decides which rows test.
        missing: What is done about the others.

    Raises:
        ConfigError: If values are missing and may not, with their number in each column and the first place.
    """
    frame = table.frame
    holes = {name: is_missing(frame[name]) for name in [*names, *needed]}
    counts = {name: int(each.sum()) for name, each in holes.items()}
    if not any(counts.values()):
        return table
    if missing == "drop":
        whole = ~np.logical_or.reduce(list(holes.values()))
        if not whole.any():
            raise ConfigError(f"data.missing=drop leaves no row of {table.source}: each lacks a value")
        log.info("%s: %s rows lack a value, and are left out", table.source, f"{int((~whole).sum()):,}")
        return table.only(whole)
    lost = {name: counts[name] for name in needed} if missing != "error" else counts
    said = [
        f"{name!r} {n:,} of {frame.height:,} (the first in {table.place(int(np.argmax(holes[name])), name)})"
        for name, n in lost.items()
        if n
    ]
    if not said:
        return table
    is_needed = any(counts[name] for name in needed)
    instead = "drop" if missing != "error" or is_needed else "mean, median, drop or indicator"
    raise ConfigError(f"{table.source}: values are missing: {'; '.join(said)}. Choose data.missing={instead}")


def is_missing(column: polars.Series) -> NDArray[np.bool_]:
    """Which values (n,) of a column there are not."""
    if column.dtype.is_integer() and not column.null_count():
        return np.zeros(len(column), np.bool_)
    empty = column.is_null()
    if column.dtype.is_float():
        empty = empty | column.is_nan()
    elif column.dtype == polars.String:
        empty = empty | (column.str.strip_chars() == "")
    return empty.fill_null(value=True).to_numpy()
