"""What a model says of the rows of a file, into another one: read, encoded, predicted and written some at a time."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from src.config.errors import ConfigError
from src.console.terminal import open_terminal
from src.data.table.reading import first_words
from src.use.columns import NAMED, Looked
from src.use.model import Model, Predicted
from src.use.tables import Chunk, Source, ending_of, opened_rows
from src.use.writing import written_rows

log = logging.getLogger(__name__)

BadRows = Literal["stop", "skip"]


@dataclass
class Told:
    """What has become of the rows of a file.

    Attributes:
        n_rows: Rows that were written.
        n_bad: Rows that were left out.
        first_bad: What is wrong with the first of these.
        new: Per column the number of rows whose category was not learnt, and the first of these.
    """

    n_rows: int = 0
    n_bad: int = 0
    first_bad: list[str] = field(default_factory=list)
    new: Counter[str] = field(default_factory=Counter)
    first_new: dict[str, str] = field(default_factory=dict)


def predict_file(
    model: Model,
    *,
    given: Path,
    output: Path,
    bad_rows: BadRows = "stop",
    separator: str | None = None,
    decimal: str = ".",
) -> Told:
    """Write a file's rows with what the model says of them; memory does not grow with their number.

    Args:
        model: What predicts.
        given: File of rows; columns by name, or of .npy in order.
        output: File that is written; it is there once it is whole.
        bad_rows: What is done about rows that cannot be used: ``stop`` with an error, or ``skip`` them.
        separator: What stands between the values of a CSV file; None for what its header holds most of.
        decimal: What stands before the decimals of numbers in it.

    Raises:
        ConfigError: If a file cannot be read or written, lacks a column, or holds a row that cannot be used.
    """
    kind = ending_of(output, "output")
    source = opened_rows(given, model.columns.names, separator=separator)
    if output.exists() and output.samefile(given):
        raise ConfigError(f"output={output} is the input itself; give another file")
    model.columns.check_names(source.names, source.source)
    if kind != "array":
        _check_free(model, source)
    told = Told()
    with written_rows(output) as writer, _bar(source.total) as bar:
        for chunk in source.chunks:
            looked, whole = _whole_rows(model, source, chunk, told, bad_rows=bad_rows, decimal=decimal)
            predicted = model.predict(looked.table)
            lost: NDArray[np.bool_] = np.logical_not(np.isfinite(predicted.values).all(axis=1))
            if lost.any():
                _refuse_lost(looked, lost, told, bad_rows=bad_rows)
                predicted, looked, whole = predicted.only(~lost), looked.only(~lost), whole.filter(polars.Series(~lost))
            columns = predicted_columns(model, predicted)
            carried = _with_holes(whole) if kind == "csv" and source.is_text else whole
            if kind != "csv" and source.is_text:
                # of further columns only the whole file tells whether they are numbers
                carried = whole.with_columns(each for each in looked.table.frame if each.dtype == polars.Float64)
            writer.add(carried.hstack(columns), _narrow(model, predicted.values))
            told.n_rows += whole.height
            bar(chunk.done)
        if not told.n_rows:
            n = f"; each of its {told.n_bad:,} rows is left out: {told.first_bad[0]}" if told.n_bad else ""
            raise ConfigError(f"{source.source} holds no rows to predict{n}")
    _tell(source, told)
    return told


def _whole_rows(
    model: Model, source: Source, chunk: Chunk, told: Told, *, bad_rows: BadRows, decimal: str
) -> tuple[Looked, polars.DataFrame]:
    """The rows that can be used, looked at, and as they stand in the file."""
    table = chunk.table
    looked = model.columns.look(table, decimal=decimal, is_text=source.is_text)
    if chunk.ragged or looked.bad.any():
        places = np.arange(table.frame.height) if table.kept is None else table.kept
        # by the place in the file
        wrong = [(line - table.first_row, text) for line, text in chunk.ragged]
        wrong += [(int(places[problem.row]), problem.text) for problem in looked.problems]
        # the first of what is wrong with a row
        wrong = sorted(dict(sorted(wrong, reverse=True)).items())
        n = len(chunk.ragged) + int(looked.bad.sum())
        if bad_rows == "stop":
            more = f"; {n - 1:,} more of those read so far cannot be used either" if n > 1 else ""
            raise ConfigError(
                f"{source.source}: {wrong[0][1]}{more}. Nothing is written; bad_rows=skip leaves such rows out"
            )
        told.n_bad += n
        told.first_bad += [text for _, text in wrong[: NAMED - len(told.first_bad)]]
        whole = table.only(~looked.bad)
        looked = model.columns.look(whole, decimal=decimal, is_text=source.is_text)
        table = whole
    for name, (n, word) in looked.new.items():
        told.new[name] += n
        told.first_new.setdefault(name, word)
    return looked, table.frame


def _with_holes(words: polars.DataFrame) -> polars.DataFrame:
    """Words of a CSV file, of which the empty ones are written as they stood there, without quotes."""
    return words.with_columns(polars.when(polars.all() != "").then(polars.all()))


def _refuse_lost(looked: Looked, lost: NDArray[np.bool_], told: Told, *, bad_rows: BadRows) -> None:
    """Refuse, or count, rows of which the network says no number: they lie too far from what it has learnt."""
    table, n = looked.table, int(lost.sum())
    place = table.place(int(np.argmax(lost)), table.frame.columns[0]).partition(", column")[0]
    text = f"{place} lies so far from what the network has learnt that it gives no number"
    if bad_rows == "stop":
        raise ConfigError(f"{table.source}: {text}. Nothing is written; bad_rows=skip leaves such rows out")
    told.n_bad += n
    told.first_bad += [text][: NAMED - len(told.first_bad)]


def _check_free(model: Model, source: Source) -> None:
    """Refuse rows with columns of the names that are added."""
    added = output_names(model)
    if both := [name for name in source.names if name in added]:
        raise ConfigError(
            f"{source.source} has a column {both[0]!r} itself, which is the name of one that is added "
            f"({first_words(added, 20)}); rename it in the file, or leave it out"
        )


def output_names(model: Model) -> list[str]:
    """Names of the columns that are added to rows."""
    names = list(model.spec.class_names)
    if model.kind == "classes":
        return ["label", *(f"p_{name}" for name in names), *(["spread"] if model.is_ensemble else [])]
    if model.kind == "outputs":
        # how many there are only a call tells
        return ["output", *(f"output_{i}" for i in range(len(names)))]
    values = ["value"] if len(names) == 1 else [f"value_{name}" for name in names]
    spreads = ["spread"] if len(names) == 1 else [f"spread_{name}" for name in names]
    return [*values, *(spreads if model.is_ensemble else [])]


def predicted_columns(model: Model, predicted: Predicted) -> polars.DataFrame:
    """What the model says of rows, as columns."""
    values = _narrow(model, predicted.values)
    if model.kind == "outputs":
        n = values.shape[1]
        return polars.DataFrame({"output" if n == 1 else f"output_{i}": values[:, i].copy() for i in range(n)})
    columns = [values[:, i].copy() for i in range(values.shape[1])]
    if predicted.spread is not None:
        spread = _narrow(model, predicted.spread)
        columns += [spread[:, i].copy() for i in range(spread.shape[1])]
    named = output_names(model)
    if predicted.labels is None:
        return polars.DataFrame(dict(zip(named, columns, strict=True)))
    labels = polars.Series("label", predicted.labels).replace_strict(
        range(len(model.spec.class_names)), list(model.spec.class_names), return_dtype=polars.String
    )
    return polars.DataFrame([labels, *(polars.Series(n, c) for n, c in zip(named[1:], columns, strict=True))])


def _narrow(model: Model, values: NDArray[np.float64]) -> NDArray[Any]:
    """Without digits that the network does not know."""
    return values if model.is_double else values.astype(np.float32)


def _tell(source: Source, told: Told) -> None:
    for name, n in told.new.items():
        log.warning(
            "%s: column %r holds categories that training did not have (rows: %s), such as %r; they are none of "
            "the others",
            *(source.source, name, f"{n:,}", told.first_new[name]),
        )
    if told.n_bad:
        more = "; ..." if told.n_bad > len(told.first_bad) else ""
        log.warning("%s: %s rows are left out: %s%s", source.source, f"{told.n_bad:,}", "; ".join(told.first_bad), more)


class _Advance:
    """Tells how far the file has been read."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._task = None if progress is None else progress.add_task("rows", total=max(1, total))

    def __call__(self, done: int) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)


@contextmanager
def _bar(total: int) -> Iterator[_Advance]:
    """A bar of progress on a terminal, and nothing anywhere else."""
    console = open_terminal()
    if not console.is_terminal:
        yield _Advance(None, total)
        return
    columns = (TextColumn("predict"), BarColumn(bar_width=None), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        yield _Advance(progress, total)
