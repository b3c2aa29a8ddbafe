"""The run directory of each stacked model, as its single run would have left it."""

import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lightning.pytorch as pl
from hydra.utils import get_class
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor

from src.callbacks.checkpoint import BestAndLast
from src.callbacks.final import tell_loggers
from src.callbacks.hints import Hints
from src.callbacks.metrics_csv import MetricsCSV
from src.callbacks.pictures import FinalPictures
from src.compat.tensorboard import file_writer
from src.hints.facts import facts_of
from src.hints.rules import Hint, hints
from src.measure import class_report
from src.pictures.catalogue import draw_fitting
from src.pictures.subject import Subject, title_of
from src.plots.style import save
from src.record import Fitted, Recorder
from src.run.directory import RunDir
from src.sweep.jobs import Job
from src.tasks.base import Task, task_state
from src.tasks.checkpoint import LAST_EPOCH, best_epoch, loops_of, run_checkpoint, save_checkpoint
from src.tasks.schedule import Schedule
from src.vmap.measure import measure_model
from src.vmap.models import Model, ModelFactory
from src.vmap.stacked.layout import load
from src.vmap.tile import Ending, Tile
from src.vmap.trained import TrainedModel, trained_models

# Records of TensorBoard that may wait to be written.
_ALL = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: The job.
        status: As in its ``result.json``.
        value: Of its optimised metric, if it has completed.
        error: What it failed of.
    """

    job: Job
    status: Literal["completed", "failed"]
    value: float | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class ModelRecorder:
    """Writes the run directories of a chunk that has been trained.

    Attributes:
        task: The stack's task; its network receives the weights of one model after the other.
        factory: What has made the models.
        trainer: What has trained the chunk.
        schedule: Which epochs were measured and logged.
        tensorboard: Whether loggers of TensorBoard are told.
        pictures: Whether pictures are drawn where a configuration asks for them.
        duration_s: Seconds of training for each model.
    """

    task: Task
    factory: ModelFactory
    trainer: pl.Trainer
    schedule: Schedule
    tensorboard: bool
    pictures: bool
    duration_s: float

    def record(self, tile: Tile, numbers: Container[int]) -> Iterator[Outcome]:
        """Write what each model of a tile leaves whose job has one of these numbers."""
        self.task.cpu()
        ending = tile.ending or Ending(self.trainer.current_epoch, loops_of(self.trainer))
        for trained in trained_models(tile, n_epochs=ending.n_epochs):
            if trained.model.job.number in numbers:
                yield self._record(trained, ending)

    def _record(self, trained: TrainedModel, ending: Ending) -> Outcome:
        job, cfg, run = trained.model.job, trained.model.job.cfg, RunDir(trained.model.job.run_dir)
        loggers = self._log(job, trained.rows)
        started = time.monotonic() - self.duration_s
        record = Recorder(run=run, cfg=cfg, overrides=job.own_overrides, is_job=True, started=started)
        if trained.error is not None:
            record.failed(trained.error)
            return Outcome(job, "failed", error=trained.error)
        fitted = {name: value for name, value in trained.rows[-1].items() if name.startswith("train/")}
        found = self._hints(trained)
        chosen = trained.best_tensors if cfg.evaluate == "best" else None
        which = LAST_EPOCH if chosen is None or trained.best is None else best_epoch(trained.best["epoch"])
        metrics = {**fitted, **self._measure(trained.last_tensors if chosen is None else chosen, trained.model)}
        self._draw(run, job, metrics, which)
        tell_loggers(cfg, loggers, metrics, step=ending.n_epochs, resolved=self.factory.config(job))
        value = metrics[cfg.optimized_metric]
        confusion = self.task.confusion.get("test")
        # last: a checkpoint without a result is a run that goes on by itself
        self._save(run, trained, ending, fitted)
        record.completed(
            Fitted(
                metrics=metrics,
                per_class=[] if confusion is None else class_report(confusion, self.task.spec.class_names),
                hints=found,
                device=str(self.trainer.strategy.root_device),
                n_parameters=sum(p.numel() for p in self.task.net.parameters()),
                weights=which,
            )
        )
        return Outcome(job, "completed", value)

    def _callback(self, job: Job, kind: type) -> dict[str, Any] | None:
        """Configuration of a callback of this class, if the job has one."""
        nodes = [node for node in self.factory.config(job)["callbacks"].values() if node is not None]
        return next((node for node in nodes if get_class(node["_target_"]) is kind), None)

    def _log(self, job: Job, rows: Sequence[Mapping[str, float]]) -> list[Logger]:
        """Give each logger the rows that it wants, all at once."""
        loggers: list[Logger] = []
        for node in self.factory.config(job)["logger"].values():
            kind = None if node is None else get_class(node["_target_"])
            if kind is not None and (self.tensorboard or kind is not TensorBoardLogger):
                given = {name: value for name, value in node.items() if name != "_target_"}
                # all at once: a short queue would have the file's thread take turns with this one
                queue = {"max_queue": _ALL} if kind is TensorBoardLogger else {}
                loggers.append(kind(**{**queue, **given}))
        for logger in loggers if rows else ():
            if isinstance(logger, MetricsCSV):
                logger.log_rows(rows)
            elif isinstance(logger, TensorBoardLogger):
                writer = file_writer(logger.experiment)
                for row in rows:
                    if self.schedule.is_logged(int(row["epoch"])):
                        writer.add_summary(_summary(row), int(row["epoch"]))
        return loggers

    def _save(self, run: RunDir, trained: TrainedModel, ending: Ending, fitted: Mapping[str, float]) -> None:
        """Write the files of `BestAndLast`."""
        job = trained.model.job
        if self._callback(job, BestAndLast) is None:
            return
        callbacks = {
            BestAndLast.__qualname__: BestAndLast.state(score=trained.best_score, best=trained.best),
            **trained.callbacks,
        }
        if self._callback(job, Hints) is not None:
            first_loss = trained.rows[0]["train/loss"]
            callbacks[Hints.__qualname__] = Hints.state(first_weights=trained.first_weights, first_loss=first_loss)
        last = run_checkpoint(**trained.state, callbacks=callbacks, loops=ending.loops)
        if trained.best is not None:
            save_checkpoint(run.checkpoints / "best.ckpt", trained.best)
        save_checkpoint(
            run.checkpoints / "last.ckpt", {**last, **task_state(rng_state=trained.rng_state, fitted=fitted)}
        )

    def _hints(self, trained: TrainedModel) -> list[Hint]:
        """What the callback of hints would find."""
        node = self._callback(trained.model.job, Hints)
        if node is None:
            return []
        load(self.task.net, self.task.loss, trained.last_tensors)
        facts = facts_of(
            self.task,
            trained.model.parts,
            first_weights=trained.first_weights,
            first_loss=trained.rows[0]["train/loss"],
            metrics=trained.rows[-1],
            n_steps=trained.n_steps,
            numbers=trained.numbers,
            suggested_lr=node["suggested_lr"],
        )
        return hints(facts)

    def _measure(self, tensors: Mapping[str, Tensor], model: Model) -> dict[str, float]:
        """Validation and test of one model."""
        return measure_model(self.task, tensors, model.parts, self.trainer.precision_plugin)

    def _draw(self, run: RunDir, job: Job, metrics: dict[str, float], which: str) -> None:
        """Draw the pictures of a run, of the weights that were measured."""
        node = self._callback(job, FinalPictures)
        if node is None or not self.pictures:
            return
        subject = Subject(self.task, self.factory.datamodule(job), title_of(node["name"], metrics, which), run)
        for name, figure in draw_fitting(subject, FinalPictures(name=node["name"], draw=node["draw"]).draw):
            save(figure, run.plots / f"{name}.png")


def _summary(row: Mapping[str, float]) -> Summary:
    """All scalars of an epoch in one record; one record each takes five times as long."""
    names = [name for name in row if name not in ("epoch", "step")]
    return Summary(value=[Summary.Value(tag=name, simple_value=row[name]) for name in names])
