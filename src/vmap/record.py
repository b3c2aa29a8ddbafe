"""The run directory of each stacked model, as its single run would have left it."""

import contextlib
import functools
import itertools
import logging
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from hydra.utils import get_class
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor

from src.callbacks.checkpoint import BestAndLast
from src.callbacks.final import tell_loggers
from src.callbacks.graph import ModelGraph, add_network
from src.callbacks.hints import Hints
from src.callbacks.metrics_csv import MetricsCSV
from src.callbacks.pictures import FinalPictures, write_pictures
from src.callbacks.tensorboard import PrecisionRecallCurves, add_precision_recall
from src.compat.tensorboard import file_writer
from src.config.command.explain import Source
from src.config.compose import CONF_DIR
from src.console.results import end_line, result_lines
from src.console.setup import origin
from src.data.base import Parts
from src.hints.facts import facts_of, squashed
from src.hints.rules import Hint, hints
from src.measure import class_report
from src.pictures.subject import Subject, title_of
from src.record import Fitted, Recorder
from src.run.directory import RunDir
from src.run.files import written_together
from src.sweep.jobs import Job
from src.tasks.base import Task, task_state
from src.tasks.checkpoint import CONFIGURATION, LAST_EPOCH, best_epoch, loops_of, run_checkpoint, save_checkpoint
from src.tasks.schedule import Schedule
from src.vmap.measure import Measured, Weighed, at_once, measure_model, measure_models
from src.vmap.models import Model, ModelFactory
from src.vmap.stacked.layout import load
from src.vmap.tile import Ending, Tile
from src.vmap.train_log import TrainLog, train_log
from src.vmap.trained import TrainedModel, trained_models

log = logging.getLogger(__name__)

# Records of TensorBoard that may wait to be written.
_ALL = 1_000_000

# Models that are taken out of their tile at a time.
_TOGETHER = 64


@dataclass(frozen=True)
class Outcome:
    """What came of a job.

    Attributes:
        job: The job.
        status: As in its ``result.json``.
        value: Of its optimised metric, if it has completed.
        error: What it failed of.
        is_recorded: Whether its directory says so; it does not where that belongs to another run, or cannot be written.
    """

    job: Job
    status: Literal["completed", "failed"]
    value: float | None = None
    error: Exception | None = None
    is_recorded: bool = True


