"""Train a bucket, and record it.

The models of a shard are trained together and recorded together. Inside a shard they stand in cohorts, whose
activations fit into a cache; a block of epochs takes one cohort after the other.
"""

import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from src.build import build_task, build_trainer
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.sweep.jobs import Job, hydra_config
from src.tasks.base import Task
from src.vmap.cohort import Watch
from src.vmap.ensemble import Ensemble
from src.vmap.limits import Limits, cut
from src.vmap.members import Maker
from src.vmap.progress import Unseen
from src.vmap.record import Outcome, Recorder
from src.vmap.trained import score_names
from src.vmap.unfinished import KeepShard, Shard, find


@dataclass(frozen=True)
class Options:
    """How a bucket is trained.

    Attributes:
        memory_gb: Memory to use; None for half of what is free.
        cohort: Models that are computed by the same operations; None for what fits into a cache, or a GPU's memory.
        tensorboard: Whether loggers of TensorBoard are told.
        pictures: Whether the pictures of each run are drawn, which takes longer than all the rest.
        folder: Where unfinished shards are kept; None keeps none.
    """

    memory_gb: float | None = None
    cohort: int | None = None
    tensorboard: bool = True
    pictures: bool = False
    folder: Path | None = None


def train_bucket(
    jobs: Sequence[Job], options: Options, *, progress: Unseen | None = None, maker: Maker | None = None
) -> list[Outcome]:
    """Train jobs that `src.vmap.plan` has put together, and record each as its single run would.

    Args:
        jobs: Of one bucket.
        options: How.
        progress: Told of every model and epoch.
        maker: That of the plan, which has made some of what they need.

    Returns:
        What came of each job, in their order.
    """
    progress = progress or Unseen()
    outcomes: dict[Path, Outcome] = {}
    open_jobs: list[Job] = []
    for job in jobs:
        try:
            claim = RunDir(job.run_dir).claim(job.cfg, overrides=job.own_overrides, hydra_cfg=job.hydra_cfg.hydra)
        except ConfigError as error:
            outcomes[job.run_dir] = Outcome(job, "failed", error=error)
            continue
        if claim == "completed":
            outcomes[job.run_dir] = _stored(job)
        else:
            open_jobs.append(job)
    progress.recorded(len(jobs) - len(open_jobs))
    with hydra_config(jobs[0].hydra_cfg):
        for outcome in _train(jobs, {job.number for job in open_jobs}, options, progress, maker or Maker()):
            outcomes[outcome.job.run_dir] = outcome
            progress.recorded(1)
    return [outcomes[job.run_dir] for job in jobs]


def _stored(job: Job) -> Outcome:
    result = RunDir(job.run_dir).result()
    assert result is not None
    return Outcome(job, "completed", result["optimized_metric"]["value"])


def _train(
    jobs: Sequence[Job], wanted: set[int], options: Options, progress: Unseen, maker: Maker
) -> Iterator[Outcome]:
    """Train and record those jobs of a bucket that are wanted, beginning with what has been left unfinished."""
    cfg = jobs[0].cfg
    if not wanted:
        progress.trained(len(jobs) * cfg.trainer.max_epochs)
        return
    task: Task = build_task(cfg, maker.datamodule(jobs[0]).spec)
    device = build_trainer(cfg, [], []).strategy.root_device
    limits = Limits.of(maker.member(jobs[0]), task.net, device, memory_gb=options.memory_gb, cohort=options.cohort)
    found = [] if options.folder is None else find(options.folder, jobs, maker)
    begun = [shard for shard in found if any(job.number in wanted for job in shard.jobs)]
    taken = {job.number for shard in begun for job in shard.jobs}
    left = [job for job in jobs if job.number in wanted - taken]
    progress.trained((len(jobs) - len(taken) - len(left)) * cfg.trainer.max_epochs)
    for shard in [*begun, *(Shard(part, limits.cohort) for part in cut(left, limits.shard))]:
        yield from _train_shard(shard, wanted, maker, task, options, progress)


def _train_shard(
    shard: Shard, wanted: set[int], maker: Maker, task: Task, options: Options, progress: Unseen
) -> Iterator[Outcome]:
    started = time.monotonic()
    cfg = shard.jobs[0].cfg
    keeper = None
    if options.folder is not None and (node := _checkpoint(cfg)) is not None:
        keeper = KeepShard(options.folder, every_s=node.every_s, shard=shard, maker=maker)
    trainer = build_trainer(cfg, [] if keeper is None else [keeper], [])
    ensemble = Ensemble(
        [maker.member(job) for job in shard.jobs],
        task=task,
        batch_size=maker.batch_size(shard.jobs[0]),
        watch=_watch_of(cfg, task),
        size=shard.size,
        progress=progress,
    )
    try:
        # one batch, which nobody reads, for each block of epochs
        trainer.fit(ensemble, train_dataloaders=[0], ckpt_path=shard.path, weights_only=True)
    except SystemExit:
        # Lightning turns Ctrl-C into SystemExit and leaves SIGINT ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None
    recorder = Recorder(
        task=task,
        maker=maker,
        trainer=trainer,
        schedule=ensemble.schedule,
        shell=_shell(trainer),
        tensorboard=options.tensorboard,
        pictures=options.pictures,
        duration_s=(shard.seconds + time.monotonic() - started) / len(shard.jobs),
    )
    for cohort in ensemble.cohorts:
        yield from recorder.record(cohort, wanted)
    if keeper is not None:
        keeper.discard()


def _checkpoint(cfg: Any) -> Any:
    """Configuration of the checkpoint callback; None where there is no such callback."""
    nodes = [node for node in cfg.callbacks.values() if node is not None]
    return next((node for node in nodes if node._target_.endswith(".BestAndLast")), None)


def _watch_of(cfg: Any, task: Task) -> Watch | None:
    """What the checkpoint callback of a configuration looks at; None where there is no such callback."""
    node = _checkpoint(cfg)
    return None if node is None else Watch(score_names(task).index(node.monitor), 1.0 if node.mode == "min" else -1.0)


def _shell(trainer: pl.Trainer) -> dict[str, Any]:
    """A checkpoint of the trainer itself: how far its loops have come."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shell.ckpt"
        trainer.save_checkpoint(path)
        shell: dict[str, Any] = torch.load(path, weights_only=True)
    return {name: value for name, value in shell.items() if name not in ("cohorts", "shard")}
