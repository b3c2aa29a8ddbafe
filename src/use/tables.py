"""New rows from a file, some at a time: CSV, Parquet, Arrow, and NumPy's .npz and .npy, none of it whole in memory."""

import codecs
import csv
import glob
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError
from src.data.table.csv_files import HEAD, PIECE, check_header, first_line, separator_of, text_of
from src.data.table.reading import SUFFIXES, Table, not_there

FORMATS: Mapping[str, str] = {
    **SUFFIXES,
    ".npy": "array",
}
"""Formats by a file's ending."""

# Values that are in memory at a time of a file whose rows are numbered, and the most rows.
_VALUES, _MOST_ROWS = 1 << 22, 1 << 18
# Begins a file of Arrow's.
_ARROW = b"ARROW1"
# Bytes without an end of a row, after which a quote has not been closed.
_LONGEST = 1 << 27


class Chunk(NamedTuple):
    """Some rows of a file.

    Attributes:
        table: Them; words as they stand there.
        ragged: Lines with another number of values than the header has names, and what is said of them.
        done: How far the file has been read, of its ``total``.
    """

    table: Table
    ragged: list[tuple[int, str]]
    done: int


@dataclass(frozen=True)
class Source:
    """A file that is read some rows at a time.

    Attributes:
        names: Its columns.
        total: Bytes or rows, by which progress is told.
        is_text: Whether all values are words.
        source: What it is called in messages.
        chunks: Its rows.
    """

    names: tuple[str, ...]
    total: int
    is_text: bool
    source: str
    chunks: Iterator[Chunk]


def ending_of(path: Path, key: str) -> str:
    """Format of a file, by its ending.

    Raises:
        ConfigError: If it is none that is read and written.
    """
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ConfigError(
            f"{key}={path}: {path.suffix or 'no ending'} is no known format; allowed: {', '.join(FORMATS)}"
        )
    return kind


def opened_rows(path: Path, columns: Sequence[str], *, separator: str | None = None) -> Source:
    """Begin to read a file.

    Args:
        path: The file.
        columns: Names of the columns of an array that has none.
        separator: What stands between the values of a CSV file; None for what its header holds most of.

    Raises:
        ConfigError: If it cannot be read; so may its chunks.
    """
    source, kind = f"input={path}", ending_of(path, "input")
    try:
        if not path.is_file():
            raise ConfigError(f"{source}: {not_there(path)}")
        found = (
            _csv(path, source, separator)
            if kind == "csv"
            else _scanned(path, source, kind)
            if kind in ("parquet", "arrow")
            else _npz(path, source)
            if kind == "numpy"
            else _npy(path, source, columns)
        )
    except Exception as error:
        raise _unread(source, error) from error
    return Source(found.names, found.total, found.is_text, source, _told(found))


def _told(source: Source) -> Iterator[Chunk]:
    try:
        yield from source.chunks
    except Exception as error:
        raise _unread(source.source, error) from error


def _unread(source: str, error: Exception) -> Exception:
    if isinstance(error, OSError):
        return ConfigError(f"{source} cannot be read: {error.strerror or error}")
    if isinstance(error, polars.exceptions.PolarsError | ValueError | EOFError | csv.Error | zipfile.BadZipFile):
        return ConfigError(f"{source} cannot be read: {first_line(error)}")
    return error


# CSV


def _csv(path: Path, source: str, separator: str | None) -> Source:
    with path.open("rb") as opened:
        head = opened.read(HEAD)
    text = text_of(head, source)
    separator = separator or separator_of(text, path)
    names = check_header(text, source, separator)
    header = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    next(header)
    chunks = _csv_chunks(path, source, names, separator, header.line_num)
    return Source(tuple(names), path.stat().st_size, is_text=True, source=source, chunks=chunks)


def _csv_chunks(path: Path, source: str, names: Sequence[str], separator: str, n_header: int) -> Iterator[Chunk]:
    with path.open("rb") as file:
        if head := [file.readline() for _ in range(n_header)]:
            _decoded(head[0].removeprefix(codecs.BOM_UTF8), source, 1)
        line, rest = n_header + 1, b""
        while True:
            block = file.read(PIECE)
            text, rest = _whole_rows(rest + block) if block else (rest, b"")
            if len(rest) > _LONGEST:
                raise ConfigError(f"{source}: a quote that opens in line {line} or later is not closed")
            if text:
                yield _csv_chunk(text, source, names, separator, line, done=file.tell())
                line += text.count(b"\n")
            if not block:
                return


