"""The run directory of each model of an ensemble, as its single run would have left it."""

import io
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import lightning.pytorch as pl
import torch
from hydra.utils import get_class
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger
from tensorboard.compat.proto.summary_pb2 import Summary
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from src.callbacks.checkpoint import BestAndLast
from src.callbacks.final import tell_loggers
from src.callbacks.hints import Hints, facts_of
from src.callbacks.metrics_csv import MetricsCSV
from src.callbacks.pictures import FinalPictures
from src.data.base import Batches, InMemoryDataModule, Part
from src.hints.rules import Hint, as_record, hints, of_error
from src.measure import class_report
from src.pictures.catalogue import Subject, draw, title_of
from src.plots.style import save
from src.run.directory import RunDir
from src.run.files import write_atomically
from src.sweep.jobs import Job
from src.tasks.base import Task
from src.tasks.schedule import Schedule
from src.vmap.cohort import Cohort
from src.vmap.members import Maker, Member
from src.vmap.trained import Trained, trained

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
class Recorder:
    """Writes the run directories of a shard that has been trained.

    Attributes:
        task: The bucket's task; its network receives the weights of one model after the other.
        maker: What has made the models.
        trainer: What has trained the shard.
        schedule: Which epochs were measured and logged.
        shell: A checkpoint of the trainer, for the state of its loops.
        tensorboard: Whether loggers of TensorBoard are told.
        pictures: Whether pictures are drawn where a configuration asks for them.
        duration_s: Seconds of training for each model.
    """

    task: Task
    maker: Maker
    trainer: pl.Trainer
    schedule: Schedule
    shell: Mapping[str, Any]
    tensorboard: bool
    pictures: bool
    duration_s: float

    def record(self, cohort: Cohort, wanted: Container[int]) -> Iterator[Outcome]:
        """Write what each model of a cohort leaves whose number is wanted."""
        self.task.cpu()
        for model in trained(cohort, n_epochs=self.trainer.current_epoch):
            if model.member.job.number in wanted:
                yield self._record(model)

    def _record(self, model: Trained) -> Outcome:
        job, cfg, run = model.member.job, model.member.job.cfg, RunDir(model.member.job.run_dir)
        loggers = self._log(job, model.rows)
        # a job of a sweep is tried again by itself
        overrides = job.own_overrides
        command = [*overrides, "hydra.mode=RUN"]
        about = {"seed": cfg.seed, "overrides": overrides, "duration_s": self.duration_s}
        if model.error is not None:
            found = [as_record(hint, command) for hint in of_error(model.error, cfg)]
            run.fail(model.error, **about, hints=found)
            return Outcome(job, "failed", error=model.error)
        fitted = {name: value for name, value in model.rows[-1].items() if name.startswith("train/")}
        found = [as_record(hint, command) for hint in self._hints(model)]
        chosen = model.best_weights if cfg.evaluate == "best" else None
        metrics = {**fitted, **self._measure(model.weights if chosen is None else chosen, model.member)}
        self._draw(run, job, metrics)
        tell_loggers(cfg, loggers, metrics, step=self.trainer.current_epoch, resolved=self.maker.plain(job))
        value = metrics[cfg.optimized_metric]
        confusion = self.task.confusion.get("test")
        # last: a checkpoint without a result is a run that goes on by itself
        self._save(run, model, fitted)
        run.finish(
            **about,
            optimized_metric={"name": cfg.optimized_metric, "value": value},
            metrics=metrics,
            per_class=[] if confusion is None else class_report(confusion, self.task.spec.class_names),
            hints=found,
            device=str(self.trainer.strategy.root_device),
            n_parameters=len(model.weights),
        )
        return Outcome(job, "completed", value)

    def _callback(self, job: Job, kind: type) -> dict[str, Any] | None:
        """Configuration of a callback of this class, if the job has one."""
        nodes = [node for node in self.maker.plain(job)["callbacks"].values() if node is not None]
        return next((node for node in nodes if get_class(node["_target_"]) is kind), None)

    def _log(self, job: Job, rows: Sequence[Mapping[str, float]]) -> list[Logger]:
        """Give each logger the rows that it wants, all at once."""
        loggers: list[Logger] = []
        for node in self.maker.plain(job)["logger"].values():
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
                writer = logger.experiment._get_file_writer()
                for row in rows:
                    if self.schedule.is_logged(int(row["epoch"])):
                        writer.add_summary(_summary(row), int(row["epoch"]))
        return loggers

    def _save(self, run: RunDir, model: Trained, fitted: Mapping[str, float]) -> None:
        """Write the files of `BestAndLast`."""
        if self._callback(model.member.job, BestAndLast) is None:
            return
        if model.best_state is not None:
            write_atomically(run.checkpoints / "best.ckpt", _bytes(model.best_state))
        callbacks: dict[str, Any] = {BestAndLast.__qualname__: {"score": model.best_score, "best": model.best_state}}
        if self._callback(model.member.job, Hints) is not None:
            first = {"first_weights": model.first_weights, "first_loss": model.rows[0]["train/loss"]}
            callbacks[Hints.__qualname__] = first
        state = {
            **self.shell,
            **model.state,
            "callbacks": callbacks,
            "lr_schedulers": [] if model.scheduler is None else [model.scheduler],
            "rng_state": model.member.rng_state,
            "fitted": fitted,
        }
        write_atomically(run.checkpoints / "last.ckpt", _bytes(state))

    def _hints(self, model: Trained) -> list[Hint]:
        """What the callback of hints would find."""
        node = self._callback(model.member.job, Hints)
        if node is None:
            return []
        vector_to_parameters(model.weights, self.task.net.parameters())
        facts = facts_of(
            self.task,
            model.member.parts,
            first_weights=model.first_weights,
            first_loss=model.rows[0]["train/loss"],
            metrics=model.rows[-1],
            n_steps=model.n_steps,
            numbers=model.numbers,
            suggested_lr=node["suggested_lr"],
        )
        return hints(facts)

    def _measure(self, weights: Tensor, member: Member) -> dict[str, float]:
        """Validation and test of one model, by the network and the metrics of its single run."""
        vector_to_parameters(weights, self.task.net.parameters())
        precision = self.trainer.precision_plugin
        metrics: dict[str, float] = {}
        with precision.forward_context():
            for split, part in (("val", member.parts.val), ("test", member.parts.test)):
                ready = Part(*(precision.convert_input(tensor) for tensor in part))
                metrics |= self.task.measure(split, Batches(ready, batch_size=InMemoryDataModule.EVAL_BATCH_SIZE))
        return metrics

    def _draw(self, run: RunDir, job: Job, metrics: dict[str, float]) -> None:
        """Draw the pictures of a run, of the weights that were measured."""
        node = self._callback(job, FinalPictures)
        if node is None or not self.pictures:
            return
        subject = Subject(self.task, self.maker.datamodule(job), title_of(node["name"], metrics), run)
        for name, figure in draw(subject, FinalPictures(name=node["name"], draw=node["draw"]).draw):
            save(figure, run.plots / f"{name}.png")


def _summary(row: Mapping[str, float]) -> Summary:
    """All scalars of an epoch in one record; one record each takes five times as long."""
    names = [name for name in row if name not in ("epoch", "step")]
    return Summary(value=[Summary.Value(tag=name, simple_value=row[name]) for name in names])


def _bytes(state: Mapping[str, Any]) -> bytes:
    data = io.BytesIO()
    torch.save(state, data)
    return data.getvalue()
