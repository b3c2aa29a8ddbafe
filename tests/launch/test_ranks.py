"""Runs of several processes, alone, in a sweep, and under Slurm."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.launch.ranks import (
    be_alone,
    check_processes,
    is_first_process,
    is_own_command,
    n_started,
    run_as_command,
    wants_many,
)
from src.run.directory import RunDir
from src.run.result import Failure, Result
from tests.launch.commands import QUIET, Launcher, results
from tests.tasks.runs import stored_weights
from tests.waiting import ROOT, completed

# 800 = 12 * 66 + 8: the last batch is smaller
SHARED = ["trainer.max_epochs=5", "data.batch_size=66", "trainer.accelerator=cpu"]
STEP = {"SLURM_STEP_NUM_TASKS": "2"}


def hydra_cfg(*, mode: str = "RUN", run_dir: str = "outputs/${now:%Y}_${unique:}") -> DictConfig:
    from hydra.types import RunMode

    return OmegaConf.create({"mode": RunMode[mode], "run": {"dir": run_dir}})


def assert_close(a: Path, b: Path) -> None:
    first, second = stored_weights(a), stored_weights(b)
    assert first.keys() == second.keys()
    assert all(torch.allclose(first[key], second[key], rtol=0, atol=1e-5) for key in first)


@pytest.fixture(scope="session")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that all of several processes are compared with."""
    path = tmp_path_factory.mktemp("one") / "run"
    done = completed(sys.executable, "-m", "src.train", *SHARED, *QUIET, f"hydra.run.dir={path}")
    assert done.returncode == 0, done.stderr
    return path


@pytest.mark.slow
def test_a_job_of_a_sweep_may_be_several_processes(tmp_path: Path) -> None:
    status, output = Launcher("basic").run(tmp_path, "trainer=ddp,default", *SHARED)
    assert status == 0, output
    assert_close(tmp_path / "0", tmp_path / "1")
    many, one = results(tmp_path)[0], results(tmp_path)[1]
    assert many is not None
    assert one is not None
    assert many["metrics"] == pytest.approx(one["metrics"], abs=1e-5)
    assert "trainer=ddp" in many["overrides"]