def _whole_rows(data: bytes) -> tuple[bytes, bytes]:
    """Rows up to the last line end that no quotes surround, and what comes after it."""
    end = data.rfind(b"\n") + 1
    n_quotes = data.count(b'"', 0, end)
    while end and n_quotes % 2:
        before = data.rfind(b"\n", 0, end - 1) + 1
        n_quotes -= data.count(b'"', before, end)
        end = before
    return data[:end], data[end:]


def _csv_chunk(data: bytes, source: str, names: Sequence[str], separator: str, first: int, *, done: int) -> Chunk:
    text = _decoded(data, source, first)
    if b'"' in data:
        rows, lines = _quoted(text, source, separator, first)
        ragged = [(line, len(row)) for row, line in zip(rows, lines, strict=True) if len(row) != len(names)]
        whole = [row for row in rows if len(row) == len(names)]
        places = np.array([n for row, n in zip(rows, lines, strict=True) if len(row) == len(names)], np.int64)
        columns = list(zip(*whole, strict=True)) if whole else [()] * len(names)
        frame = polars.DataFrame(
            [polars.Series(name, column, dtype=polars.String) for name, column in zip(names, columns, strict=True)]
        )
    else:
        data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
        data = data if data.endswith(b"\n") else data + b"\n"
        counts, empty = _counted(data, separator)
        ragged = [(first + int(i), int(counts[i])) for i in np.flatnonzero((counts != len(names)) & ~empty)]
        good = (counts == len(names)) & ~empty
        places = first + np.flatnonzero(good)
        if not good.all():
            lines_of = data.split(b"\n")
            data = b"".join(lines_of[i] + b"\n" for i in np.flatnonzero(good))
        schema = dict.fromkeys(names, polars.String)
        given: dict[str, Any] = {"separator": separator, "has_header": False, "schema": schema, "quote_char": None}
        frame = polars.read_csv(data, **given) if len(places) else polars.DataFrame(schema=schema)
        frame = frame.with_columns(polars.all().fill_null(""))
    said = [(line, f"line {line} holds {n} values, and the header names {len(names)} columns") for line, n in ragged]
    # the line of row 0 is 1
    return Chunk(Table(frame, 1, source, kept=places - 1), said, done)


def _decoded(data: bytes, source: str, first: int) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = first + data[: error.start].count(b"\n")
        found = f"byte 0x{data[error.start]:02x}"
        raise ConfigError(f"{source}: line {line} is not in UTF-8 ({found}); save the file as UTF-8") from None


def _counted(data: bytes, separator: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Number of values of each line (n,), and which of them (n,) hold nothing."""
    letters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(letters == ord("\n"))
    before = np.searchsorted(np.flatnonzero(letters == ord(separator)), ends)
    lengths = np.diff(ends, prepend=-1) - 1
    return np.diff(before, prepend=0) + 1, lengths == 0


def _quoted(text: str, source: str, separator: str, first: int) -> tuple[list[list[str]], list[int]]:
    """Values of each row, and the line on which it begins; without rows that hold nothing."""
    rows, lines, start = [], [], 0
    # strictly: a quote that is not closed would take all rows below it for one value
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(first + start)
            start = reader.line_num
    except csv.Error as error:
        is_open = any(words in str(error) for words in ("end of data", "field limit"))
        why = "a quote is not closed" if is_open else str(error)
        raise ConfigError(f"{source}: the row that begins in line {first + start} cannot be read: {why}") from error
    return rows, lines


# Files whose rows are numbered


def _rows_at_once(n_columns: int) -> int:
    return max(1, min(_MOST_ROWS, _VALUES // max(1, n_columns)))


def _chunk(frame: polars.DataFrame, start: int, source: str) -> Chunk:
    places = np.arange(start, start + frame.height)
    return Chunk(Table(frame, 0, source, kept=places), [], start + frame.height)


def _scanned(path: Path, source: str, kind: str) -> Source:
    if kind == "arrow":
        with path.open("rb") as file:
            if file.read(len(_ARROW)) != _ARROW:
                raise ValueError("it is no Arrow file, as write_ipc and write_feather make them; a stream is none")
    scan = scanned([path], kind)
    names = scan.collect_schema().names()
    total = int(scan.select(polars.len()).collect().item())

    def chunks() -> Iterator[Chunk]:
        at_once = _rows_at_once(len(names))
        for start in range(0, total, at_once):
            yield _chunk(scan.slice(start, at_once).collect(), start, source)

    return Source(tuple(names), total, is_text=False, source=source, chunks=chunks())


def scanned(paths: Sequence[Path], kind: str) -> polars.LazyFrame:
    """Files of one kind one after another, whose names mean themselves.

    Args:
        paths: The files.
        kind: ``parquet`` or ``arrow``.
    """
    if kind == "parquet":
        return polars.scan_parquet(list(paths), glob=False)
    return polars.scan_ipc([Path(glob.escape(str(path))) for path in paths])


def _npy(path: Path, source: str, columns: Sequence[str]) -> Source:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim == 1 and len(columns) == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != len(columns):
        raise ConfigError(
            f"{source} has the shape {array.shape}; allowed: (n, {len(columns)}), the columns {', '.join(columns)}"
        )

    def chunks() -> Iterator[Chunk]:
        at_once = _rows_at_once(len(columns))
        for start in range(0, len(array), at_once):
            rows = array[start : start + at_once].T
            found = [_column(name, row) for name, row in zip(columns, rows, strict=True)]
            yield _chunk(polars.DataFrame(found), start, source)

    return Source(tuple(columns), len(array), is_text=False, source=source, chunks=chunks())


@dataclass(frozen=True)
class _Array:
    """An array of an .npz file, by the beginning of its member."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_fortran: bool

    @property
    def columns(self) -> list[str]:
        """(n,) is a column, (n, c) are c of them, ``name_0`` and so on."""
        return [self.name] if len(self.shape) == 1 else [f"{self.name}_{i}" for i in range(self.shape[1])]


def _npz(path: Path, source: str) -> Source:
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no .npz file, as np.savez writes")
    with zipfile.ZipFile(path) as archive:
        arrays = [_array(archive, member) for member in archive.namelist()]
    lengths = {array.name: array.shape[0] for array in arrays}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"its arrays differ in length: {', '.join(f'{k} {n:,}' for k, n in lengths.items())}")
    names = [name for array in arrays for name in array.columns]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two of its arrays give a column {twice!r}; rename one")
    total = arrays[0].shape[0] if arrays else 0
    return Source(
        tuple(names), total, is_text=False, source=source, chunks=_npz_chunks(path, source, arrays, total, len(names))
    )


