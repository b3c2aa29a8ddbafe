"""``metrics.csv``: a row per measured epoch. The only writer and the only reader of the file. No torch.

A row counts if it is whole: as many cells as there are columns, and a line end. A kill can cut off the last line, and
whoever reads while a run goes on may see half of it.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from src.run.files import write_atomically
from src.run.reading import UnreadableError, read_bytes

# Most bytes of the file, with room for a million rows, and of a line.
_LARGEST, _LONGEST = 100_000_000, 100_000

# Most cells of which a reader gets every one; of more it gets every second row, or every fourth, and so on.
_MOST_CELLS = 1_000_000

_INSTEAD = "remove it, or move it away: nothing but learning curves is made of it"


def read_metrics(path: Path) -> dict[str, list[float]]:
    """Columns of the file by name, all of one length; NaN where a cell is empty.

    Of a very long file rows are left out, evenly.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableError: If it is no table of numbers.
    """
    names, rows = _read(path, most=_MOST_CELLS)
    try:
        return {name: [float(row[i] or "nan") for row in rows] for i, name in enumerate(names)}
    except ValueError as error:
        raise UnreadableError(path, error, _INSTEAD) from error


class MetricsFile:
    """Appends rows to a file of a run.

    A run that goes on keeps the rows before the first one that it writes.

    Args:
        path: The file.
        key: Name of the column that orders the rows.
    """

    def __init__(self, path: Path, *, key: str = "epoch") -> None:
        self.path, self._key = path, key
        # known from the first row on
        self._names: list[str] | None = None

    def append(self, row: Mapping[str, float | None]) -> None:
        """Append a row, with its ``key`` among its names; a new name becomes a new column."""
        if self._names is None:
            self._names, rows = self._before(row[self._key])
            self._rewrite([*rows, row])
        elif set(row) <= set(self._names):
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self._names).writerow(row)
        else:
            _, rows = self._before(None)
            self._rewrite([*rows, row])

    def write(self, rows: Sequence[Mapping[str, float | None]]) -> None:
        """Write the whole table of a run at once."""
        self._names = []
        self._rewrite(rows)

    def _before(self, first: float | None) -> tuple[list[str], list[dict[str, str]]]:
        """Columns and rows before one, or all; no columns where there is no such row."""
        names, cells = _read(self.path) if self.path.exists() else ([], [])
        rows = [dict(zip(names, row, strict=True)) for row in cells]
        try:
            kept = [row for row in rows if first is None or not row[self._key] or int(row[self._key]) < first]
        except (KeyError, ValueError) as error:
            raise UnreadableError(
                self.path, f"it has rows without a number of their {self._key} ({error})", _INSTEAD
            ) from error
        return names if kept else [], kept

    def _rewrite(self, rows: Sequence[Mapping[str, float | str | None]]) -> None:
        """Write all rows; the cells of rows that were read stay as they were."""
        self._names = list(dict.fromkeys([*(self._names or []), *(name for row in rows for name in row)]))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._names)
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.path, text.getvalue().encode())


def _read(path: Path, *, most: int | None = None) -> tuple[list[str], list[list[str]]]:
    """Names and rows of the file; where there are more cells than ``most``, every second row, or fourth, and so on."""
    data, rows, every = read_bytes(path, instead=_INSTEAD, largest=_LARGEST), list[list[str]](), 1
    try:
        lines = csv.reader(_whole_lines(data))
        names = next(lines, [])
        if len(set(names)) < len(names):
            raise ValueError("it has two columns of one name")
        for n, row in enumerate(row for row in lines if len(row) == len(names)):
            if n % every == 0:
                rows.append(row)
            if most is not None and len(rows) * len(names) > most:
                rows, every = rows[::2], 2 * every
    except (ValueError, csv.Error) as error:
        raise UnreadableError(path, error, _INSTEAD) from error
    return names, rows


def _whole_lines(data: bytes) -> Iterator[str]:
    for line in io.BytesIO(data):
        if len(line) > _LONGEST:
            raise ValueError(f"it has a line of {len(line)} bytes")
        if line.endswith(b"\n"):
            yield line.decode("utf-8")
