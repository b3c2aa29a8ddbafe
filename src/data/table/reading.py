"""A file of columns, read whole: CSV, Parquet, Arrow and NumPy's, and the sets that come with scikit-learn.

Polars reads. What it does not say, which row and which column are wrong, a second look at the lines of the file finds.
"""

import functools
import glob
import hashlib
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError, suggest
from src.data.table.csv_files import HEAD, blank_rows, first_line, line_of, read_csv, separator_of

SKLEARN = "sklearn:"
"""Begins a path that names a set of scikit-learn instead of a file."""

SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes")
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".npz": "numpy",
}
"""Formats by a file's ending."""
# Bytes of a file that is kept for the next run of a sweep.
SMALL = 1 << 25
# Bytes that are looked at together.
_PIECE = 1 << 20


# Numbers of rows (n,).
Rows: TypeAlias = NDArray[np.int64]


class Table(NamedTuple):
    """Columns of a file.

    Attributes:
        frame: Them.
        first_row: Number of the line, or row, of the first of them, as an editor or a program would count.
        source: What they were read from, for messages: ``data.path=points.csv``.
        kept: Which rows of the file these are (n,); None for all.
        lines: File and separator, where a value may reach over several lines; None where a row is a line.
    """

    frame: polars.DataFrame
    first_row: int
    source: str
    kept: NDArray[np.int64] | None = None
    lines: tuple[Path, str] | None = None

    def place(self, row: int, column: str | None = None) -> str:
        """Words for the place of a value, or a row: the line of the file, where there are lines."""
        row = row if self.kept is None else int(self.kept[row])
        number = self.first_row + row if self.lines is None else line_of(row, *self.lines)
        line = f"{'line' if self.first_row > 0 else 'row'} {number}"
        return line if column is None else f"{line}, column {column!r}"

    def only(self, rows: NDArray[np.bool_]) -> "Table":
        """Some rows (n,), which keep their places."""
        kept = np.flatnonzero(rows) if self.kept is None else self.kept[rows]
        return self._replace(frame=self.frame.filter(polars.Series(rows)), kept=kept)


def read_table(path: str, *, key: str = "data.path", separator: str | None = None, decimal: str = ".") -> Table:
    """Read a file whole.

    Args:
        path: The file, or ``sklearn:`` and the name of a set.
        key: Configuration key of the path, for messages.
        separator: What stands between the values of a CSV file; None for what its header holds most of.
        decimal: What stands before the decimals of a CSV file's numbers.

    Raises:
        ConfigError: If it cannot be read; names file, line and column.
    """
    source = f"{key}={path}"
    if path.startswith(SKLEARN):
        return Table(_sklearn_set(path.removeprefix(SKLEARN), key), 0, source)
    file = Path(path).expanduser()
    kind = SUFFIXES.get(file.suffix.lower())
    if kind is None:
        raise ConfigError(f"{source}: {file.suffix or 'no ending'} is no known format; allowed: {', '.join(SUFFIXES)}")
    try:
        if not file.is_file():
            raise ConfigError(f"{source}: {not_there(file)}")
        state = file.stat()
        read = _read if state.st_size > SMALL else _read_once
        frame = read(file, kind, source, separator, decimal, state.st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror or error}") from error
    except polars.exceptions.PolarsError as error:
        raise ConfigError(f"{source} cannot be read: {first_line(error)}") from error
    except (ValueError, EOFError) as error:
        raise ConfigError(f"{source} cannot be read: {first_line(error)}") from error
    if frame.height == 0:
        raise ConfigError(f"{source} holds no rows")
    if kind != "csv":
        return Table(frame, 0, source)
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    separator = separator or separator_of(head.decode("utf-8-sig", errors="ignore"), file)
    # the header is line 1
    table = Table(frame, 2, source, lines=(file, separator) if b'"' in head else None)
    if frame.width > 1 and frame[:, 0].null_count():
        blank = blank_rows(frame, file, separator)
        table = table.only(~blank) if blank.any() else table
    if table.frame.height == 0:
        raise ConfigError(f"{source} holds no rows")
    return table


