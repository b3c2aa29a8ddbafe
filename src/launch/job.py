"""One job of a sweep, in whatever process a launcher runs it, and what becomes of it."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, filter_overrides
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from src.compat.hydra import failed, quiet_hydra, restore, run_job, state
from src.config.command.marks import stand_side_by_side
from src.config.errors import ConfigError
from src.config.resolvers import register_resolvers

log = logging.getLogger(__name__)


class JobDiedError(ConfigError):
    """A job ended without a result: its process was killed, its machine died, its time was up.

    Shown without a traceback, which would be that of a launcher.
    """


@dataclass(frozen=True)
class JobSpec:
    """What sets one job of a sweep apart.

    Attributes:
        number: Its number, which names its directory.
        overrides: Its part of the command line.
    """

    number: int
    overrides: tuple[str, ...]

    def died(self, why: str) -> JobReturn:
        """What a launcher returns of a job that could not return it itself; its directory is left to be resumed."""
        log.warning("job %d (%s) died: %s", self.number, " ".join(filter_overrides(self.overrides)), why)
        return failed(self.overrides, JobDiedError(f"job {self.number}: {why}"))


@dataclass(frozen=True)
class Sweep:
    """What all jobs of a sweep share; goes to other processes by pickle.

    Attributes:
        hydra_context: Loads the configuration of a job.
        task_function: What a job calls with it.
        config: The configuration of the sweep.
        hydra_state: Hydra's state in the process that started the sweep.
        cwd: The folder that it was started from, where relative paths begin.
    """

    hydra_context: HydraContext
    task_function: Callable[[DictConfig], Any]
    config: DictConfig
    hydra_state: Mapping[Any, Any] = field(default_factory=state)
    cwd: Path = field(default_factory=Path.cwd)

    def announce(self, job_overrides: Sequence[Sequence[str]], *, first: int) -> list[JobSpec]:
        """Number the jobs and list them on the console.

        Args:
            job_overrides: Command line of each.
            first: Number of the first one.
        """
        Path(str(self.config.hydra.sweep.dir)).mkdir(parents=True, exist_ok=True)
        log.info("Launching %d jobs", len(job_overrides))
        jobs = [JobSpec(first + i, tuple(overrides)) for i, overrides in enumerate(job_overrides)]
        for job in jobs:
            log.info("\t#%d : %s", job.number, " ".join(filter_overrides(job.overrides)))
        return jobs

    def enter(self) -> None:
        """Give this process the folder and the Hydra state of the one that started the sweep."""
        os.chdir(self.cwd)
        stand_side_by_side()
        register_resolvers()
        restore(self.hydra_state)

    def run(self, job: JobSpec, *, job_id: str) -> JobReturn:
        """Run a job here, in a process that is not the one which started the sweep.

        Args:
            job: The job.
            job_id: What the launcher calls it.
        """
        self.enter()
        config = self.hydra_context.config_loader.load_sweep_config(self.config, list(job.overrides))
        with open_dict(config):
            config.hydra.job.id = job_id
            config.hydra.job.num = job.number
        HydraConfig.instance().set_config(config)
        with quiet_hydra():
            return run_job(
                hydra_context=self.hydra_context,
                task_function=self.task_function,
                config=config,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
