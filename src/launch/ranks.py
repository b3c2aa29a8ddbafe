"""Runs that several processes train: what they must agree on, and how such a run is one job of a sweep.

Lightning starts the further processes by repeating the command line. That of a sweep would start the whole sweep again,
and what it leaves in the environment would make the next job wait for processes that nobody starts. So a job of this
kind is a command of its own.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, MutableMapping, Sequence
from pathlib import Path

from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from src.config.compose import quoted
from src.config.errors import ConfigError
from src.launch.parent_death import die_with_parent, parent_lock
from src.run.directory import RunDir
from src.run.result import Failure

_PARENT_LOCK = "SWEEP_PARENT_LOCK"


# What launchers and images tell a process of its place among others, and what a process by itself would be told.
_ALONE = {
    **dict.fromkeys(("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "SLURM_PROCID", "SLURM_LOCALID"), "0"),
    **dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"), "1"),
}


def be_alone(cfg: DictConfig, environ: MutableMapping[str, str] = os.environ) -> None:
    """Let a run on one device be a run by itself, whatever place the environment gives its process.

    Ranks are left over in images and clusters, and `srun` gives each task one, also where every task trains a run of
    its own. Lightning would take such a process for one that keeps no records. Called before Lightning is imported,
    which looks for a rank at once.
    """
    if not wants_many(cfg.trainer):
        environ.update({name: value for name, value in _ALONE.items() if name in environ})


def n_started(environ: Mapping[str, str] = os.environ) -> int:
    """Processes that srun or torchrun has started for this run."""
    return int(environ.get("SLURM_STEP_NUM_TASKS") or environ.get("WORLD_SIZE") or 1)


def is_first_process(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this process speaks for a run that several processes train; launchers tell each its rank."""
    # a rank on its node says all only together with that of the node
    ranks = ("RANK",), ("LOCAL_RANK", "NODE_RANK"), ("SLURM_PROCID",)
    own = next((names for names in ranks if names[0] in environ), ())
    return all(environ.get(name, "0") == "0" for name in own)


def wants_many(trainer: DictConfig) -> bool:
    """Whether the trainer is told to train in more than one process; what it finds out by itself counts as well."""
    return (trainer.get("devices", 1), trainer.get("num_nodes", 1)) != (1, 1)


def check_processes(cfg: DictConfig, hydra_cfg: DictConfig, environ: Mapping[str, str] = os.environ) -> None:
    """Refuse a run whose processes would wait for each other for ever, or write to different directories.

    Args:
        cfg: A composed configuration of conf/train.yaml.
        hydra_cfg: Hydra's own configuration.
        environ: Environment of this process.

    Raises:
        ConfigError: If nobody starts the processes of the other nodes, if several processes that train one model were
            given no directory in common, or if they run a sweep, of which each would be one process.
    """
    n_nodes = cfg.trainer.get("num_nodes", 1)
    started = n_started(environ)
    if started == 1 and n_nodes > 1 and not {"NODE_RANK", "GROUP_RANK"} & environ.keys():
        raise ConfigError(
            f"trainer.num_nodes={n_nodes} needs processes on all nodes: start them by `srun --nodes={n_nodes} "
            "--ntasks-per-node=<trainer.devices> python -m src.train ... hydra.run.dir=...`, or in a sweep by "
            f"hydra/launcher=submitit_slurm hydra.launcher.nodes={n_nodes} "
            "hydra.launcher.tasks_per_node=<trainer.devices>"
        )
    if started == 1:
        return
    if hydra_cfg.mode == RunMode.MULTIRUN:
        if "SUBMITIT_EXECUTOR" not in environ:
            raise ConfigError(
                f"{started} processes were started for one sweep, -m wants one: leave out srun, and let every job be "
                f"{started} processes by hydra/launcher=submitit_slurm hydra.launcher.tasks_per_node=<trainer.devices>"
            )
        return
    written = str(OmegaConf.to_container(hydra_cfg.run, resolve=False)["dir"])  # type: ignore[index, call-overload]
    if "${now:" in written or "${unique:" in written:
        raise ConfigError(
            f"hydra.run.dir={written} is another directory for each of the {started} processes that train this model; "
            "give one that all of them share, such as hydra.run.dir=outputs/runs/mine"
        )


def is_own_command(cfg: DictConfig, hydra_cfg: DictConfig) -> bool:
    """Whether a job of a sweep has to be a command of its own, because Lightning starts further processes for it."""
    return hydra_cfg.mode == RunMode.MULTIRUN and wants_many(cfg.trainer) and n_started() == 1


def run_as_command(module: str, overrides: Sequence[str], run_dir: Path, *, cwd: Path) -> float | None:
    """Train a job of a sweep as a single run of its own, which ends with this process.

    Args:
        module: What ``python -m`` starts.
        overrides: The job's part of the command line.
        run_dir: Its directory.
        cwd: Where the sweep was started.

    Returns:
        The value of ``cfg.optimized_metric``.

    Raises:
        RuntimeError: If it failed; gives what its result says.
    """
    directory = f"hydra.run.dir={quoted(run_dir.resolve())}"
    command = [sys.executable, "-m", module, *overrides, "hydra.mode=RUN", directory]
    with subprocess.Popen(command, cwd=cwd, env={**os.environ, _PARENT_LOCK: str(parent_lock())}) as process:
        try:
            status = process.wait()
        except BaseException:
            process.kill()
            raise
    result = RunDir(run_dir).result()
    if status != 0:
        error = (result and result.error) or Failure("Killed", "it left no result", "")
        raise RuntimeError(f"its own command ended with status {status}: {error.type}: {error.message}")
    assert result is not None
    return result.value


def end_with_sweep(environ: Mapping[str, str] = os.environ) -> None:
    """End with the process that runs the sweep, if this is a command that it has started."""
    if _PARENT_LOCK in environ:
        die_with_parent(Path(environ[_PARENT_LOCK]))
