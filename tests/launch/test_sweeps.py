"""The same promises of every launcher that runs jobs elsewhere, each kept by real sweeps."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.launch.commands import Launcher, results, states, trainers
from tests.waiting import wait_for

FOREVER = 10_000_000
LONG = f"trainer.max_epochs={FOREVER}"
# a block of epochs stays short, so that a job hears a signal
OFTEN = "task.log_every_n_epochs=10"

CLUSTERS = [pytest.param(name, marks=pytest.mark.cluster) for name in ("submitit_local", "submitit_slurm", "ray")]


@pytest.mark.parametrize("launcher", [pytest.param("joblib", marks=pytest.mark.slow), *CLUSTERS], indirect=True)
def test_a_job_computes_what_it_does_alone_whatever_becomes_of_others(
    launcher: Launcher, alone: Path, tmp_path: Path
) -> None:
    process = launcher.start(tmp_path, f"trainer.max_epochs=2,{FOREVER}", "optimizer.lr=0.1,-1", OFTEN)
    long = tmp_path / "2"
    process.wait_for(
        lambda: trainers(long) and len(list(tmp_path.glob("*/result.json"))) == 3, "one job trained and three had ended"
    )
    kill(launcher, long)
    status, output = process.end(), process.said()
    assert status == 1, output
    assert states(tmp_path) == {0: "completed", 1: "failed", 2: "interrupted", 3: "failed"}, output
    assert "job 2 (" in output
    assert "died" in output
    here, there, failed = results(tmp_path)[0], results(alone)[0], results(tmp_path)[1]
    assert here is not None
    assert there is not None
    assert failed is not None
    assert here["metrics"] == there["metrics"]
    assert (tmp_path / "0" / "metrics.csv").read_bytes() == (alone / "0" / "metrics.csv").read_bytes()
    assert "optimizer.lr=-1" in failed["error"]["message"]


def kill(launcher: Launcher, run_dir: Path) -> None:
    """As an administrator, or the kernel that has no memory left."""
    if launcher.name == "submitit_slurm":
        subprocess.run(["scancel", *queue(launcher)], env=launcher.env, check=True)
    else:
        for process in trainers(run_dir):
            os.kill(process, signal.SIGKILL)


def queue(launcher: Launcher) -> list[str]:
    """Jobs that Slurm has not finished."""
    command = ["squeue", "--noheader", "--format=%i"]
    return subprocess.run(command, env=launcher.env, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("launcher", [pytest.param("joblib", marks=pytest.mark.cluster), *CLUSTERS], indirect=True)
def test_ctrl_c_stops_all_jobs(launcher: Launcher, tmp_path: Path) -> None:
    process = launcher.start(tmp_path, LONG, "seed=0,1,2", OFTEN)
    process.wait_for(lambda: trainers(tmp_path / "0") and trainers(tmp_path / "1"), "two jobs trained")
    process.send(signal.SIGINT)
    status, output = process.end(), process.said()
    assert status == 130, output
    assert "Traceback" not in output
    assert_all_stopped(launcher, tmp_path)
    assert not (tmp_path / "2" / ".hydra").exists()


def assert_all_stopped(launcher: Launcher, sweep_dir: Path) -> None:
    wait_for(lambda: not any(trainers(path) for path in sweep_dir.iterdir()), "the end of all jobs")
    if launcher.name == "submitit_slurm":
        assert not queue(launcher)


@pytest.mark.cluster
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"], indirect=True)
def test_sigterm_stops_all_jobs(launcher: Launcher, tmp_path: Path) -> None:
    process = launcher.start(tmp_path, LONG, "seed=0,1", OFTEN)
    process.wait_for(lambda: trainers(tmp_path / "0"), "a job trained")
    process.terminate()
    assert process.end() == 143, process.said()
    assert_all_stopped(launcher, tmp_path)


@pytest.mark.cluster
@pytest.mark.parametrize("launcher", ["joblib", "submitit_local", "ray"], indirect=True)
def test_no_job_outlives_a_killed_sweep(launcher: Launcher, tmp_path: Path) -> None:
    process = launcher.start(tmp_path, LONG, "seed=0,1", OFTEN)
    process.wait_for(lambda: trainers(tmp_path / "0"), "a job trained")
    process.kill()
    assert_all_stopped(launcher, tmp_path)


@pytest.mark.cluster
@pytest.mark.parametrize("launcher", ["submitit_slurm"], indirect=True)
def test_a_repeated_command_takes_over_what_a_killed_sweep_left_in_the_queue(
    launcher: Launcher, tmp_path: Path
) -> None:
    process = launcher.start(tmp_path, f"{LONG},2", OFTEN)
    process.wait_for(lambda: trainers(tmp_path / "0"), "a job trained")
    first = set(trainers(tmp_path / "0"))
    process.kill()
    process = launcher.start(tmp_path, f"{LONG},2", OFTEN)
    # one that has just been stopped leaves nobody there for a moment
    process.wait_for(lambda: set(trainers(tmp_path / "0")) - first, "another trained there")
    process.wait_for(lambda: first.isdisjoint(trainers(tmp_path / "0")), "the first one was stopped")
    assert len(trainers(tmp_path / "0")) == 1
    process.send(signal.SIGINT)
    process.end()
    assert_all_stopped(launcher, tmp_path)
