"""What is said of a table that has been read: what was taken for what, and what is seldom meant."""

from collections.abc import Sequence

import numpy as np
import polars

from src.data.table.columns import Target, as_words
from src.data.table.encoding import Encoder
from src.data.table.reading import SKLEARN, Rows, Table, first_words

# Rows that are looked at before all others.
_FEW = 1_000
# So many categories are few, however few rows there are.
_FEW_LEVELS = 10


def said(path: str, target: Target, encoder: Encoder, rows: Sequence[Rows]) -> str:
    """The table in a line: what was taken for what.

    Args:
        path: As it was given.
        target: What is predicted.
        encoder: How columns become features.
        rows: Numbers of the rows of train, val and test.
    """
    n = [len(part) for part in rows]
    if target.task == "regression":
        what = f"{target.name} is a number"
    else:
        counts = np.bincount(target.values, minlength=len(target.classes))
        named = [f"{name} {count:,}" for name, count in zip(target.classes, counts, strict=True)]
        what = f"{target.name} is one of {len(target.classes)} classes ({first_words(named)})"
    columns = encoder.columns
    numbers = [each.name for each in columns if each.kind == "number"]
    words = [f"{each.name} ({len(each.levels)})" for each in columns if each.kind == "category"]
    parts = [
        f"{'numbers' if i == 0 else 'categories'}: {first_words(names, 8)}"
        for i, names in enumerate((numbers, words))
        if names
    ]
    name = path.removeprefix(SKLEARN)
    cut = f"{n[0]:,} to train, {n[1]:,} to validate, {n[2]:,} to test"
    return f"{name}: {sum(n):,} rows, {cut}; {what}; {'; '.join(parts)}"


def doubts(table: Table, target: Target, names: Sequence[str]) -> list[str]:
    """What is allowed, and seldom meant: a column that says nothing, or everything.

    Args:
        table: All rows.
        target: What is predicted.
        names: The columns that go in.
    """
    found = []
    constant = [name for name in names if _is_constant(table.frame[name])]
    if constant:
        shown, many = first_words(constant, 10), len(constant) > 1
        drop = f"data.drop=[{shown.replace(', ', ',')}] leaves {'them' if many else 'it'} out"
        found.append(f"{'columns' if many else 'column'} {shown}: the same in all rows; {drop}")
    telling = [name for name in names if name not in constant and _tells(table.frame[name], target)]
    return found + [
        f"column {name!r} tells data.target={target.name} by itself in every row: is it known before? "
        f"data.drop=[{name}] leaves it out"
        for name in telling
    ]


def rare_words(encoder: Encoder, n_train: int) -> list[str]:
    """Columns with nearly as many categories as rows to train on, which is seldom meant either."""
    return [
        f"column {each.name!r} holds {len(each.levels)} different words in {n_train} rows to train on, such as "
        f"{each.levels[0]!r}: names, dates, or numbers with other signs? Each becomes a feature; "
        f"data.drop=[{each.name}] leaves them out"
        for each in encoder.columns
        if len(each.levels) > max(_FEW_LEVELS, n_train / 2)
    ]


def _is_constant(series: polars.Series) -> bool:
    first = series.first()
    return first is not None and not series.null_count() and bool((series == first).all())


def _tells(series: polars.Series, target: Target) -> bool:
    """Whether a column is the target under other names."""
    if target.task == "regression":
        return series.dtype.is_numeric() and bool(np.array_equal(series.to_numpy(), target.values))
    # most columns show soon that they are not
    if series.head(_FEW).n_unique() > len(target.classes) or series.n_unique() != len(target.classes):
        return False
    pairs = polars.DataFrame({"column": as_words(series), "target": target.values}).unique()
    return pairs.height == len(target.classes)
