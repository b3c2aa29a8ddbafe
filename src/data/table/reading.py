"""A file of columns, read whole: CSV, Parquet, Arrow and NumPy's, and the sets that come with scikit-learn.

Polars reads. What it does not say, which row and which column are wrong, a second look at the lines of the file finds.
"""

import codecs
import csv
import functools
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError, suggest

SKLEARN = "sklearn:"
"""Begins a path that names a set of scikit-learn instead of a file."""

SETS = ("iris", "wine", "breast_cancer", "digits", "diabetes")
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")
"""What stands for a value that is missing, in a CSV file."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SUFFIXES = {
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
# Bytes that tell how a CSV file is written.
_HEAD = 1 << 16
# Bytes of a file that is kept for the next run of a sweep.
SMALL = 1 << 25


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

    def place(self, row: int, column: str) -> str:
        """Words for a value's place: the line of the file, where there are lines."""
        row = row if self.kept is None else int(self.kept[row])
        number = self.first_row + row if self.lines is None else _line_of(row, *self.lines)
        return f"{'line' if self.first_row > 0 else 'row'} {number}, column {column!r}"

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
    kind = _SUFFIXES.get(file.suffix.lower())
    if kind is None:
        raise ConfigError(f"{source}: {file.suffix or 'no ending'} is no known format; allowed: {', '.join(_SUFFIXES)}")
    try:
        if not file.is_file():
            raise ConfigError(f"{source}: {_not_there(file)}")
        state = file.stat()
        read = _read if state.st_size > SMALL else _read_once
        frame = read(file, kind, source, separator, decimal, state.st_mtime_ns)
    except OSError as error:
        raise ConfigError(f"{source} cannot be read: {error.strerror or error}") from error
    except polars.exceptions.PolarsError as error:
        raise ConfigError(f"{source} cannot be read: {_first_line(error)}") from error
    except (ValueError, EOFError) as error:
        raise ConfigError(f"{source} cannot be read: {_first_line(error)}") from error
    if frame.height == 0:
        raise ConfigError(f"{source} holds no rows")
    if kind != "csv":
        return Table(frame, 0, source)
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    separator = separator or _separator(head.decode("utf-8-sig", errors="ignore"), file)
    # the header is line 1
    table = Table(frame, 2, source, lines=(file, separator) if b'"' in head else None)
    if frame.width > 1 and frame[:, 0].null_count():
        blank = _blank(frame, file, separator)
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
        return _read_csv(file, source, separator=separator, decimal=decimal)
    return {"parquet": _read_parquet, "arrow": _read_arrow, "numpy": _read_numpy}[kind](file)


_read_once = functools.lru_cache(maxsize=2)(_read)


def _not_there(file: Path) -> str:
    if file.exists():
        return "it is no file"
    if not file.parent.is_dir():
        return f"there is no directory {file.parent}"
    return f"there is no such file; {suggest(file.name, [each.name for each in sorted(file.parent.iterdir())])}"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _read_parquet(file: Path) -> polars.DataFrame:
    return polars.read_parquet(file, memory_map=False)


def _read_arrow(file: Path) -> polars.DataFrame:
    return polars.read_ipc(file)


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
                    f"np.array(..., dtype=str) ({_first_line(error)})"
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


# CSV


