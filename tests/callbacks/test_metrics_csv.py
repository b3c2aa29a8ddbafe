"""The table of metrics: rows, columns, and what a resumed run keeps of it."""

import csv
from pathlib import Path

import pytest
from lightning.pytorch.utilities import rank_zero_only

from src.callbacks.metrics_csv import MetricsCSV


def table(path: Path) -> list[dict[str, str]]:
    with (path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, epochs: list[int], **metrics: float) -> None:
    logger = MetricsCSV(str(path))
    for epoch in epochs:
        logger.log_metrics({"loss": epoch / 10, **metrics}, step=epoch)


def test_each_call_is_a_row_with_the_epoch_first(tmp_path: Path) -> None:
    write(tmp_path, [0, 5, 10])
    assert (tmp_path / "metrics.csv").read_text().splitlines() == ["epoch,loss", "0,0.0", "5,0.5", "10,1.0"]


def test_rows_are_on_disk_at_once(tmp_path: Path) -> None:
    logger = MetricsCSV(str(tmp_path / "new" / "folder"))
    for epoch in range(3):
        logger.log_metrics({"loss": 1.0}, step=epoch)
        assert len(table(tmp_path / "new" / "folder")) == epoch + 1


def test_values_keep_all_their_digits(tmp_path: Path) -> None:
    MetricsCSV(str(tmp_path)).log_metrics({"loss": 0.1 + 0.2}, step=0)
    assert float(table(tmp_path)[0]["loss"]) == 0.1 + 0.2


def test_a_new_name_becomes_a_column_and_older_rows_stay(tmp_path: Path) -> None:
    logger = MetricsCSV(str(tmp_path))
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.log_metrics({"loss": 2.0, "lr": 0.1}, step=1)
    logger.log_metrics({"lr": 0.2}, step=2)
    assert table(tmp_path) == [
        {"epoch": "0", "loss": "1.0", "lr": ""},
        {"epoch": "1", "loss": "2.0", "lr": "0.1"},
        {"epoch": "2", "loss": "", "lr": "0.2"},
    ]


def test_a_run_that_goes_on_drops_the_rows_from_there_on(tmp_path: Path) -> None:
    write(tmp_path, [0, 5, 10, 15])
    write(tmp_path, [10, 15, 20])
    assert [row["epoch"] for row in table(tmp_path)] == ["0", "5", "10", "15", "20"]


def test_a_run_that_starts_anew_drops_all_rows_and_their_columns(tmp_path: Path) -> None:
    write(tmp_path, [0, 5], other=1.0)
    write(tmp_path, [0])
    assert table(tmp_path) == [{"epoch": "0", "loss": "0.0"}]


def test_a_run_that_goes_on_with_a_new_column_keeps_older_rows(tmp_path: Path) -> None:
    write(tmp_path, [0, 5])
    write(tmp_path, [6], lr=0.5)
    assert table(tmp_path)[0] == {"epoch": "0", "loss": "0.0", "lr": ""}
    assert table(tmp_path)[2] == {"epoch": "6", "loss": "0.6", "lr": "0.5"}


@pytest.mark.parametrize("cut", ["15", "15,", "1", "\r\n", "15,0."])
def test_a_last_line_that_a_kill_has_cut_off_is_dropped(cut: str, tmp_path: Path) -> None:
    write(tmp_path, [0, 5, 10], lr=0.5)
    path = tmp_path / "metrics.csv"
    path.write_bytes(path.read_bytes() + cut.encode())
    write(tmp_path, [11, 15], lr=0.5)
    rows = table(tmp_path)
    assert [row["epoch"] for row in rows] == ["0", "5", "10", "11", "15"]
    assert all(None not in row.values() for row in rows)


def test_rows_without_an_epoch_are_kept(tmp_path: Path) -> None:
    logger = MetricsCSV(str(tmp_path))
    logger.log_metrics({"loss": 1.0})
    logger.log_metrics({"lr": 1.0})
    assert [row["epoch"] for row in table(tmp_path)] == ["", ""]


def test_it_needs_no_folder_of_its_own_and_leaves_hyper_parameters_alone(tmp_path: Path) -> None:
    logger = MetricsCSV(str(tmp_path))
    assert (logger.name, logger.version) == ("", "")
    logger.log_hyperparams({"lr": 0.1})
    assert list(tmp_path.iterdir()) == []


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    write(tmp_path, [0])
    assert list(tmp_path.iterdir()) == []
