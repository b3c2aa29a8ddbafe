"""Sweeps as Hydra composes them, and the records that their jobs would leave."""

from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig

from src.run.directory import RunDir
from src.run.result import Metric, Result
from src.sweep.jobs import compose_jobs
from src.sweep.values import expand
from tests.tasks.runs import QUIET


def composed(*overrides: str, mode: RunMode = RunMode.MULTIRUN, quiet: bool = True) -> DictConfig:
    """The configuration of a command; Hydra must be initialised."""
    hydra = GlobalHydra.instance().hydra
    assert hydra is not None
    return hydra.compose_config("train", [*(QUIET if quiet else ()), *overrides], run_mode=mode)


def complete(config: DictConfig, *numbers: int) -> None:
    """Leave the records of jobs that have completed."""
    for job in compose_jobs(config, expand(config) or []):
        if job.number in numbers:
            run = RunDir(job.run_dir)
            run.claim(job.cfg, overrides=job.overrides)
            metric = Metric("val/loss", 1.0)
            result = Result(
                status="completed", metrics={"val/loss": 1.0}, optimized_metric=metric, overrides=job.overrides
            )
            result.write(run.result_file)
