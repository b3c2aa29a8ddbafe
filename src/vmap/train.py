"""Train a stack, chunk by chunk, and record its models."""

import contextlib
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from src.build import build_trainer, watched_end
from src.checks.device import describe_device
from src.compat.lightning import interruptible
from src.compat.quiet import quiet_lightning
from src.config.command import interrupts
from src.config.metrics import mode_of
from src.console.sweep import NoProgress
from src.run.directory import RunDir
from src.run.files import written_together
from src.run.log import Said
from src.sweep.jobs import Job, hydra_config
from src.vmap.limits import Limits, cut
from src.vmap.models import Model, ModelFactory
from src.vmap.module import StackedModule
from src.vmap.record import ModelRecorder, Outcome
from src.vmap.stacked.fused import SINGLE, is_fit
from src.vmap.tile import Monitor
from src.vmap.train_log import say
from src.vmap.unfinished import Chunk, ChunkCheckpoint, unfinished_chunks

log = logging.getLogger(__name__)

# Jobs whose directories are flushed to the disk at once; the names of their files are held until then.
_CLAIMED_TOGETHER = 2000


@dataclass(frozen=True)
class StackOptions:
    """How a stack is trained.

    Attributes:
        memory_gb: Memory to use; None for half of what is free.
        models_per_step: Models that one step computes; None for what fits into a cache, or a GPU's memory.
        fused: Whether Numba may compute, where it can.
        tensorboard: Whether loggers of TensorBoard write their files.
        pictures: Whether each run gets its pictures, and its graph and curves in TensorBoard, the longest part of all.
        folder: Where unfinished chunks are kept; None keeps none.
    """

    memory_gb: float | None = None
    models_per_step: int | None = None
    fused: bool = True
    tensorboard: bool = True
    pictures: bool = False
    folder: Path | None = None


def train_stack(
    jobs: Sequence[Job],
    options: StackOptions,
    *,
    progress: NoProgress | None = None,
    factory: ModelFactory | None = None,
) -> list[Outcome]:
    """Train jobs that `src.vmap.planning.plan` has stacked, and record each as its single run would.

    Args:
        jobs: Of one stack.
        options: How.
        progress: Hears of every model and epoch.
        factory: That of the plan, which has made some of what they need.

    Returns:
        What came of each job, in their order.
    """
    progress = progress or NoProgress()
    outcomes: dict[int, Outcome] = {}
    to_train: set[int] = set()
    for part in cut(jobs, _CLAIMED_TOGETHER):
        with written_together():
            for job in part:
                try:
                    claim = RunDir(job.run_dir).claim(job.asked, overrides=job.own_overrides, texts=job.texts)
                # another run's directory, one that cannot be written, a file that cannot be read
                except Exception as error:
                    outcomes[job.number] = Outcome(job, "failed", error=error, is_recorded=False)
                    continue
                if claim == "completed":
                    outcomes[job.number] = _stored(job)
                else:
                    to_train.add(job.number)
    progress.models_recorded(len(jobs) - len(to_train))
    factory = factory or ModelFactory()
    threads = factory.computing_threads(jobs[0]) if to_train else contextlib.nullcontext(1)
    with hydra_config(jobs[0].hydra_cfg), threads as n_threads:
        for outcome in _train(jobs, to_train, options, progress, factory, n_threads):
            outcomes[outcome.job.number] = outcome
            progress.models_recorded(1)
    return [outcomes[job.number] for job in jobs]


def _stored(job: Job) -> Outcome:
    result = RunDir(job.run_dir).result()
    assert result is not None
    say(job, Said("src.record", f"already {result.status}: {job.run_dir}"))
    return Outcome(job, "completed", result.value)


