"""CSV files: Polars reads them, and a second look at their lines finds the row and the column that are wrong."""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?")
"""What stands for a value that is missing, in a CSV file."""

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

# Bytes that tell how a CSV file is written.
HEAD = 1 << 16
# Bytes that are read at once of a file that is larger than this.
PIECE = 1 << 24


def read_csv(file: Path, source: str, *, separator: str | None, decimal: str, piece: int = PIECE) -> polars.DataFrame:
    """Read a file whole.

    Args:
        file: The file.
        source: What it is called in messages.
        separator: What stands between its values; None for what its header holds most of.
        decimal: What stands before the decimals of numbers.
        piece: Bytes that are read at once of a larger file.

    Raises:
        ConfigError: If it is none of a header and equally long rows in UTF-8; names the line.
    """
    with file.open("rb") as opened:
        head = opened.read(HEAD)
    text = text_of(head, source)
    _check_encoding(file, source)
    separator = separator or separator_of(text, file)
    check_header(text, source, separator)
    given: dict[str, Any] = {
        "separator": separator,
        "decimal_comma": decimal == ",",
        "null_values": list(MISSING),
        "infer_schema_length": None,
    }
    try:
        frame = _in_pieces(file, piece, given) if file.stat().st_size > piece else None
        frame = polars.read_csv(file, glob=False, **given) if frame is None else frame
    except polars.exceptions.PolarsError as error:
        raise ConfigError(f"{source}: {_ragged(file, separator) or first_line(error)}") from error
    # Polars takes a line that ends too early for one that lacks values
    if frame.height and frame[:, -1].null_count() and (ragged := _ragged(file, separator)):
        raise ConfigError(f"{source}: {ragged}")
    return frame.rename(str.strip).with_columns(
        _without_spaces(each, decimal) for each in frame.rename(str.strip) if each.dtype == polars.String
    )


def text_of(head: bytes, source: str) -> str:
    """The first lines of a file, which tell how it is written.

    Raises:
        ConfigError: If they are no text in UTF-8 that has lines.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigError(f"{source}: it is encoded in UTF-16; save it as UTF-8")
    if b"\0" in head:
        raise ConfigError(f"{source}: it is no text; a CSV file in UTF-8 is asked for")
    text = head.decode("utf-8-sig", errors="ignore")
    if not text.strip():
        raise ConfigError(f"{source} is empty")
    if "\r" in text and "\n" not in text:
        raise ConfigError(
            f"{source}: its lines end with a carriage return alone; save it with the line ends \\n or \\r\\n"
        )
    return text


def _in_pieces(file: Path, piece: int, given: Mapping[str, Any]) -> polars.DataFrame | None:
    """Values of a large file, of whose text only a piece is in memory at a time.

    None where a piece alone does not tell how it is to be read: where quotes may hold line ends, and where a column
    holds something else further down.
    """
    frames: list[polars.DataFrame] = []
    with file.open("rb") as opened:
        rest = b""
        while block := opened.read(piece):
            text, end, rest = (rest + block).rpartition(b"\n")
            if b'"' in block or not end:
                return None
            if (frame := _piece(text, frames[0].schema if frames else None, given)) is None:
                return None
            frames.append(frame)
        if rest:
            frame = _piece(rest, frames[0].schema, given)
            if frame is None:
                return None
            frames.append(frame)
    return polars.concat(frames)


def _piece(text: bytes, schema: polars.Schema | None, given: Mapping[str, Any]) -> polars.DataFrame | None:
    """Values of some lines; the first of all tell what each column holds."""
    if schema is not None:
        try:
            return polars.read_csv(text, **given, has_header=False, schema=schema)
        except polars.exceptions.PolarsError:
            return None
    frame = polars.read_csv(text, **given)
    if frame.height == 0 or any(each.null_count() == frame.height for each in frame):
        return None
    return frame


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


def separator_of(text: str, file: Path) -> str:
    """What the header holds most of."""
    header = (re.sub(r'"[^"]*"', "", text).splitlines() or [""])[0]
    counts = Counter({each: header.count(each) for each in SEPARATORS})
    if not any(counts.values()):
        return "\t" if file.suffix == ".tsv" else ","
    return max(SEPARATORS, key=lambda each: counts[each])


def check_header(text: str, source: str, separator: str) -> list[str]:
    """The names of the columns.

    Raises:
        ConfigError: If one is missing, or there twice, or there are only numbers.
    """
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
    return names


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _ragged(file: Path, separator: str) -> str | None:
    """The first line whose number of values is not that of the header."""
    n, first = None, ""
    for line, values in lines_of(file, separator):
        if n is None:
            n, first = len(values), values[0] if values else ""
        elif values and len(values) != n:
            said = f"line {line} holds {len(values)} values, and the header names {n} columns"
            comment = next((at for at, each in ((1, first), (line, values[0])) if each.lstrip().startswith("#")), None)
            return said if comment is None else f"{said}; line {comment} looks like a comment: take it out"
    return None


def blank_rows(frame: polars.DataFrame, file: Path, separator: str) -> NDArray[np.bool_]:
    """Which rows (n,) are lines with nothing in them, such as one at the end."""
    blank = frame.select(polars.all_horizontal(polars.all().is_null())).to_series().to_numpy().copy()
    if blank.any():
        for row, (_, values) in enumerate(islice(lines_of(file, separator), 1, None)):
            if blank[row] and any(map(str.strip, values)):
                blank[row] = False
    return blank


def line_of(row: int, file: Path, separator: str) -> int:
    """The line on which a row begins, where a value in quotes may hold line ends."""
    ends = [line for line, _ in islice(lines_of(file, separator), row + 1)]
    return ends[-1] + 1


def lines_of(file: Path, separator: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Values of each row, with the number of the line on which it ends."""
    with file.open(newline="", encoding="utf-8-sig") as opened:
        reader = csv.reader(opened, delimiter=separator)
        for values in reader:
            yield reader.line_num, values


def first_line(error: Exception) -> str:
    """What an error says, without what it adds."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