def train_in_two(run_dir: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    """The command of README, in two processes."""
    many = ["trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu", "trainer.max_epochs=3"]
    return completed(sys.executable, "-m", "src.train", *many, *overrides, f"hydra.run.dir={run_dir}")


@pytest.mark.slow
def test_two_processes_say_nothing_that_one_does_not(tmp_path: Path) -> None:
    done = train_in_two(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "sync_dist" not in done.stderr
    assert done.stdout.count("device: cpu") == 1
    result = RunDir(tmp_path).result()
    assert result is not None
    assert result.status == "completed"
    again = train_in_two(tmp_path)
    assert again.returncode == 0
    assert "already completed" in again.stdout


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["setup", "on_train_epoch_end", "on_test_end"])
def test_a_failure_of_the_second_process_is_the_runs_failure(hook: str, tmp_path: Path) -> None:
    own = ["+callbacks.own._target_=tests.launch.rank_one.FailsOnRankOne", f"+callbacks.own.hook={hook}"]
    done = train_in_two(tmp_path, *own, *QUIET)
    assert done.returncode != 0
    result = RunDir(tmp_path).result()
    assert result is not None
    assert result.error is not None
    assert (result.status, result.error.type) == ("failed", "ValueError")
    assert result.error.message == "only the second process has this fault"
    # the first process says what has failed, and not that it has lost the second
    assert "Connection closed" not in done.stderr


@pytest.mark.cluster
def test_two_nodes_train_the_network_of_one_process(slurm: Launcher, one_process: Path, tmp_path: Path) -> None:
    command = ["srun", "--nodes=2", "--ntasks-per-node=1", sys.executable, "-m", "src.train", "trainer=ddp"]
    nodes = ["trainer.devices=1", "trainer.num_nodes=2", f"hydra.run.dir={tmp_path / 'two'}"]
    done = completed(*command, *nodes, *SHARED, *QUIET, env=slurm.env)
    assert done.returncode == 0, done.stderr
    assert_close(tmp_path / "two", one_process)
    per_class = json.loads((tmp_path / "two" / "result.json").read_text())["per_class"]
    assert [row["support"] for row in per_class] == [100, 100]


@pytest.mark.cluster
def test_a_job_in_the_queue_may_be_two_nodes(slurm: Launcher, one_process: Path, tmp_path: Path) -> None:
    nodes = ["hydra.launcher.nodes=2", "hydra.launcher.tasks_per_node=1", "trainer.devices=1", "trainer.num_nodes=2"]
    status, output = slurm.run(tmp_path, "trainer=ddp", "seed=42,0", *nodes, *SHARED)
    assert status == 0, output
    assert_close(tmp_path / "0", one_process)
    first, second = (next(iter(stored_weights(tmp_path / name).values())) for name in ("0", "1"))
    assert not torch.allclose(first, second)


@pytest.mark.cluster
def test_nodes_without_a_common_directory_are_refused(slurm: Launcher) -> None:
    command = ["srun", "--nodes=2", "--ntasks-per-node=1", sys.executable, "-m", "src.train", "trainer=ddp"]
    done = completed(*command, "trainer.devices=1", "trainer.num_nodes=2", *SHARED, *QUIET, env=slurm.env)
    assert done.returncode == 1
    assert "such as hydra.run.dir=outputs/runs/mine" in done.stderr


def test_processes_are_counted_as_srun_and_torchrun_tell() -> None:
    assert n_started({}) == 1
    assert n_started(STEP) == 2
    assert n_started({"WORLD_SIZE": "4"}) == 4


def test_what_a_trainer_wants() -> None:
    assert not wants_many(OmegaConf.create({"devices": 1}))
    assert wants_many(OmegaConf.create({"devices": 2}))
    assert wants_many(OmegaConf.create({"devices": 1, "num_nodes": 2}))


def test_several_processes_need_one_directory() -> None:
    cfg = compose_train(["trainer=ddp"])
    with pytest.raises(ConfigError, match=r"hydra\.run\.dir=.* is another directory for each of the 2 processes"):
        check_processes(cfg, hydra_cfg(), STEP)
    check_processes(cfg, hydra_cfg(run_dir="outputs/mine"), STEP)
    check_processes(cfg, hydra_cfg(), {})


def test_several_nodes_need_somebody_who_starts_them() -> None:
    cfg = compose_train(["trainer=ddp", "trainer.num_nodes=2"])
    with pytest.raises(ConfigError, match=r"trainer\.num_nodes=2 needs processes on all nodes: .*srun --nodes=2"):
        check_processes(cfg, hydra_cfg(), {})
    check_processes(cfg, hydra_cfg(), {"NODE_RANK": "1"})


def test_several_processes_cannot_run_one_sweep() -> None:
    cfg = compose_train(["trainer=ddp"])
    with pytest.raises(ConfigError, match=r"2 processes were started for one sweep.*hydra/launcher=submitit_slurm"):
        check_processes(cfg, hydra_cfg(mode="MULTIRUN"), STEP)
    check_processes(cfg, hydra_cfg(mode="MULTIRUN"), {**STEP, "SUBMITIT_EXECUTOR": "slurm"})


def test_only_a_job_of_several_processes_is_a_command_of_its_own() -> None:
    many, one = compose_train(["trainer=ddp"]), compose_train()
    assert is_own_command(many, hydra_cfg(mode="MULTIRUN"))
    assert not is_own_command(one, hydra_cfg(mode="MULTIRUN"))
    assert not is_own_command(many, hydra_cfg())


def test_a_command_that_fails_tells_what_its_result_says(tmp_path: Path) -> None:
    Result(status="failed", error=Failure.of(ValueError("too hot"))).write(tmp_path / "result.json")
    with pytest.raises(RuntimeError, match="ended with status 1: ValueError: too hot"):
        run_as_command("no.such.module", [], tmp_path, cwd=ROOT)
    with pytest.raises(RuntimeError, match="ended with status 1: Killed: it left no result"):
        run_as_command("no.such.module", [], tmp_path / "it's, a=run", cwd=ROOT)


@pytest.mark.parametrize(
    ("environ", "first"),
    [
        ({}, True),
        ({"SLURM_PROCID": "1"}, False),
        ({"SLURM_PROCID": "0", "LOCAL_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "1"}, False),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, True),
        ({"RANK": "0", "LOCAL_RANK": "0", "NODE_RANK": "1"}, True),
    ],
)
def test_the_first_of_all_processes_speaks(
    environ: dict[str, str], *, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert is_first_process() is first


LEFT_OVER = {"RANK": "1", "LOCAL_RANK": "1", "NODE_RANK": "3", "WORLD_SIZE": "4", "SLURM_PROCID": "2", "HOME": "/"}


def test_a_run_on_one_device_is_alone_whatever_is_left_in_the_environment() -> None:
    environ = dict(LEFT_OVER)
    be_alone(compose_train([]), environ)
    assert is_first_process(environ)
    assert n_started(environ) == 1
    assert environ["HOME"] == "/"
    assert environ.keys() == LEFT_OVER.keys()
    many = dict(LEFT_OVER)
    be_alone(compose_train(["trainer=ddp"]), many)
    assert many == LEFT_OVER


@pytest.mark.slow
@pytest.mark.parametrize(
    "left", [{"LOCAL_RANK": "1"}, {"RANK": "1", "WORLD_SIZE": "2"}, {"SLURM_PROCID": "3"}], ids=str
)
@pytest.mark.parametrize("mode", ["run", "sweep"])
def test_such_a_run_leaves_its_records(mode: str, left: dict[str, str], tmp_path: Path) -> None:
    where = [f"hydra.run.dir={tmp_path}/0"] if mode == "run" else ["-m", f"hydra.sweep.dir={tmp_path}", "seed=1,2"]
    environment = {**os.environ, **left}
    if mode == "sweep":
        # a sweep for each of two processes is refused instead
        environment.pop("WORLD_SIZE", None)
    done = completed(sys.executable, "-m", "src.train", *where, *SHARED, *QUIET, env=environment)
    assert done.returncode == 0, done.stderr
    result = Result.read(tmp_path / "0" / "result.json")
    assert result is not None
    assert result.status == "completed"
    assert (tmp_path / "0" / "metrics.csv").is_file()
    assert (tmp_path / "0" / "checkpoints" / "last.ckpt").is_file()
