"""Train a bucket: many models by the same operations, inside Lightning's Trainer.

The models of a shard are trained together and recorded together. Inside a shard they stand in cohorts, whose
activations fit into a cache; a block of epochs takes one cohort after the other.
"""

import logging
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
from src.config import ConfigError
from src.data.base import Part
from src.run import RunDir
from src.sweep.cohort import Cohort, Watch
from src.sweep.jobs import Job, hydra_config
from src.sweep.limits import Limits
from src.sweep.members import Maker, Member
from src.sweep.progress import Unseen
from src.sweep.rates import PlateauRates
from src.sweep.record import Outcome, Recorder
from src.sweep.trained import score_names
from src.tasks.base import Task
from src.tasks.epochs import skip_epochs

log = logging.getLogger(__name__)

# Models with the same data compute faster, so that many of them are worth a cohort of their own.
_SHARING = 16


class Ensemble(pl.LightningModule):
    """All cohorts of a shard as one module, trained in blocks of epochs as `Task` trains one model.

    Args:
        members: Models of the shard.
        task: Their loss, score and network.
        batch_size: Samples per training batch; None for all of them.
        watch: Decides which weights are the best; None keeps none.
        size: Largest number of models of a cohort.
        progress: Told of every block of a cohort.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        task: Task,
        batch_size: int | None,
        watch: Watch | None,
        size: int,
        progress: Unseen,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._members, self._batch_size, self._watch, self._size = members, batch_size, watch, size
        self._progress = progress
        # in a list: as a submodule, its weights would stand in this module's checkpoints
        self._task = [task]
        self.cohorts: list[Cohort] = []

    def configure_optimizers(self) -> list[Any]:
        """None of torch's."""
        return []

    def on_fit_start(self) -> None:
        """Lay out the cohorts on the device."""
        (task,) = self._task
        task.to(self.device)
        self.cohorts = [
            Cohort(group, task=task, ready=self._ready, batch_size=self._batch_size, watch=self._watch)
            for group in cohorts_of(self._members, self._size)
        ]
        every_epoch = isinstance(self.cohorts[0].rates, PlateauRates)
        self.schedule = task.make_schedule(self.trainer.max_epochs, every_epoch=every_epoch)

    def _ready(self, part: Part) -> Part:
        convert = self.trainer.precision_plugin.convert_input
        x, y = (tensor.to(self.device) for tensor in part)
        return Part(convert(x), convert(self._task[0].targets(y)))

    def training_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Train a block of epochs, cohort by cohort."""
        block = self.schedule.block(self.trainer.current_epoch)
        for cohort in self.cohorts:
            # nothing is left to train where all have failed
            if cohort.alive.any():
                cohort.train(block, self.schedule)
            self._progress.trained(len(block) * len(cohort.members))
        skip_epochs(self.trainer, len(block) - 1, n_steps=len(block) * self.cohorts[0].n_batches)


def cohorts_of(members: Sequence[Member], size: int) -> Iterator[Sequence[Member]]:
    """Members in groups of at most ``size``; many with the same data have groups of their own."""
    by_data: dict[int, list[Member]] = {}
    for member in members:
        by_data.setdefault(id(member.parts), []).append(member)
    large = [group for group in by_data.values() if len(group) >= _SHARING]
    rest = [member for group in by_data.values() if len(group) < _SHARING for member in group]
    for group in [*large, rest]:
        n = -(-len(group) // size)
        for i in range(n):
            yield group[i * len(group) // n : (i + 1) * len(group) // n]


@dataclass(frozen=True)
class Options:
    """How a bucket is trained.

    Attributes:
        memory_gb: Memory to use; None for half of what is free.
        cohort: Models that are computed by the same operations; None for what fits into a cache, or a GPU's memory.
        tensorboard: Whether loggers of TensorBoard are told.
        pictures: Whether the pictures of each run are drawn, which takes longer than all the rest.
    """

    memory_gb: float | None = None
    cohort: int | None = None
    tensorboard: bool = True
    pictures: bool = False


def train_bucket(
    jobs: Sequence[Job], options: Options, *, progress: Unseen | None = None, maker: Maker | None = None
) -> list[Outcome]:
    """Train jobs that `src.sweep.plan` has put together, and record each as its single run would.

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
            claim = RunDir(job.run_dir).claim(job.cfg, overrides=job.overrides, hydra_cfg=job.hydra_cfg.hydra)
        except ConfigError as error:
            outcomes[job.run_dir] = Outcome(job, "failed", error=error)
            continue
        if claim == "completed":
            outcomes[job.run_dir] = _stored(job)
        else:
            open_jobs.append(job)
    progress.trained((len(jobs) - len(open_jobs)) * jobs[0].cfg.trainer.max_epochs)
    progress.recorded(len(jobs) - len(open_jobs))
    with hydra_config(jobs[0].hydra_cfg):
        for outcome in _train(open_jobs, options, progress, maker or Maker()):
            outcomes[outcome.job.run_dir] = outcome
            progress.recorded(1)
    return [outcomes[job.run_dir] for job in jobs]


def _stored(job: Job) -> Outcome:
    result = RunDir(job.run_dir).result()
    assert result is not None
    return Outcome(job, "completed", result["optimized_metric"]["value"])


def _train(jobs: Sequence[Job], options: Options, progress: Unseen, maker: Maker) -> Iterator[Outcome]:
    if not jobs:
        return
    cfg = jobs[0].cfg
    task: Task = build_task(cfg, maker.datamodule(jobs[0]).spec)
    device = build_trainer(cfg, [], []).strategy.root_device
    limits = Limits.of(maker.member(jobs[0]), task.net, device, memory_gb=options.memory_gb, cohort=options.cohort)
    n = -(-len(jobs) // limits.shard)
    for i in range(n):
        shard = jobs[i * len(jobs) // n : (i + 1) * len(jobs) // n]
        yield from _train_shard(shard, maker, task, limits, options, progress)


def _train_shard(
    jobs: Sequence[Job], maker: Maker, task: Task, limits: Limits, options: Options, progress: Unseen
) -> Iterator[Outcome]:
    started = time.monotonic()
    cfg = jobs[0].cfg
    trainer = build_trainer(cfg, [], [])
    members = [maker.member(job) for job in jobs]
    ensemble = Ensemble(
        members,
        task=task,
        batch_size=maker.batch_size(jobs[0]),
        watch=watch_of(cfg, task),
        size=limits.cohort,
        progress=progress,
    )
    try:
        # one batch, which nobody reads, for each block of epochs
        trainer.fit(ensemble, train_dataloaders=[0])
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
        duration_s=(time.monotonic() - started) / len(jobs),
    )
    for cohort in ensemble.cohorts:
        yield from recorder.record(cohort)


def watch_of(cfg: Any, task: Task) -> Watch | None:
    """What the checkpoint callback of a configuration looks at; None where there is no such callback."""
    for node in cfg.callbacks.values():
        if node is not None and node._target_.endswith(".BestAndLast"):
            return Watch(score_names(task).index(node.monitor), 1.0 if node.mode == "min" else -1.0)
    return None


def _shell(trainer: pl.Trainer) -> dict[str, Any]:
    """A checkpoint of the trainer itself: how far its loops have come."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shell.ckpt"
        trainer.save_checkpoint(path)
        shell: dict[str, Any] = torch.load(path, weights_only=True)
    return shell