def _read_csv(file: Path, source: str, *, separator: str | None, decimal: str) -> polars.DataFrame:
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(f"{source}: it is encoded in UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise ConfigError(f"{source}: it is no text; a CSV file in UTF-8 is asked for")
    _check_encoding(file, source)
    text = head.decode("utf-8-sig", errors="ignore")
    if not text.strip():
        raise ConfigError(f"{source} is empty")
    if "\r" in text and "\n" not in text:
        raise ConfigError(
            f"{source}: its lines end with a carriage return alone; save it with the line ends \\n or \\r\\n"
        )
    separator = separator or _separator(text, file)
    _check_header(text, source, separator)
    try:
        frame = polars.read_csv(
            file,
            separator=separator,
            decimal_comma=decimal == ",",
            null_values=list(MISSING),
            infer_schema_length=None,
        )
    except polars.exceptions.PolarsError as error:
        raise ConfigError(f"{source}: {_ragged(file, separator) or _first_line(error)}") from error
    # Polars takes a line that ends too early for one that lacks values
    if frame.height and frame[:, -1].null_count() and (ragged := _ragged(file, separator)):
        raise ConfigError(f"{source}: {ragged}")
    return frame.rename(str.strip).with_columns(
        _without_spaces(each, decimal) for each in frame.rename(str.strip) if each.dtype == polars.String
    )


def _without_spaces(words: polars.Series, decimal: str) -> polars.Series:
    """A column whose values have spaces around them as one that has none."""
    if not words.str.contains(r"^\s|\s$").any():
        return words
    words = words.str.strip_chars()
    words = words.set(words.is_in(MISSING), None)
    if words.null_count() == len(words):
        return words
    lower = words.str.to_lowercase()
    if lower.drop_nulls().is_in(["true", "false"]).all():
        return lower == "true"
    digits = words.str.replace(",", ".", literal=True) if decimal == "," else words
    for dtype in (polars.Int64, polars.Float64):
        numbers = digits.cast(dtype, strict=False)
        if numbers.null_count() == words.null_count():
            return numbers
    return words


def _check_encoding(file: Path, source: str) -> None:
    """Refuse what is no UTF-8, naming the line."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    n_lines = 1
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                line = n_lines + error.object[: error.start].count(b"\n")
                found = f"byte 0x{error.object[error.start]:02x}"
                raise ConfigError(f"{source}: line {line} is not in UTF-8 ({found}); save the file as UTF-8") from None
            n_lines += block.count(b"\n")


def _separator(text: str, file: Path) -> str:
    """What the header holds most of."""
    header = (re.sub(r'"[^"]*"', "", text).splitlines() or [""])[0]
    counts = Counter({each: header.count(each) for each in SEPARATORS})
    if not any(counts.values()):
        return "\t" if file.suffix == ".tsv" else ","
    return max(SEPARATORS, key=lambda each: counts[each])


def _check_header(text: str, source: str, separator: str) -> None:
    names = [name.strip() for name in next(csv.reader(text.splitlines(), delimiter=separator), [])]
    if names and all(_is_number(name) for name in names):
        raise ConfigError(
            f"{source} has no header: line 1 holds {', '.join(names[:4])}; write the names of the columns there"
        )
    for i, name in enumerate(names):
        if not name:
            index = "; an index that a program has written is left out with to_csv(index=False)" if i == 0 else ""
            raise ConfigError(f"{source}: column {i + 1} of the header, line 1, has no name; write one{index}")
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        places = [i + 1 for i, name in enumerate(names) if name == twice[0]]
        raise ConfigError(
            f"{source}: the header, line 1, names column {twice[0]!r} more than once: columns "
            f"{', '.join(map(str, places))}"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ragged(file: Path, separator: str) -> str | None:
    """The first line whose number of values is not that of the header."""
    n, first = None, ""
    for line, values in _lines(file, separator):
        if n is None:
            n, first = len(values), values[0] if values else ""
        elif values and len(values) != n:
            said = f"line {line} holds {len(values)} values, and the header names {n} columns"
            comment = next((at for at, each in ((1, first), (line, values[0])) if each.lstrip().startswith("#")), None)
            return said if comment is None else f"{said}; line {comment} looks like a comment: take it out"
    return None


def _blank(frame: polars.DataFrame, file: Path, separator: str) -> NDArray[np.bool_]:
    """Which rows (n,) are lines with nothing in them, such as one at the end."""
    blank = frame.select(polars.all_horizontal(polars.all().is_null())).to_series().to_numpy().copy()
    if blank.any():
        for row, (_, values) in enumerate(islice(_lines(file, separator), 1, None)):
            if blank[row] and any(map(str.strip, values)):
                blank[row] = False
    return blank


def _line_of(row: int, file: Path, separator: str) -> int:
    """The line on which a row begins, where a value in quotes may hold line ends."""
    ends = [line for line, _ in islice(_lines(file, separator), row + 1)]
    return ends[-1] + 1


def _lines(file: Path, separator: str) -> Iterator[tuple[int, Sequence[str]]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        reader = csv.reader(opened, delimiter=separator)
        for values in reader:
            yield reader.line_num, values


def first_words(values: Sequence[Any], most: int = 5) -> str:
    """The first few of many values."""
    shown = [str(each) for each in islice(values, most)]
    return ", ".join(shown) + (", ..." if len(values) > most else "")
