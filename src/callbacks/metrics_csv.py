"""Metrics as a table in a file that every spreadsheet and data frame reads."""

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from src.config.allowed import NotEmpty
from src.run.metrics import MetricsFile


class MetricsCSV(Logger):
    """Append a row per measured epoch to ``metrics.csv``, and whatever else is logged to ``logged.csv``.

    Lightning's own CSV logger deletes what is there when a run is resumed; this one keeps the rows of the epochs before
    the point from which the run goes on. ``metrics.csv`` is the course of a run in epochs; what callbacks and modules
    log while a run trains in steps has an axis of its own, Lightning's steps.

    Args:
        save_dir: Directory of the file.
    """

    def __init__(self, save_dir: NotEmpty) -> None:
        super().__init__()
        self._file = MetricsFile(Path(save_dir) / "metrics.csv", key="epoch")
        self._logged = MetricsFile(Path(save_dir) / "logged.csv", key="step")

    @property
    def name(self) -> str:
        """No directory of its own below ``save_dir``."""
        return ""

    @property
    def version(self) -> str:
        """No directory of its own below ``save_dir``."""
        return ""

    @property
    def experiment(self) -> "MetricsCSV":
        """What writes the files; code that draws asks every logger for it."""
        return self

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Leave hyper-parameters to the configuration file that stands beside the table."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Append a row to ``logged.csv``; a new name becomes a new column."""
        self._logged.append({"step": step, **metrics})

    @rank_zero_only
    def log_row(self, row: Mapping[str, float]) -> None:
        """Append a row to ``metrics.csv``, ``epoch`` among its names; rows between two logged epochs cost nothing."""
        self._file.append(row)

    def log_rows(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the whole table of a run at once, with ``epoch`` among the names."""
        self._file.write(rows)
