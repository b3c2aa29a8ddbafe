"""Stacks cut into chunks, each of which another launcher runs as it would run a job."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from hydra.core.utils import JobReturn, JobStatus

from src.launch.job import JobSpec, Sweep
from src.sweep.jobs import compose_jobs
from src.vmap.job_callbacks import JobCallbacks
from src.vmap.limits import cut
from src.vmap.planning.plan import Stack
from src.vmap.run import Returns, train_jobs
from src.vmap.train import StackOptions

log = logging.getLogger(__name__)


class Executor(Protocol):
    """A launcher that can be handed jobs which Hydra knows nothing of."""

    def run(self, sweep: Sweep, jobs: Sequence[JobSpec]) -> Sequence[JobReturn]:
        """Call ``sweep.run`` for each job, somewhere, and tell how each ended, in their order."""
        ...


@dataclass(frozen=True)
class ChunkSweep(Sweep):
    """A sweep whose jobs, in the eyes of an executor, are chunks.

    Attributes:
        chunks: Number and command line of each model, by the number of the chunk.
        options: How they are trained.
    """

    chunks: Mapping[int, Sequence[tuple[int, tuple[str, ...]]]] = field(default_factory=dict)
    options: StackOptions = field(default_factory=StackOptions)

    def run(self, job: JobSpec, *, job_id: str) -> JobReturn:  # noqa: ARG002 - a chunk has no name of its own
        """Train a chunk here; the value is what each of its models would have returned as a single run."""
        self.enter()
        numbers, overrides = zip(*self.chunks[job.number], strict=True)
        jobs = list(compose_jobs(self.config, overrides, numbers))
        returns = train_jobs(jobs, self.options, JobCallbacks(self.hydra_context, self.task_function))
        value = [returns[number] for number in numbers]
        return JobReturn(overrides=list(job.overrides), status=JobStatus.COMPLETED, _return_value=value)


def train_remotely(
    sweep: Sweep, stacks: Sequence[Stack], executor: Executor, *, size: int, options: StackOptions
) -> Returns:
    """Hand all stacks to an executor.

    Args:
        sweep: What its jobs share.
        stacks: What is trained.
        executor: Runs the chunks.
        size: Most models of a chunk.
        options: How they are trained.

    Returns:
        How each model ended; those of a chunk whose process was lost share its fate.
    """
    parts = [part for stack in stacks for part in cut(stack.jobs, size)]
    if not parts:
        return {}
    log.info("%d processes train at most %d models each", len(parts), size)
    chunks = {i: [(job.number, job.overrides) for job in part] for i, part in enumerate(parts)}
    launched = [JobSpec(i, (f"jobs {part[0].number} to {part[-1].number}",)) for i, part in enumerate(parts)]
    chunk_sweep = ChunkSweep(sweep.hydra_context, sweep.task_function, sweep.config, chunks=chunks, options=options)
    returns: Returns = {}
    for part, ended in zip(parts, executor.run(chunk_sweep, launched), strict=True):
        each = ended.return_value if ended.status == JobStatus.COMPLETED else [ended] * len(part)
        returns |= {job.number: one for job, one in zip(part, each, strict=True)}
    return returns
