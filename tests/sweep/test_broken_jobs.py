"""A directory that cannot be read is reported, and the other jobs go on."""

import json
import os
import shutil
from pathlib import Path

import optuna
import pytest
from omegaconf import OmegaConf

from src.config.errors import ConfigError
from src.report import report
from src.run.trial import open_storage
from src.search.study import locked
from tests.analysis.jobs import make_job
from tests.sweep.commands import run

SHORT = ("-m", "trainer=cpu", "trainer.max_epochs=2", "callbacks=none", "logger=csv", "seed=0,1,2,3,4")


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "vmap"])
def test_broken_jobs_are_reported_while_the_others_go_on(launcher: str, tmp_path: Path) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    asked = (*SHORT, f"hydra/launcher={launcher}", f"hydra.sweep.dir={sweep}")
    assert run(*asked, output=output) == 0
    value = json.loads((sweep / "3" / "result.json").read_text())["metrics"]["val/loss"]
    (sweep / "3" / "result.json").unlink()
    (sweep / "1" / "result.json").write_text('{"status": "compl')
    (sweep / "2" / ".hydra" / "config.yaml").write_bytes(b"\xff")
    (sweep / "4" / ".hydra" / "config.yaml").unlink()
    output.unlink()
    assert run(*asked, output=output) == 1
    said = output.read_text()
    assert json.loads((sweep / "3" / "result.json").read_text())["metrics"]["val/loss"] == pytest.approx(value)
    assert f"{sweep / '1' / 'result.json'} cannot be read: " in said
    assert f"{sweep / '2' / '.hydra' / 'config.yaml'} cannot be read: " in said
    assert f"run_dir={sweep / '4'} holds a result without .hydra/config.yaml" in said
    assert "5 jobs: 3 completed, 2 unfinished" in said
    assert "Traceback" not in said
    # what stands there is left to whoever mends it, and mended it goes on
    assert (sweep / "1" / "result.json").read_text() == '{"status": "compl'
    (sweep / "1" / "result.json").unlink()
    shutil.rmtree(sweep / "2")
    shutil.rmtree(sweep / "4")
    assert run(*asked, output=output) == 0


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib", "vmap"])
def test_what_stands_in_the_place_of_jobs_directories_ends_none_of_the_others(launcher: str, tmp_path: Path) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    sweep.mkdir()
    (sweep / "0").write_text("mine")
    os.mkfifo(sweep / "1")
    (sweep / "2").symlink_to(tmp_path / "nowhere")
    (sweep / "3").mkdir()
    (sweep / "3" / ".hydra").write_text("mine")
    asked = (*SHORT, f"hydra/launcher={launcher}", f"hydra.sweep.dir={sweep}")
    assert run(*asked, output=output) == 1
    said = output.read_text()
    assert json.loads((sweep / "4" / "result.json").read_text())["status"] == "completed"
    assert "5 jobs: 1 completed, 4 not begun" in said
    assert f"{sweep / '0'}: something else is there" in said
    assert "Traceback" not in said
    assert (sweep / "0").read_text() == "mine"
    for name in "012":
        (sweep / name).unlink()
    (sweep / "3" / ".hydra").unlink()
    assert run(*asked, output=output) == 0
    assert "5 jobs: 5 completed" in output.read_text()


def test_a_report_names_each_broken_file_and_counts_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(4):
        make_job(tmp_path / str(seed), f"seed={seed}", metrics={"val/loss": 0.5})
    (tmp_path / "0" / "result.json").unlink()
    (tmp_path / "0" / "result.json").mkdir()
    (tmp_path / "1" / ".hydra" / "config.yaml").write_text("a: &a [*a]")
    (tmp_path / "2" / "result.json").write_text('{"status": "completed", "seed": 1e400}')
    (tmp_path / "multirun.yaml").write_bytes(b"[" * 5000)
    found = report(OmegaConf.create({"sweep": str(tmp_path), "metric": None}))
    assert found.counts["completed"] == 2
    said = capsys.readouterr().out
    for name in ("0/result.json", "1/.hydra/config.yaml", "2/result.json"):
        assert f"{tmp_path / name} cannot be read: " in said


@pytest.mark.parametrize("value", [5e-324, 1.7e308, -1.7e308, 0.0])
def test_metrics_at_the_ends_of_what_a_float_holds_are_reported(value: float, tmp_path: Path) -> None:
    for seed in range(3):
        make_job(tmp_path / str(seed), f"seed={seed}", "data.noise=0.1", metrics={"val/loss": value if seed else 1.0})
        make_job(tmp_path / f"1{seed}", f"seed={seed}", "data.noise=0.2", metrics={"val/loss": 0.5})
    assert report(OmegaConf.create({"sweep": str(tmp_path), "metric": None})).counts["completed"] == 6


# Searches


@pytest.mark.parametrize("content", [b"\xff\xfe", b"not a name", b"x" * 10_000, b"{}"])
def test_the_name_of_a_search_that_is_none_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ".sweeper").write_bytes(content)
    with (
        pytest.raises(ConfigError, match=r"\.sweeper cannot be read: .*; give another hydra\.sweep\.dir"),
        locked(tmp_path),
    ):
        pass
    assert (tmp_path / ".sweeper").read_bytes() == content


def test_a_directory_in_the_place_of_the_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".sweeper").mkdir()
    with pytest.raises(ConfigError, match=r"\.sweeper cannot be read: it is no file"), locked(tmp_path):
        pass


@pytest.mark.parametrize("damage", ["cut", "text", "directory", "flipped"])
def test_a_damaged_database_is_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    optuna.create_study(storage=open_storage(f"sqlite:///{path}"), study_name="s")
    data = bytearray(path.read_bytes())
    path.unlink()
    if damage == "directory":
        path.mkdir()
    else:
        data[4096:8192] = b"\xff" * 4096
        path.write_bytes({"cut": data[:9000], "text": bytearray(b"x" * 5000), "flipped": data}[damage])
    with pytest.raises(ConfigError, match=r"study\.db cannot be opened: .*; give another hydra\.sweep\.dir"):
        open_storage(f"sqlite:///{path}")


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"[]\n", b"{}\n", b'{"op_code": 99}\n', b"[" * 5000 + b"\n{}\n"])
def test_a_damaged_journal_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "study.log"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"study\.log cannot be opened: "):
        open_storage(f"journal://{path}")