def _train(
    jobs: Sequence[Job],
    to_train: set[int],
    options: StackOptions,
    progress: NoProgress,
    factory: ModelFactory,
    n_threads: int,
) -> Iterator[Outcome]:
    """Train and record the jobs of a stack with these numbers, the chunks first that are unfinished."""
    cfg = jobs[0].cfg
    if not to_train:
        progress.epochs_done(len(jobs) * cfg.trainer.max_epochs)
        return
    for name, node in cfg.callbacks.items():
        if node is not None:
            watched_end(f"callbacks.{name}", node, warns=True)
    device = build_trainer(cfg, [], []).strategy.root_device
    widest = _widest(jobs, factory)
    fused = options.fused and factory.fused and _is_fused(jobs, device, factory)
    limits = Limits.of(
        *(widest, widest.task.net, device), memory_gb=options.memory_gb, tile=options.models_per_step, fused=fused
    )
    found = [] if options.folder is None else unfinished_chunks(options.folder, jobs)
    unfinished = [chunk for chunk in found if any(job.number in to_train for job in chunk.jobs)]
    in_chunks = {job.number for chunk in unfinished for job in chunk.jobs}
    left = to_train - in_chunks
    others = [job for job in jobs if job.number in left]
    progress.epochs_done((len(jobs) - len(in_chunks) - len(others)) * cfg.trainer.max_epochs)
    for chunk in [*unfinished, *(Chunk(part, limits.tile_of(len(part))) for part in cut(others, limits.chunk))]:
        yield from _train_chunk(chunk, to_train, factory, options, progress, n_threads, fused=fused)
        factory.forget_weights()


def _is_fused(jobs: Sequence[Job], device: torch.device, factory: ModelFactory) -> bool:
    """Whether Numba computes these jobs."""
    is_single = jobs[0].resolved["trainer"]["precision"] in SINGLE
    tasks = list(dict.fromkeys(map(factory.task, jobs)))
    fused = device.type == "cpu" and is_single and is_fit(tasks)
    log.info("%s computes %d models together", "Numba" if fused else "PyTorch", len(jobs))
    return fused


def _widest(jobs: Sequence[Job], factory: ModelFactory) -> Model:
    """The model that trains most numbers."""
    # one job of each structure
    chosen = {factory.task(job): job for job in reversed(jobs)}.values()
    return max(map(factory.model, chosen), key=lambda model: len(model.weights))


def _train_chunk(
    chunk: Chunk,
    to_train: set[int],
    factory: ModelFactory,
    options: StackOptions,
    progress: NoProgress,
    n_threads: int,
    *,
    fused: bool,
) -> Iterator[Outcome]:
    started = time.monotonic()
    cfg = chunk.jobs[0].cfg
    checkpoint = None
    if options.folder is not None and (node := _checkpoint_callback(cfg)) is not None:
        checkpoint = ChunkCheckpoint(options.folder, every_s=node.every_s, chunk=chunk)
    trainer = build_trainer(cfg, [] if checkpoint is None else [checkpoint], [])
    # a tile in the kernel is the work of one thread, however large it is
    threads = max(n_threads, torch.get_num_threads()) if fused else n_threads
    module = StackedModule(
        [factory.model(job) for job in chunk.jobs],
        batch_size=factory.batch_size(chunk.jobs[0]),
        drop_last=factory.drop_last(chunk.jobs[0]),
        monitor=_monitor_of(cfg),
        tile=chunk.tile,
        progress=progress,
        threads=threads if trainer.strategy.root_device.type == "cpu" else 1,
        fused=fused,
    )
    device = describe_device(cfg.trainer.accelerator, trainer)
    how = f"{'trains' if chunk.checkpoint is None else 'goes on'} in a stack of {len(chunk.jobs)} models"
    for job in chunk.jobs:
        if job.number in to_train:
            say(job, *factory.said_of(job), Said("src.fit", device), Said(__name__, how))
    with interruptible(), interrupts.heeded(), quiet_lightning():
        # one batch, which nobody reads, for each block of epochs
        trainer.fit(module, train_dataloaders=[0], ckpt_path=chunk.checkpoint, weights_only=True)
    recorder = ModelRecorder(
        factory=factory,
        trainer=trainer,
        schedule=module.schedule,
        tensorboard=options.tensorboard,
        pictures=options.pictures,
        duration_s=(chunk.seconds + time.monotonic() - started) / len(chunk.jobs),
    )
    for tile in module.tiles:
        yield from recorder.record(tile, to_train)
    if checkpoint is not None:
        checkpoint.discard()


def _checkpoint_callback(cfg: Any) -> Any:
    """Configuration of the checkpoint callback; None where there is no such callback."""
    nodes = [node for node in cfg.callbacks.values() if node is not None]
    return next((node for node in nodes if node._target_.endswith(".BestAndLast")), None)


def _monitor_of(cfg: Any) -> Monitor | None:
    """What the checkpoint callback of a configuration looks at; None where there is no such callback."""
    node = _checkpoint_callback(cfg)
    if node is None:
        return None
    mode = mode_of(node.monitor, node.mode, key="callbacks.checkpoint")
    return Monitor(node.monitor, 1.0 if mode == "min" else -1.0)
