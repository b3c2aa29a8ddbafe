"""The end of a sweep: printed, written and returned."""

import csv
from pathlib import Path

import pytest

import src.analysis.page.write
import src.analysis.summary_csv
from src.analysis.finish import finish_sweep
from src.config.errors import ConfigError
from tests.analysis.jobs import make_job


def test_the_end_of_a_sweep_is_printed_written_and_returned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(3):
        make_job(tmp_path / str(seed), f"seed={seed}", metrics={"val/loss": 0.5 + seed})
    found = finish_sweep(tmp_path)
    assert found.is_complete
    out = capsys.readouterr().out
    assert "1.5 [0.5, 2.5]" in out
    assert out.endswith(f"3 jobs: 3 completed\nall jobs: {tmp_path}/summary.csv\nreport: {tmp_path}/report.html\n")
    with (tmp_path / "summary.csv").open() as file:
        assert [row["val/loss"] for row in csv.DictReader(file)] == ["0.5", "1.5", "2.5"]


def test_a_second_look_replaces_the_files_and_nothing_else(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0")
    assert not finish_sweep(tmp_path).is_complete
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    make_job(tmp_path / "0", "seed=0", metrics={"val/loss": 0.5})
    assert finish_sweep(tmp_path).is_complete
    assert {path for path in tmp_path.rglob("*") if path.is_file()} - before == {tmp_path / "0" / "result.json"}
    assert ",completed," in (tmp_path / "summary.csv").read_text()


def test_a_sweep_without_jobs_is_no_error_and_leaves_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not finish_sweep(tmp_path / "never made").is_complete
    assert capsys.readouterr().out == "0 jobs: 0 completed\n"
    assert not any(tmp_path.iterdir())


def test_an_unknown_metric_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0", metrics={"val/loss": 0.5})
    with pytest.raises(ConfigError, match="metric=f1: no job has it"):
        finish_sweep(tmp_path, metric="f1")
    assert not (tmp_path / "summary.csv").exists()


def test_an_answer_is_printed_where_nothing_may_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _: bytes) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    # who runs the tests may be allowed to write everywhere
    for module in (src.analysis.summary_csv, src.analysis.page.write):
        monkeypatch.setattr(module, "write_atomically", refuse)
    make_job(tmp_path / "0", "seed=0", metrics={"val/loss": 0.5})
    assert finish_sweep(tmp_path).is_complete
    lines = [f"{tmp_path}/{name} cannot be written: Permission denied\n" for name in ("summary.csv", "report.html")]
    assert capsys.readouterr().out.endswith("".join(lines))
