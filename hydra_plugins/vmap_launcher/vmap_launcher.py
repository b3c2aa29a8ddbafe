"""What Hydra sees of stacked sweeps. It imports this at every start, so src.vmap is imported late."""

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
    from src.vmap.planning.plan import Stack

_LOCAL = "local"
_PICTURES = ("none", "report", "all")


class VmapLauncher(Launcher):
    """Trains jobs that differ in seeds and numbers as one batch, and any other job as a single run.

    Args:
        executor: Who trains: `local`, this process, or a name of ``engines``.
        engines: Launchers that can run many models as they run a job.
        models_per_process: Most models that an engine gets at once.
        memory_gb: Memory to use; None for half of what is free.
        models_per_step: Models that one step computes; None to choose.
        fused: Who computes small networks: `auto`, Numba where it is installed, or `never`, always PyTorch.
        tensorboard: Whether loggers of TensorBoard write their files.
        pictures: Which jobs get pictures: `none`, `all`, or `report` for those that the report shows, which
            `src.sweep.guard` draws once the sweep is over.
        **unknown: Refused when the sweep starts.
    """

    def __init__(
        self,
        *,
        executor: str,
        engines: Mapping[str, Any],
        models_per_process: int,
        memory_gb: float | None,
        models_per_step: int | None,
        fused: str,
        tensorboard: bool,
        pictures: str,
        **unknown: Any,
    ) -> None:
        self.executor, self.engines, self.unknown = executor, engines, unknown
        self.models_per_process, self.memory_gb, self.models_per_step = models_per_process, memory_gb, models_per_step
        self.fused, self.tensorboard, self.pictures = fused, tensorboard, pictures

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
        from src.run.directory import UNFINISHED

        self._check()
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        sweep = Sweep(self.hydra_context, self.task_function, self.config)
        with without_scipy_signal():
            from src.vmap.job_callbacks import JobCallbacks
            from src.vmap.remote import train_remotely
            from src.vmap.run import run_stacked
            from src.vmap.train import StackOptions

        folder = Path(self.config.hydra.sweep.dir).absolute() / UNFINISHED
        options = StackOptions(
            memory_gb=self.memory_gb,
            models_per_step=self.models_per_step,
            fused=self.fused == "auto",
            tensorboard=self.tensorboard,
            pictures=self.pictures == "all",
            folder=folder,
        )
        callbacks = JobCallbacks(self.hydra_context, self.task_function)
        remotely: Callable[[Sequence[Stack], StackOptions], dict[int, JobReturn]] | None = None
        if self.executor != _LOCAL:
            executor, size = self.engines[self.executor], self.models_per_process

            def remotely(stacks: Sequence[Stack], options: StackOptions) -> dict[int, JobReturn]:
                return train_remotely(sweep, stacks, executor=executor, size=size, options=options)

        returns = run_stacked(
            self.config,
            job_overrides,
            first=initial_job_idx,
            options=options,
            run_single=functools.partial(self._run_single, sweep, callbacks.context),
            train_remotely=remotely,
            callbacks=callbacks,
        )
        # where no chunk was lost, those that are left were cut in another way
        if all(one.status == JobStatus.COMPLETED for one in returns):
            shutil.rmtree(folder, ignore_errors=True)
        return returns

    def _check(self) -> None:
        from src.config.errors import ConfigError, suggest
        from src.config.keys import RENAMED

        keys = (
            *("executor", "engines", "models_per_process", "memory_gb", "models_per_step", "fused", "tensorboard"),
            "pictures",
        )
        for key in self.unknown:
            now = RENAMED.get(f"hydra.launcher.{key}")
            hint = f"it is called {now} now" if now else suggest(key, keys, prefix="hydra.launcher.")
            raise ConfigError(f"hydra.launcher.{key}: unknown key; {hint}")
        known = [_LOCAL, *self.engines]
        if self.executor not in known:
            raise ConfigError(f"hydra.launcher.executor: got {self.executor}; allowed: {', '.join(known)}")
        if self.pictures not in _PICTURES:
            # what the key held once
            before: dict[Any, str] = {True: "true, which is called all now", False: "false, which is called none now"}
            given = before.get(self.pictures, self.pictures)
            raise ConfigError(f"hydra.launcher.pictures: got {given}; allowed: {', '.join(_PICTURES)}")
        for key in ("models_per_process", "memory_gb", "models_per_step"):
            value = getattr(self, key)
            if value is not None and not value > 0:
                raise ConfigError(f"hydra.launcher.{key}: got {value}; allowed: a number greater than 0")

    def _run_single(self, sweep: Sweep, context: HydraContext, jobs: Sequence[Job]) -> dict[int, JobReturn]:
        """Run jobs as the engine does, or as Hydra's own launcher with a context for this process."""
        from src.compat.hydra import BasicLauncher
        from src.launch.job import JobSpec

        if self.executor != _LOCAL:
            launched = [JobSpec(job.number, job.overrides) for job in jobs]
            done = self.engines[self.executor].run(sweep, launched) if launched else []
            return {job.number: one for job, one in zip(jobs, done, strict=True)}
        launcher = BasicLauncher()
        launcher.setup(hydra_context=context, task_function=self.task_function, config=self.config)
        return {job.number: launcher.launch([list(job.overrides)], job.number)[0] for job in jobs}
