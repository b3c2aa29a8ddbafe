"""What Hydra does around each job of a sweep, for the jobs of a stack: callbacks hear of it."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from src.sweep.after_job import AfterJob
from src.sweep.jobs import Job, hydra_config
from src.vmap.train_log import train_log


class JobCallbacks:
    """Callbacks of Hydra that hear of jobs, called once for each job, be it stacked or run by itself.

    The jobs of a stack begin together. So what a callback keeps in an attribute when a job begins, such as the time, is
    put back when this job ends.

    Args:
        context: Holds the callbacks of the sweep.
        task_function: What they are told that a job calls.
    """

    def __init__(self, context: HydraContext, task_function: TaskFunction) -> None:
        self._context, self._task_function = context, task_function
        every = getattr(context.callbacks, "callbacks", [])
        self._listening = [each for each in every if _listens(each)]
        self._configs: dict[int, DictConfig] = {}
        self._kept: dict[int, list[dict[str, Any]]] = {}

    @property
    def context(self) -> HydraContext:
        """For a launcher of single runs: of a job whose stack has failed, the beginning is told already."""
        return HydraContext(config_loader=self._context.config_loader, callbacks=self)  # type: ignore[arg-type] # its two methods

    def start(self, jobs: Sequence[Job]) -> None:
        """Tell that jobs begin."""
        for job in jobs if self._listening else ():
            config = self._configs[job.number] = _whole(job)
            with _as_its_run(job):
                self.on_job_start(config, task_function=self._task_function)

    def end(self, job: Job, returned: JobReturn) -> None:
        """Tell that a job has ended."""
        if self._listening:
            with _as_its_run(job):
                # what a sweeper hears is kept for as long as the sweep, and holds no configuration
                whole = replace(returned, cfg=job.cfg, hydra_cfg=job.hydra_cfg)
                self.on_job_end(self._configs.pop(job.number), job_return=whole)

    def on_job_start(self, config: DictConfig, *, task_function: TaskFunction) -> None:
        """Hydra's own call; also of `start`."""
        number = config.hydra.job.num
        if number in self._kept:
            return
        before = [dict(vars(each)) for each in self._listening]
        self._context.callbacks.on_job_start(config=config, task_function=task_function)
        self._kept[number] = [
            {name: value for name, value in vars(each).items() if name not in had or had[name] is not value}
            for each, had in zip(self._listening, before, strict=True)
        ]

    def on_job_end(self, config: DictConfig, job_return: JobReturn) -> None:
        """Hydra's own call; also of `end`."""
        for each, kept in zip(self._listening, self._kept.pop(config.hydra.job.num, ()), strict=False):
            vars(each).update(kept)
        self._context.callbacks.on_job_end(config=config, job_return=job_return)


def _listens(callback: Any) -> bool:
    """Whether it does anything for a job; most do not, and a configuration for each of thousands takes a while.

    `AfterJob` lets go of what Hydra would keep of a job, and of one in a stack there is nothing.
    """
    return not isinstance(callback, AfterJob) and any(
        getattr(type(callback), name, None) is not getattr(Callback, name) for name in ("on_job_start", "on_job_end")
    )


def _whole(job: Job) -> DictConfig:
    """The configuration of a job as Hydra passes it, with the `hydra` node."""
    config = OmegaConf.create(job.asked)
    with open_dict(config):
        config.hydra = job.hydra_cfg.hydra
    return config


@contextlib.contextmanager
def _as_its_run(job: Job) -> Iterator[None]:
    """Let a callback read from Hydra what it reads in a job, and write into the log of that job."""
    with contextlib.suppress(OSError):
        # one that cannot be made is told when the job is to be recorded
        job.run_dir.mkdir(parents=True, exist_ok=True)
    root = logging.getLogger()
    before = root.level
    # a worker process has not been told what to log, which Hydra does for each job that it runs there
    for file in job.log_files:
        root.setLevel(file.level)
    try:
        with hydra_config(job.hydra_cfg), train_log(job, listens=True):
            yield
    finally:
        root.setLevel(before)
