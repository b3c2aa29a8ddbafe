"""The logger that writes the table of metrics."""

from pathlib import Path

import pytest
from lightning.pytorch.utilities import rank_zero_only

from src.callbacks.metrics_csv import MetricsCSV
from src.run.metrics import read_metrics


def test_each_call_is_a_row_with_the_epoch_first(tmp_path: Path) -> None:
    logger = MetricsCSV(str(tmp_path))
    for epoch in (0, 5):
        logger.log_row({"epoch": epoch, "loss": epoch / 10})
    assert (tmp_path / "metrics.csv").read_text().splitlines() == ["epoch,loss", "0,0.0", "5,0.5"]


def test_what_others_log_has_a_file_and_an_axis_of_its_own(tmp_path: Path) -> None:
    logger = MetricsCSV(str(tmp_path))
    logger.log_row({"epoch": 0, "loss": 0.5})
    logger.log_metrics({"lr-SGD": 0.1}, step=49)
    assert (tmp_path / "metrics.csv").read_text().splitlines() == ["epoch,loss", "0,0.5"]
    assert (tmp_path / "logged.csv").read_text().splitlines() == ["step,lr-SGD", "49,0.1"]


def test_all_rows_can_be_written_at_once(tmp_path: Path) -> None:
    MetricsCSV(str(tmp_path)).log_rows([{"epoch": 0, "loss": 1.0}, {"epoch": 1, "loss": 0.5}])
    assert read_metrics(tmp_path / "metrics.csv") == {"epoch": [0, 1], "loss": [1.0, 0.5]}


def test_it_needs_no_folder_of_its_own_and_leaves_hyper_parameters_alone(tmp_path: Path) -> None:
    logger = MetricsCSV(str(tmp_path))
    assert (logger.name, logger.version) == ("", "")
    logger.log_hyperparams({"lr": 0.1})
    assert list(tmp_path.iterdir()) == []


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    MetricsCSV(str(tmp_path)).log_metrics({"loss": 0.5}, step=0)
    assert list(tmp_path.iterdir()) == []
