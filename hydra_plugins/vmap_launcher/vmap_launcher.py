"""What Hydra sees of vectorised sweeps. It imports this at every start, so src.sweep does the work, imported late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hydra.plugins.launcher import Launcher

if TYPE_CHECKING:
    from hydra.core.utils import JobReturn
    from hydra.types import HydraContext, TaskFunction
    from omegaconf import DictConfig


class VmapLauncher(Launcher):
    """Jobs that differ in numbers only train as one.

    Args:
        executor: Who trains the shards: `local`, this process, or a name of ``engines``.
        engines: Launchers that can run a shard as they run a job.
        shard: Most models of a job that an engine gets.
        memory_gb: Memory to use; None for half of what is free.
        cohort: Models that are computed by the same operations; None for what suits the machine.
        tensorboard: Whether TensorBoard's files are written.
    """

    def __init__(
        self,
        executor: str,
        engines: Mapping[str, Any],
        shard: int,
        memory_gb: float | None,
        cohort: int | None,
        *,
        tensorboard: bool,
    ) -> None:
        self.executor, self.engines, self.shard = executor, engines, shard
        self.memory_gb, self.cohort, self.tensorboard = memory_gb, cohort, tensorboard

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra hands over before the first launch."""
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Train all jobs, and tell how each ended, in their order."""
        from src.sweep.vectorised import launch

        return launch(self, job_overrides, first=initial_job_idx)
