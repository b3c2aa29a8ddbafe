"""Metrics as a table in a file that every spreadsheet and data frame reads."""

import csv
import io
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from src.run.files import write_atomically


class MetricsCSV(Logger):
    """Append a row per measured epoch to ``metrics.csv``.

    Lightning's own CSV logger deletes what is there when a run is resumed; this one keeps the rows of the epochs before
    the point from which the run goes on.

    Args:
        save_dir: Directory of the file.
    """

    # Rows between two logged epochs cost nothing here, so all are kept.
    keeps_every_row = True

    def __init__(self, save_dir: str) -> None:
        super().__init__()
        self.path = Path(save_dir) / "metrics.csv"
        self._columns: list[str] | None = None

    @property
    def name(self) -> str:
        """No directory of its own below ``save_dir``."""
        return ""

    @property
    def version(self) -> str:
        """No directory of its own below ``save_dir``."""
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Leave hyper-parameters to the configuration file that stands beside the table."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row whose first column, ``epoch``, is ``step``; a new name becomes a new column."""
        row = {"epoch": step, **metrics}
        if self._columns is None:
            self._reopen(before=step)
        if self._columns is None or not set(row) <= set(self._columns):
            self._rewrite(row)
        else:
            with self.path.open("a", newline="") as file:
                csv.DictWriter(file, self._columns).writerow(row)

    def log_rows(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the whole table of a run at once, with ``epoch`` among the names."""
        self._columns = list(rows[0])
        self._write(rows)

    def _rows(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        lines = self.path.read_text().splitlines(keepends=True)
        # a kill can cut off the last line
        return list(csv.DictReader(line for line in lines if line.endswith("\n")))

    def _reopen(self, *, before: int | None) -> None:
        rows = [row for row in self._rows() if before is None or not row["epoch"] or int(row["epoch"]) < before]
        if rows:
            self._columns = list(rows[0])
            self._write(rows)

    def _rewrite(self, row: dict[str, Any]) -> None:
        rows = self._rows() if self._columns else []
        self._columns = [*(self._columns or []), *(name for name in row if name not in (self._columns or []))]
        self._write([*rows, row])

    def _write(self, rows: Sequence[Mapping[str, Any]]) -> None:
        assert self._columns is not None
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self._columns)
        writer.writeheader()
        writer.writerows(rows)
        write_atomically(self.path, text.getvalue().encode())
