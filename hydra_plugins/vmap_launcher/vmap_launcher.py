"""What Hydra sees of the launcher. It imports this at every start, so src.sweep does the work, imported late."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from src.sweep.jobs import Job


class VmapLauncher(Launcher):
    """Jobs that differ in seeds and numbers as one batch, the others one after the other.

    Args:
        memory_gb: Memory to use; None for half of what is free.
        cohort: Models that are computed by the same operations; None to choose.
        tensorboard: Whether loggers of TensorBoard are told.
        pictures: Whether the pictures of each run are drawn.
    """

    def __init__(self, *, memory_gb: float | None, cohort: int | None, tensorboard: bool, pictures: bool) -> None:
        self.memory_gb, self.cohort, self.tensorboard, self.pictures = memory_gb, cohort, tensorboard, pictures

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over before the first launch."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a job for each command line, and tell how each ended, in their order."""
        from hydra.core.utils import configure_log, setup_globals

        from src.launch.job import Sweep
        from src.lean import without_scipy_signal

        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        Sweep(self.hydra_context, self.task_function, self.config).announce(job_overrides, first=initial_job_idx)
        with without_scipy_signal():
            from src.sweep.ensemble import Options
            from src.sweep.together import run_together

        options = Options(
            memory_gb=self.memory_gb, cohort=self.cohort, tensorboard=self.tensorboard, pictures=self.pictures
        )
        return run_together(self.config, job_overrides, first=initial_job_idx, options=options, alone=self._alone)

    def _alone(self, job: Job) -> JobReturn:
        """Run a job as Hydra's own launcher does."""
        from hydra._internal.core_plugins.basic_launcher import BasicLauncher

        launcher = BasicLauncher()
        launcher.setup(hydra_context=self.hydra_context, task_function=self.task_function, config=self.config)
        (done,) = launcher.launch([list(job.overrides)], job.number)
        return done
