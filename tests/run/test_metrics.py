"""The table of metrics: rows, columns, what a resumed run keeps of it, and what a reader makes of it."""

import csv
import math
from pathlib import Path

import pytest

from src.config.errors import ConfigError
from src.run.metrics import MetricsFile, read_metrics


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "metrics.csv"


def append(path: Path, epochs: list[int], **metrics: float) -> None:
    """A process that writes these epochs."""
    file = MetricsFile(path)
    for epoch in epochs:
        file.append({"epoch": epoch, "loss": epoch / 10, **metrics})


# Writing


def test_each_call_is_a_row(path: Path) -> None:
    append(path, [0, 5, 10])
    assert path.read_text().splitlines() == ["epoch,loss", "0,0.0", "5,0.5", "10,1.0"]


def test_rows_are_on_disk_at_once(path: Path) -> None:
    file = MetricsFile(path)
    for epoch in range(3):
        file.append({"epoch": epoch, "loss": 1.0})
        assert len(table(path)) == epoch + 1


def test_values_keep_all_their_digits(path: Path) -> None:
    append(path, [0], lr=0.1 + 0.2)
    assert float(table(path)[0]["lr"]) == 0.1 + 0.2


def test_a_new_name_becomes_a_column_and_older_rows_stay(path: Path) -> None:
    file = MetricsFile(path)
    file.append({"epoch": 0, "loss": 1.0})
    file.append({"epoch": 1, "loss": 2.0, "lr": 0.1})
    file.append({"epoch": 2, "lr": 0.2})
    assert table(path) == [
        {"epoch": "0", "loss": "1.0", "lr": ""},
        {"epoch": "1", "loss": "2.0", "lr": "0.1"},
        {"epoch": "2", "loss": "", "lr": "0.2"},
    ]


def test_a_run_that_goes_on_drops_the_rows_from_there_on(path: Path) -> None:
    append(path, [0, 5, 10, 15])
    append(path, [10, 15, 20])
    assert [row["epoch"] for row in table(path)] == ["0", "5", "10", "15", "20"]


def test_a_run_that_starts_anew_drops_all_rows_and_their_columns(path: Path) -> None:
    append(path, [0, 5], other=1.0)
    append(path, [0])
    assert table(path) == [{"epoch": "0", "loss": "0.0"}]


def test_a_run_that_goes_on_with_a_new_column_keeps_older_rows(path: Path) -> None:
    append(path, [0, 5])
    append(path, [6], lr=0.5)
    assert table(path)[0] == {"epoch": "0", "loss": "0.0", "lr": ""}
    assert table(path)[2] == {"epoch": "6", "loss": "0.6", "lr": "0.5"}


def test_a_run_that_goes_on_leaves_the_rows_before_as_they_were(path: Path) -> None:
    append(path, [0, 5, 10], lr=1e-05)
    before = path.read_bytes()
    append(path, [11], lr=1e-05)
    assert path.read_bytes().startswith(before)


def test_rows_without_an_epoch_are_kept(path: Path) -> None:
    file = MetricsFile(path)
    file.append({"epoch": None, "loss": 1.0})
    file.append({"epoch": None, "lr": 1.0})
    assert [row["epoch"] for row in table(path)] == ["", ""]


def test_a_whole_table_is_what_its_rows_one_by_one_are(path: Path, tmp_path: Path) -> None:
    rows = [{"epoch": epoch, "loss": epoch / 3, "lr": 0.1} for epoch in range(4)]
    file = MetricsFile(path)
    for row in rows:
        file.append(row)
    append(tmp_path / "whole.csv", [0, 1], other=1.0)
    MetricsFile(tmp_path / "whole.csv").write(rows)
    assert (tmp_path / "whole.csv").read_bytes() == path.read_bytes()


# Half a line


@pytest.mark.parametrize("cut", ["15", "15,", "1", "\r\n", "15,0.", "15,0.5,0.5"])
def test_a_last_line_that_a_kill_has_cut_off_is_dropped_and_not_read(cut: str, path: Path) -> None:
    append(path, [0, 5, 10], lr=0.5)
    path.write_bytes(path.read_bytes() + cut.encode())
    assert read_metrics(path)["epoch"] == [0, 5, 10]
    append(path, [11, 15], lr=0.5)
    rows = table(path)
    assert [row["epoch"] for row in rows] == ["0", "5", "10", "11", "15"]
    assert all(None not in row.values() for row in rows)


# Reading


def test_columns_are_read_with_nan_where_a_number_is_missing(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("epoch,train/loss,val/loss\n0,0.5,\n10,0.25,0.75\n15,0.2\n20,inf,nan\n")
    found = read_metrics(path)
    assert found["epoch"] == [0, 10, 20]
    assert found["train/loss"] == [0.5, 0.25, math.inf]
    assert [math.isnan(value) for value in found["val/loss"]] == [True, False, True]


def test_an_empty_file_has_no_columns(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert read_metrics(path) == {}


def test_no_file_is_no_table(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_metrics(path)


@pytest.mark.parametrize("content", [b"epoch,loss\n0,low\n", b"\xff\xfe\n"])
def test_what_is_no_table_of_numbers_names_itself(content: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{path} cannot be read: "):
        read_metrics(path)
