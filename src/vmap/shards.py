"""Buckets cut into shards, each of which another launcher runs as it would run a job."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, setup_globals

from src.launch.job import Job as Handed
from src.launch.job import Sweep
from src.sweep.jobs import compose_jobs
from src.vmap.bucket import Options, train_bucket
from src.vmap.limits import cut
from src.vmap.plan import Bucket
from src.vmap.together import Returns, told

log = logging.getLogger(__name__)


class Engine(Protocol):
    """A launcher that can be handed jobs which Hydra knows nothing of."""

    def run(self, sweep: Sweep, jobs: Sequence[Handed]) -> Sequence[JobReturn]:
        """Call ``sweep.run`` for each job, somewhere, and tell how each ended, in their order."""
        ...


@dataclass(frozen=True)
class Shards(Sweep):
    """A sweep whose jobs, in the eyes of an engine, are shards.

    Attributes:
        shards: Number and command line of each model, by the number of the shard.
        options: How they are trained.
    """

    shards: Mapping[int, Sequence[tuple[int, tuple[str, ...]]]] = field(default_factory=dict)
    options: Options = field(default_factory=Options)

    def run(self, job: Handed, *, job_id: str) -> JobReturn:  # noqa: ARG002 - a shard has no name of its own
        """Train a shard here; the value is what each of its models would have told by itself."""
        os.chdir(self.cwd)
        setup_globals()
        Singleton.set_state(dict(self.singletons))
        numbers, overrides = zip(*self.shards[job.num], strict=True)
        outcomes = train_bucket(list(compose_jobs(self.config, overrides, numbers)), self.options)
        # configurations would be most of what travels
        value = [replace(told(outcome), cfg=None, hydra_cfg=None) for outcome in outcomes]
        return JobReturn(overrides=list(job.overrides), status=JobStatus.COMPLETED, _return_value=value)


def train_elsewhere(sweep: Sweep, buckets: Sequence[Bucket], engine: Engine, *, size: int, options: Options) -> Returns:
    """Hand all buckets to an engine.

    Args:
        sweep: What its jobs share.
        buckets: What trains together.
        engine: Runs the shards.
        size: Most models of a shard.
        options: How they are trained.

    Returns:
        How each model ended; those of a shard whose process was lost share its fate.
    """
    parts = [part for bucket in buckets for part in cut(bucket.jobs, size)]
    if not parts:
        return {}
    log.info("%d shards of at most %d models", len(parts), size)
    content = {i: [(job.number, job.overrides) for job in part] for i, part in enumerate(parts)}
    handed = [Handed(i, (f"jobs {part[0].number} to {part[-1].number}",)) for i, part in enumerate(parts)]
    shards = Shards(sweep.hydra_context, sweep.task_function, sweep.config, shards=content, options=options)
    returns: Returns = {}
    for part, ended in zip(parts, engine.run(shards, handed), strict=True):
        each = ended.return_value if ended.status == JobStatus.COMPLETED else [ended] * len(part)
        returns |= {job.number: one for job, one in zip(part, each, strict=True)}
    return returns