def _read(
    file: Path,
    kind: str,
    source: str,
    separator: str | None,
    decimal: str,
    mtime_ns: int,  # noqa: ARG001 - which state of the file was read
) -> polars.DataFrame:
    if kind == "csv":
        return read_csv(file, source, separator=separator, decimal=decimal)
    return {"parquet": _read_parquet, "arrow": _read_arrow, "numpy": _read_numpy}[kind](file)


_read_once = functools.lru_cache(maxsize=2)(_read)


def digest_of(path: str) -> str | None:
    """SHA-256 of a table's file; None of a set that comes with scikit-learn.

    Raises:
        ConfigError: If it cannot be read.
    """
    if path.startswith(SKLEARN):
        return None
    file = Path(path).expanduser()
    try:
        state = file.stat()
        return _digest_once(file, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"data.path={path} cannot be read: {error.strerror or error}") from error


@functools.lru_cache(maxsize=2)
def _digest_once(file: Path, size: int, mtime_ns: int) -> str:  # noqa: ARG001 - which state of the file was read
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while piece := opened.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def not_there(file: Path) -> str:
    """Why a path is no file, and the nearest one that is."""
    if file.exists():
        return "it is no file"
    if not file.parent.is_dir():
        return f"there is no directory {file.parent}"
    return f"there is no such file; {suggest(file.name, [each.name for each in sorted(file.parent.iterdir())])}"


def _read_parquet(file: Path) -> polars.DataFrame:
    return polars.read_parquet(file, memory_map=False, glob=False)


def _read_arrow(file: Path) -> polars.DataFrame:
    # the letters of a path mean themselves
    return polars.read_ipc(Path(glob.escape(str(file))))


def _read_numpy(file: Path) -> polars.DataFrame:
    """Arrays by name: (n,) is a column, (n, c) are c of them, ``name_0`` and so on."""
    columns: dict[str, Any] = {}
    if not zipfile.is_zipfile(file):
        raise ValueError("it is no .npz file, as np.savez writes")
    with np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            try:
                array = arrays[name]
            except ValueError as error:
                raise ValueError(
                    f"array {name!r} holds Python objects, which are not opened; save it as numbers or words, such as "
                    f"np.array(..., dtype=str) ({first_line(error)})"
                ) from error
            if array.ndim not in (1, 2):
                raise ValueError(f"array {name!r} has the shape {array.shape}; allowed: (n,) or (n, c)")
            many = {name: array} if array.ndim == 1 else {f"{name}_{i}": array[:, i] for i in range(array.shape[1])}
            if twice := columns.keys() & many.keys():
                raise ValueError(f"two of its arrays give a column {min(twice)!r}; rename array {name!r}")
            columns |= many
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"its arrays differ in length: {', '.join(f'{k} {n:,}' for k, n in lengths.items())}")
    return polars.DataFrame({name: np.ascontiguousarray(column) for name, column in columns.items()})


@functools.lru_cache(maxsize=2)
def _sklearn_set(name: str, key: str) -> polars.DataFrame:
    if name not in SETS:
        raise ConfigError(f"{key}={SKLEARN}{name}: {suggest(name, SETS)}; allowed: {', '.join(SETS)}")
    from sklearn import datasets

    found = getattr(datasets, f"load_{name}")()
    columns = {str(each): found.data[:, i] for i, each in enumerate(found.feature_names)}
    target = found.target
    if name != "diabetes":
        target = np.array([str(each) for each in found.target_names])[found.target]
    return polars.DataFrame({**columns, "target": target})


def first_words(values: Sequence[Any], most: int = 5) -> str:
    """The first few of many values."""
    shown = [str(each) for each in islice(values, most)]
    return ", ".join(shown) + (", ..." if len(values) > most else "")
