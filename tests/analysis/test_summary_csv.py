"""summary.csv: a row per job, read back by the standard library."""

import csv
from pathlib import Path

from src.analysis.records import read_jobs
from src.analysis.summary_csv import write_csv
from tests.analysis.jobs import make_job


def written(sweep_dir: Path) -> list[dict[str, str]]:
    write_csv(sweep_dir / "summary.csv", read_jobs([sweep_dir]))
    with (sweep_dir / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_row_holds_everything_about_its_job(tmp_path: Path) -> None:
    make_job(tmp_path / "10", "model=a", "optimizer.lr=0.5", "seed=1", metrics={"val/loss": 0.1, "test/f1": None})
    make_job(tmp_path / "2", "model=b", "+x=[1,2]", error=ValueError('bad, "very"\nbad'))
    make_job(tmp_path / "1", "model=a", "seed=2")
    rows = written(tmp_path)
    header = "job status duration_s model x optimizer.lr seed val/loss test/f1 directory error_type error_message"
    assert list(rows[0]) == header.split()
    assert [row["job"] for row in rows] == ["1", "2", "10"]
    running, failed, ended = rows
    assert (running["status"], running["duration_s"], running["val/loss"], running["seed"]) == (
        "unfinished",
        "",
        "",
        "2",
    )
    assert (failed["error_type"], failed["error_message"]) == ("ValueError", 'bad, "very"\nbad')
    assert (failed["x"], failed["seed"], failed["optimizer.lr"]) == ("[1,2]", "42", "0.1")
    assert (ended["duration_s"], ended["model"], ended["val/loss"], ended["test/f1"]) == ("1.500", "a", "0.1", "nan")
    assert Path(ended["directory"]) == (tmp_path / "10").resolve()


def test_numbers_come_back_as_they_were(tmp_path: Path) -> None:
    value = 0.1 + 0.2
    make_job(tmp_path / "0", metrics={"val/loss": value})
    assert float(written(tmp_path)[0]["val/loss"]) == value


def test_what_differs_under_the_same_overrides_has_a_column(tmp_path: Path) -> None:
    for i, noise in enumerate(["0.03", "0.5"]):
        run = make_job(tmp_path / str(i), "model=a", f"seed={i}", metrics={"val/loss": 0.5})
        run.config_file.write_text(run.config_file.read_text().replace("noise: 0.03", f"noise: {noise}"))
    assert [row["data.noise"] for row in written(tmp_path)] == ["0.03", "0.5"]


def test_a_job_without_a_configuration_still_has_its_overrides(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "model=a", metrics={"val/loss": 0.5}).config_file.unlink()
    (row,) = written(tmp_path)
    assert (row["model"], row["seed"], row["status"]) == ("a", "42", "completed")
