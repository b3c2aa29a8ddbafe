"""``metrics.csv``: a row per measured epoch. The only writer and the only reader of the file. No torch.

A row counts if it is whole: as many cells as there are columns, and a line end. A kill can cut off the last line, and
whoever reads while a run goes on may see half of it.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from src.config.errors import ConfigError
from src.run.files import write_atomically


def read_metrics(path: Path) -> dict[str, list[float]]:
    """Columns of the file by name, all of one length; NaN where a cell is empty.

    Raises:
        FileNotFoundError: If there is no such file.
        ConfigError: If it is no table of numbers.
    """
    try:
        names, rows = _read(path)
        return {name: [float(row[i] or "nan") for row in rows] for i, name in enumerate(names)}
    except (ValueError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


class MetricsFile:
    """Appends rows to the file of a run.

    A run that goes on keeps the rows before the first epoch that it writes.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # known from the first row on
        self._names: list[str] | None = None

    def append(self, row: Mapping[str, float | None]) -> None:
        """Append a row, with ``epoch`` among its names; a new name becomes a new column."""
        if self._names is None:
            self._names, rows = self._before(row["epoch"])
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

    def _before(self, epoch: float | None) -> tuple[list[str], list[dict[str, str]]]:
        """Columns and rows of the epochs before one, or of all; no columns where there is no such row."""
        names, cells = _read(self.path) if self.path.exists() else ([], [])
        rows = [dict(zip(names, row, strict=True)) for row in cells]
        kept = [row for row in rows if epoch is None or not row["epoch"] or int(row["epoch"]) < epoch]
        return names if kept else [], kept

    def _rewrite(self, rows: Sequence[Mapping[str, float | str | None]]) -> None:
        """Write all rows; the cells of rows that were read stay as they were."""
        self._names = list(dict.fromkeys([*(self._names or []), *(name for row in rows for name in row)]))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._names)
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.path, text.getvalue().encode())


def _read(path: Path) -> tuple[list[str], list[list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        lines = csv.reader(line for line in file if line.endswith("\n"))
        names = next(lines, [])
        return names, [row for row in lines if len(row) == len(names)]
