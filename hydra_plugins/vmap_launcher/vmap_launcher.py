"""What Hydra sees of sweeps that train together. It imports this at every start, so src.sweep is imported late."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig

    from src.launch.job import Sweep
    from src.sweep.jobs import Job
    from src.vmap.plan import Bucket

_LOCAL = "local"


class VmapLauncher(Launcher):
    """Trains jobs that differ in seeds and numbers as one batch, and any other job by itself.

    Args:
        executor: Who trains: `local`, this process, or a name of ``engines``.
        engines: Launchers that can run a shard as they run a job.
        shard: Most models that an engine gets at once.
        memory_gb: Memory to use; None for half of what is free.
        cohort: Models that are computed by the same operations; None to choose.
        tensorboard: Whether loggers of TensorBoard are told.
        pictures: Whether the pictures of each run are drawn.
    """

    def __init__(
        self,
        *,
        executor: str,
        engines: Mapping[str, Any],
        shard: int,
        memory_gb: float | None,
        cohort: int | None,
        tensorboard: bool,
        pictures: bool,
    ) -> None:
        self.executor, self.engines, self.shard = executor, engines, shard
        self.memory_gb, self.cohort, self.tensorboard, self.pictures = memory_gb, cohort, tensorboard, pictures

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over before the first launch."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Run a job for each command line, and tell how each ended, in their order.

        Raises:
            ConfigError: If a setting is out of range.
        """
        from hydra.core.utils import JobStatus, configure_log, setup_globals

        from src.compat.torchmetrics import without_scipy_signal
        from src.launch.job import Sweep

        self._check()
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        sweep = Sweep(self.hydra_context, self.task_function, self.config)
        if len(job_overrides) <= 20:
            sweep.announce(job_overrides, first=initial_job_idx)
        with without_scipy_signal():
            from src.vmap.bucket import Options
            from src.vmap.shards import train_elsewhere
            from src.vmap.together import run_together

        folder = Path(self.config.hydra.sweep.dir).absolute() / ".unfinished"
        options = Options(
            memory_gb=self.memory_gb,
            cohort=self.cohort,
            tensorboard=self.tensorboard,
            pictures=self.pictures,
            folder=folder,
        )
        elsewhere: Callable[[Sequence[Bucket]], dict[int, JobReturn]] | None = None
        if self.executor != _LOCAL:
            elsewhere = functools.partial(
                train_elsewhere, sweep, engine=self.engines[self.executor], size=self.shard, options=options
            )
        returns = run_together(
            self.config,
            job_overrides,
            first=initial_job_idx,
            options=options,
            alone=functools.partial(self._alone, sweep),
            elsewhere=elsewhere,
        )
        # where no shard was lost, those that are left were cut in another way
        if all(one.status == JobStatus.COMPLETED for one in returns):
            shutil.rmtree(folder, ignore_errors=True)
        return returns

    def _check(self) -> None:
        from src.config.errors import ConfigError

        known = [_LOCAL, *self.engines]
        if self.executor not in known:
            raise ConfigError(f"hydra.launcher.executor: got {self.executor}; allowed: {', '.join(known)}")
        for key in ("shard", "memory_gb", "cohort"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                raise ConfigError(f"hydra.launcher.{key}: got {value}; allowed: a number greater than 0")

    def _alone(self, sweep: Sweep, jobs: Sequence[Job]) -> dict[int, JobReturn]:
        """Run jobs as the engine does, or as Hydra's own launcher."""
        from hydra._internal.core_plugins.basic_launcher import BasicLauncher

        from src.launch.job import Job as Handed

        if self.executor != _LOCAL:
            handed = [Handed(job.number, job.overrides) for job in jobs]
            done = self.engines[self.executor].run(sweep, handed) if handed else []
            return {job.number: one for job, one in zip(jobs, done, strict=True)}
        launcher = BasicLauncher()
        launcher.setup(hydra_context=self.hydra_context, task_function=self.task_function, config=self.config)
        return {job.number: launcher.launch([list(job.overrides)], job.number)[0] for job in jobs}
