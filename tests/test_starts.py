"""Where and how a command may be started, and what a start that is refused leaves behind: nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import ROOT, completed

# whole commands
pytestmark = pytest.mark.slow

SHORT = ["trainer=cpu", "trainer.max_epochs=1", "callbacks=none", "logger=none"]
NEW = "new/folder/here"


def run(*command: str, cwd: Path = ROOT, **environ: str) -> subprocess.CompletedProcess[str]:
    return completed(sys.executable, *command, cwd=cwd, env={**os.environ, **environ})


def test_a_command_is_started_as_a_file_too(tmp_path: Path) -> None:
    trained = run("src/train.py", "model=circle_v1", *SHORT, f"hydra.run.dir={tmp_path}/0")
    assert trained.returncode == 0, trained.stderr
    for command in (["src/eval.py", f"run={tmp_path}/0"], ["src/draw.py", f"run={tmp_path}/0", "pictures=[boundary]"]):
        assert run(*command).returncode == 0
    assert (tmp_path / "0" / "plots" / "boundary.png").is_file()


@pytest.mark.parametrize("name", ["train", "eval", "draw", "predict", "export", "report"])
def test_every_command_knows_its_options_as_a_file(name: str) -> None:
    assert run(f"src/{name}.py", "--help").stdout == run("-m", f"src.{name}", "--help").stdout != ""


def test_in_another_directory_outputs_stand_there(tmp_path: Path) -> None:
    done = run("-m", "src.train", *SHORT, cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert done.returncode == 0, done.stderr
    (result,) = tmp_path.glob("outputs/runs/*/result.json")
    assert f"run directory: {result.parent.relative_to(tmp_path)}\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["+data.noize=1"], "did you mean data.noise?"),
        (["model=*"], "model=* (command line: model=*): no such option; options of model: blob"),
        (["seed=-1"], "allowed: a whole number from 0"),
        (["+trainer.num_nodes=2"], "needs processes on all nodes"),
        (["-m", "seed=interval(0,1)"], "add hydra/sweeper=optuna to search it"),
        (["-m", "optimizer=sgd,adam", "optimizer.momentum=0.5,0.9"], "optimizer.momentum"),
        (["-m", "seed=0,1", "hydra/launcher=vmap", "hydra.launcher.executor=nobody"], "hydra.launcher.executor: got"),
        (["-m", "hydra/sweeper=optuna", "seed=0"], "nothing to search"),
        (["-m", "hydra/sweeper=optuna", "seed=0,1", "hydra.sweeper.objectives={val/x: minimize}"], "val/x is not meas"),
        (["-m", "hydra/sweeper=optuna", "seed=0,1", "hydra/sweeper/pruner=median"], "needs the callback"),
    ],
)
def test_a_start_that_is_refused_leaves_nothing(arguments: list[str], said: str, tmp_path: Path) -> None:
    place = f"hydra.sweep.dir={tmp_path}/{NEW}" if "-m" in arguments else f"hydra.run.dir={tmp_path}/{NEW}"
    done = run("-m", "src.train", *arguments, *SHORT, place)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_sweep_starts_in_a_process_that_has_imported_everything(tmp_path: Path) -> None:
    # before Hydra looks for its plugins, and loads them anew
    code = f"""
import sys, src.sweep.jobs, src.search.search, hydra_plugins.grid_sweeper.grid_sweeper
sys.argv = ["src/train.py", "-m", "seed=0,1", "sweep.dry_run=true", "hydra.sweep.dir={tmp_path}/sweep"]
from src.train import main
main()
"""
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert "2 jobs: 2 to run" in done.stdout


def test_what_does_not_fit_leaves_no_run_directory(tmp_path: Path) -> None:
    # only building tells, and by then Hydra has made the directory
    done = run("-m", "src.train", "model=blob", *SHORT, f"hydra.run.dir={tmp_path}/run")
    assert done.returncode == 1
    assert "model=blob does not fit data=circles" in done.stderr
    assert not list(tmp_path.iterdir())
    # and the corrected command takes the same directory
    assert run("-m", "src.train", *SHORT, f"hydra.run.dir={tmp_path}/run").returncode == 0


def test_what_a_refused_start_finds_in_its_directory_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert run("-m", "src.train", "model=blob", *SHORT, f"hydra.run.dir={tmp_path}").returncode == 1
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_full_error_of_a_refused_start_is_a_traceback(tmp_path: Path) -> None:
    done = run("-m", "src.train", "+data.noize=1", f"hydra.run.dir={tmp_path}/{NEW}", HYDRA_FULL_ERROR="1")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert not list(tmp_path.iterdir())