@dataclass(frozen=True)
class ModelRecorder:
    """Writes the run directories of a chunk that has been trained.

    Attributes:
        factory: What has made the models.
        trainer: What has trained the chunk.
        schedule: Which epochs were measured and logged.
        tensorboard: Whether loggers of TensorBoard are told.
        pictures: Whether pictures, graphs and curves are drawn where a configuration asks for them.
        duration_s: Seconds of training for each model.
    """

    factory: ModelFactory
    trainer: pl.Trainer
    schedule: Schedule
    tensorboard: bool
    pictures: bool
    duration_s: float
    # what networks end in, which is the same for all weights: where they decide what is computed, nothing is stacked
    _endings: dict[Task, str | None] = field(default_factory=dict, init=False)

    def record(self, tile: Tile, numbers: Container[int]) -> Iterator[Outcome]:
        """Write what each model of a tile leaves whose job has one of these numbers; what one meets ends no other."""
        # pictures are drawn from tables that are in place
        with contextlib.nullcontext() if self.pictures else written_together():
            yield from self._record_all(tile, numbers)

    def _record_all(self, tile: Tile, numbers: Container[int]) -> Iterator[Outcome]:
        ending = tile.ending or Ending(self.trainer.current_epoch, loops_of(self.trainer))
        first, n_weights = tile.models[0], max(len(model.weights) for model in tile.models)
        size = min(_TOGETHER, at_once(first.task, first.parts, n_weights=n_weights))
        models = (
            trained for trained in trained_models(tile, n_epochs=ending.n_epochs) if trained.model.job.number in numbers
        )
        while group := list(itertools.islice(models, size)):
            for task in {trained.model.task for trained in group}:
                # its network receives the weights of one model after the other
                task.cpu()
            for trained, measured in zip(group, self._measured(group), strict=True):
                yield self._record(trained, measured, ending)

    def _measured(self, group: Sequence[TrainedModel]) -> list[Measured | None]:
        """Validation and test of models, where they can be measured together."""
        if self.pictures:
            # drawn of the network as it is measured
            return [None] * len(group)
        sound = [trained for trained in group if trained.error is None]
        found: dict[int, Measured | None] = {}
        # what a model meets is its own, and is met again where it is measured by itself
        with contextlib.suppress(Exception):
            weighed = [Weighed(each.model.task, _chosen(each)[0], each.model.parts) for each in sound]
            found |= zip(map(id, sound), measure_models(weighed, self.trainer.precision_plugin), strict=True)
        return [found.get(id(trained)) for trained in group]

    def _record(self, trained: TrainedModel, measured: Measured | None, ending: Ending) -> Outcome:
        job = trained.model.job
        started = time.monotonic() - self.duration_s
        recorder = Recorder(
            run=RunDir(job.run_dir), cfg=job.resolved, overrides=job.own_overrides, is_job=True, started=started
        )
        loggers: list[Logger] = []
        with train_log(job, listens=True) as own_log:
            try:
                outcome = self._write(trained, measured, ending, recorder, loggers, own_log)
            # a disk that is full, a picture that cannot be drawn
            except Exception as error:
                for logger in loggers:
                    with contextlib.suppress(Exception):
                        logger.finalize("failed")
                outcome = _failed(job, error, recorder, own_log)
        if not outcome.is_recorded:
            log.error("job %d: %s takes no record of its failure", job.number, job.run_dir)
        return outcome

    def _write(
        self,
        trained: TrainedModel,
        measured: Measured | None,
        ending: Ending,
        recorder: Recorder,
        loggers: list[Logger],
        own_log: TrainLog,
    ) -> Outcome:
        """Write all files of a run.

        Args:
            trained: Its model.
            measured: Its validation and test; None if they are still to be done.
            ending: Where its training has ended.
            recorder: Of its result.
            loggers: Where those go that have been opened.
            own_log: Its ``train.log``.

        Raises:
            Exception: What its training has met, or the writing.
        """
        job, task, cfg, run = trained.model.job, trained.model.task, recorder.cfg, recorder.run
        self._log(job, trained.rows, loggers)
        if trained.error is not None:
            raise trained.error
        fitted = {name: value for name, value in trained.rows[-1].items() if name.startswith("train/")}
        found = self._hints(trained)
        tensors, which = _chosen(trained)
        measured = measured or self._measure(tensors, trained.model)
        metrics = {**fitted, **measured.metrics}
        if self.pictures:
            self._draw(run, trained.model, metrics, which, loggers, step=ending.n_epochs)
        resolved = job.resolved
        tell_loggers(job.asked, loggers, metrics, step=ending.n_epochs, resolved=resolved)
        value = metrics[cfg["optimized_metric"]]
        confusion = measured.confusion
        if (record := self.factory.datamodule(job).record) is not None:
            run.write_data_record(record)
        # last: a checkpoint without a result is a run that goes on by itself
        self._save(run, trained, ending, fitted)
        result = recorder.completed(
            Fitted(
                metrics=metrics,
                per_class=[] if confusion is None else class_report(confusion, task.spec.class_names),
                hints=found,
                device=str(self.trainer.strategy.root_device),
                n_parameters=sum(p.numel() for p in task.net.parameters()),
                weights=which,
                threads=torch.get_num_threads(),
            )
        )
        for line in (*result_lines(result), end_line(result, run_dir=run.path)):
            own_log.say("src.console.results", line)
        return Outcome(job, "completed", value)

    def _callback(self, job: Job, kind: type) -> dict[str, Any] | None:
        """Configuration of a callback of this class, if the job has one."""
        nodes = [node for node in job.resolved["callbacks"].values() if node is not None]
        return next((node for node in nodes if _class_of(node["_target_"]) is kind), None)

    def _log(self, job: Job, rows: Sequence[Mapping[str, float]], loggers: list[Logger]) -> None:
        """Open all loggers, and give each the rows that it wants, all at once."""
        for node in job.resolved["logger"].values():
            kind = None if node is None else _class_of(node["_target_"])
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

    def _course(self, rows: Sequence[Mapping[str, float]]) -> list[tuple[int, float]]:
        """Logged epochs and their training loss."""
        last = rows[-1]["epoch"]
        epochs = [(int(row["epoch"]), row["train/loss"]) for row in rows]
        return [(epoch, loss) for epoch, loss in epochs if self.schedule.is_logged(epoch) or epoch == last]

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
            callbacks[Hints.__qualname__] = Hints.state(
                first_weights=trained.first_weights,
                first_loss=trained.rows[0]["train/loss"],
                course=self._course(trained.rows),
                metrics={name: value for name, value in trained.rows[-1].items() if "/" in name},
            )
        last = run_checkpoint(**trained.state, callbacks=callbacks, loops=ending.loops)
        if trained.best is not None:
            save_checkpoint(run.checkpoints / "best.ckpt", trained.best)
        save_checkpoint(
            run.checkpoints / "last.ckpt",
            {**last, **task_state(rng_state=trained.rng_state, fitted=fitted), CONFIGURATION: run.digest},
        )

    def _hints(self, trained: TrainedModel) -> list[Hint]:
        """What the callback of hints would find."""
        node, task = self._callback(trained.model.job, Hints), trained.model.task
        if node is None:
            return []
        load(task.net, task.loss, trained.last_tensors)
        parts = trained.model.parts
        facts = facts_of(
            task,
            parts,
            first_weights=trained.first_weights,
            first_loss=trained.rows[0]["train/loss"],
            metrics=trained.rows[-1],
            n_steps=trained.n_steps,
            numbers=trained.numbers,
            suggested_lr=node["suggested_lr"],
            course=self._course(trained.rows),
            ends_in=lambda: self._ending_of(task, parts),
        )
        return hints(facts)

    def _ending_of(self, task: Task, parts: Parts) -> str | None:
        if task not in self._endings:
            self._endings[task] = squashed(task.net, parts.train.x)
        return self._endings[task]

    def _measure(self, tensors: Mapping[str, Tensor], model: Model) -> Measured:
        """Validation and test of one model."""
        metrics = measure_model(model.task, tensors, model.parts, self.trainer.precision_plugin)
        return Measured(metrics, model.task.confusion.get("test"))

    def _draw(
        self, run: RunDir, model: Model, metrics: dict[str, float], which: str, loggers: Sequence[Logger], *, step: int
    ) -> None:
        """Draw what a run draws once it is tested, of the weights that were measured."""
        job, task, datamodule = model.job, model.task, self.factory.datamodule(model.job)
        writers = [logger.experiment for logger in loggers if isinstance(logger, TensorBoardLogger)]
        if self._callback(job, ModelGraph) is not None:
            add_network(writers, task.net, datamodule.parts.train.x[:1])
        if (node := self._callback(job, FinalPictures)) is not None:
            title = title_of(node["name"], metrics, which, below=origin(job.resolved))
            subject = Subject(task, datamodule, title, run, which)
            names = FinalPictures(name=node["name"], draw=node["draw"]).draw
            write_pictures(subject, run, names, loggers, step=step)
        if self._callback(job, PrecisionRecallCurves) is not None:
            add_precision_recall(writers, Subject(task, datamodule), step=step)


