"""Jobs that fail, directories that belong to other settings, and looking before running."""

import json
import os
from pathlib import Path

import pytest

from tests.sweep.commands import run, start

SHORT = ("-m", "trainer=cpu", "trainer.max_epochs=20", "callbacks=none", "logger=csv")


def results(sweep: Path) -> dict[str, dict[str, object]]:
    return {path.parent.name: json.loads(path.read_text()) for path in sweep.glob("*/result.json")}


@pytest.mark.slow
def test_jobs_that_raise_are_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    """A value out of range, a loss that is not finite, and a network for other data, in small batches of jobs."""
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    arguments = (*SHORT, "optimizer.lr=-1,1e30,0.1", "model=blob,circle_v2", f"hydra.sweep.dir={sweep}")
    assert run(*arguments, "hydra.sweeper.max_batch_size=2", output=output) == 1
    found = results(sweep)
    assert [found[str(job)]["status"] for job in range(6)] == ["failed"] * 5 + ["completed"]
    messages = [str(found[str(job)]["error"]) for job in range(5)]
    assert "got -1; allowed: a number greater than 0" in messages[0]
    assert "model=blob does not fit data=circles" in messages[2]
    assert "got -1; allowed: a number greater than 0" in messages[1]
    assert "train/loss is nan at epoch 1; last finite value: 0.69" in messages[3]
    assert "Try a smaller optimizer.lr" in messages[3]
    said = output.read_text()
    assert "6 jobs: 1 completed, 5 failed" in said
    assert f"hydra.sweep.dir={sweep} goes on" in said
    assert "Traceback" not in said
    assert "allowed: a number greater than 0" in (sweep / "1" / "train.log").read_text()

    before = (sweep / "5" / "result.json").stat().st_mtime_ns
    for job in "01234":
        os.utime(sweep / job / "result.json", (0, 0))
    assert run(*arguments, output=output) == 1
    assert (sweep / "5" / "result.json").stat().st_mtime_ns == before
    # those that are refused before they begin keep the record that says so
    assert all((sweep / job / "result.json").stat().st_mtime_ns > 0 for job in "234")


@pytest.mark.slow
def test_a_job_that_finds_no_memory_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    arguments = (*SHORT, "model=mlp", "model.net.hidden=[10000000,10000000],[4]", f"hydra.sweep.dir={sweep}")
    assert run(*arguments, output=tmp_path / "output") == 1
    found = results(sweep)
    assert "can't allocate memory" in str(found["0"]["error"])
    assert found["1"]["status"] == "completed"


@pytest.mark.slow
def test_a_bad_root_value_of_one_job_is_recorded_too(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    assert run(*SHORT, "seed=-1,0", f"hydra.sweep.dir={sweep}", output=tmp_path / "output") == 1
    found = results(sweep)
    assert "allowed: a whole number from 0" in str(found["0"]["error"])
    assert found["1"]["status"] == "completed"


@pytest.mark.slow
def test_a_directory_whose_jobs_had_other_settings_is_refused_before_anything_runs(tmp_path: Path) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    assert run(*SHORT, "seed=0,1", f"hydra.sweep.dir={sweep}", output=output) == 0
    before = {path: path.stat().st_mtime_ns for path in sweep.rglob("*") if path.is_file()}
    output.unlink()
    changed = (*SHORT, "seed=0,1,2", "optimizer.lr=0.2", f"hydra.sweep.dir={sweep}")
    assert run(*changed, output=output) == 1
    said = output.read_text()
    assert "optimizer.lr: stored 0.1, given 0.2" in said
    assert f"and 1 more jobs of {sweep}" in said
    assert {path: path.stat().st_mtime_ns for path in sweep.rglob("*") if path.is_file()} == before
    # more jobs of the same settings are welcome
    assert run(*SHORT, "seed=0,1,2", f"hydra.sweep.dir={sweep}", output=output) == 0
    assert set(results(sweep)) == {"0", "1", "2"}


@pytest.mark.slow
def test_a_dry_run_shows_all_jobs_and_leaves_nothing(tmp_path: Path) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    arguments = (
        *SHORT,
        "optimizer.lr=0.1,-1",
        "model=circle_v1,blob",
        f"hydra.sweep.dir={sweep}",
        "sweep.dry_run=true",
    )
    assert run(*arguments, output=output) == 1
    said = output.read_text()
    assert "job 1: model=blob does not fit data=circles" in said
    assert "job 2: optimizer.lr (command line: optimizer.lr=-1): got -1; allowed: a number greater than 0" in said
    assert "4 jobs: 1 to run, 3 with errors; nothing was trained" in said
    assert "Launching" not in said
    assert not sweep.exists()


@pytest.mark.slow
def test_a_dry_run_of_a_begun_sweep_tells_what_is_left(tmp_path: Path) -> None:
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    assert run(*SHORT, "seed=0", f"hydra.sweep.dir={sweep}", output=output) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path != output}
    assert run(*SHORT, "seed=0,1", f"hydra.sweep.dir={sweep}", "sweep.dry_run=true", output=output) == 0
    assert "2 jobs: 1 completed, 1 to run; nothing was trained" in output.read_text()
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path != output} == before


@pytest.mark.slow
def test_a_dry_run_of_a_single_run_checks_it(tmp_path: Path) -> None:
    output, run_dir = tmp_path / "output", tmp_path / "run"
    arguments = ("model=blob", f"hydra.run.dir={run_dir}", "sweep.dry_run=true")
    assert run(*arguments, output=output) == 1
    assert "model=blob does not fit data=circles" in output.read_text()
    assert not run_dir.exists()


@pytest.mark.slow
def test_starts_in_the_same_second_have_directories_of_their_own(tmp_path: Path) -> None:
    config = ("-m", "seed=0", "trainer.max_epochs=1", "trainer=cpu", "callbacks=none", "logger=none")
    place = f"hydra.sweep.dir={tmp_path}/sweeps/${{now:%Y}}_${{unique:}}"
    processes = [start(*config, place, output=tmp_path / f"output{i}") for i in range(3)]
    assert [process.end() for process in processes] == [0, 0, 0]
    assert len(list((tmp_path / "sweeps").iterdir())) == 3


@pytest.mark.slow
def test_an_option_that_does_not_fit_one_of_the_choices_is_refused_before_any_job(tmp_path: Path) -> None:
    """optimizer.momentum is a key of sgd, not of adam."""
    sweep, output = tmp_path / "sweep", tmp_path / "output"
    arguments = (*SHORT, "optimizer=sgd,adam", "optimizer.momentum=0.5,0.9", f"hydra.sweep.dir={sweep}")
    assert run(*arguments, output=output) == 1
    assert "optimizer.momentum" in output.read_text()
    assert not list(sweep.glob("*/"))