def _array(archive: zipfile.ZipFile, member: str) -> _Array:
    with archive.open(member) as file:
        shape, is_fortran, dtype = _header(file)
    name = member.removesuffix(".npy")
    if dtype.hasobject:
        raise ValueError(f"array {name!r} holds Python objects, which are not opened; save it as numbers or words")
    if len(shape) not in (1, 2):
        raise ValueError(f"array {name!r} has the shape {shape}; allowed: (n,) or (n, c)")
    return _Array(name, shape, dtype, is_fortran and len(shape) == 2)


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = read(file)
    return tuple(shape), bool(is_fortran), dtype


def _npz_chunks(path: Path, source: str, arrays: Sequence[_Array], total: int, n_columns: int) -> Iterator[Chunk]:
    at_once = _rows_at_once(n_columns)
    with ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path))
        readers = [_pieces(archive, array, at_once) for array in arrays]
        for start, pieces in zip(range(0, total, at_once), zip(*readers, strict=True), strict=True):
            columns = [
                _column(name, column)
                for array, piece in zip(arrays, pieces, strict=True)
                for name, column in zip(array.columns, piece.T if piece.ndim == 2 else [piece], strict=True)
            ]
            yield _chunk(polars.DataFrame(columns), start, source)


def _column(name: str, values: NDArray[Any]) -> polars.Series:
    """An array (n,) as a column.

    Raises:
        ValueError: If it holds what no table does.
    """
    kind = values.dtype.kind
    if kind in "mM":
        values = values.astype(f"{'datetime' if kind == 'M' else 'timedelta'}64[us]")
    elif kind == "S":
        with suppress(UnicodeDecodeError):
            values = np.char.decode(values, "utf-8")
    elif kind == "f" and values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    elif kind not in "biufU":
        raise ValueError(f"array {name!r} is of type {values.dtype}; allowed: numbers, words and times")
    # in the order of bytes of this machine
    return polars.Series(name, np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")))


def _pieces(archive: zipfile.ZipFile, array: _Array, at_once: int) -> Iterator[NDArray[Any]]:
    """Some rows of an array after others; one that lies in columns is read whole."""
    with archive.open(f"{array.name}.npy") as file:
        _header(file)
        if array.is_fortran:
            whole = np.frombuffer(file.read(), array.dtype).reshape(array.shape, order="F")
            yield from (whole[start : start + at_once] for start in range(0, array.shape[0], at_once))
            return
        width = array.dtype.itemsize * int(np.prod(array.shape[1:]))
        for start in range(0, array.shape[0], at_once):
            n = min(at_once, array.shape[0] - start)
            data = file.read(n * width)
            if len(data) < n * width:
                raise EOFError(f"array {array.name!r} ends before its last row")
            yield np.frombuffer(data, array.dtype).reshape((n, *array.shape[1:]))