@functools.cache
def _class_of(target: str) -> type:
    """The same few are asked for in every job."""
    found: type = get_class(target)
    return found


def _chosen(trained: TrainedModel) -> tuple[Mapping[str, Tensor], str]:
    """The weights that a run measures, and which they are."""
    if trained.model.job.resolved["evaluate"] == "best" and trained.best is not None:
        assert trained.best_tensors is not None
        return trained.best_tensors, best_epoch(trained.best["epoch"])
    return trained.last_tensors, LAST_EPOCH


def _failed(job: Job, error: Exception, recorder: Recorder, own_log: TrainLog) -> Outcome:
    """Record a failure, in the words of a job that fails by itself."""
    try:
        recorder.failed(error)
        said = Source("train", CONF_DIR).explain(error, job.overrides) or f"{type(error).__name__}: {error}"
        own_log.say("src.record", f"failed: {said}", level=logging.ERROR)
    # what has made it fail, such as a full disk, may well stop its record, too; the sweep then ends with that error
    except Exception:
        return Outcome(job, "failed", error=error, is_recorded=False)
    return Outcome(job, "failed", error=error)


def _summary(row: Mapping[str, float]) -> Summary:
    """All scalars of an epoch in one record; one record each takes five times as long."""
    names = [name for name in row if name not in ("epoch", "step")]
    return Summary(value=[Summary.Value(tag=name, simple_value=row[name]) for name in names])
