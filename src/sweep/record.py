"""The run directory of each model of an ensemble, as its single run would have left it.

Axes: ``p`` weights of one model.
"""

import io
import math
from collections.abc import Iterator, Mapping, Sequence
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
from src.callbacks.metrics_csv import MetricsCSV
from src.data.base import Batches, InMemoryDataModule, Part
from src.measure import class_report
from src.run import RunDir, write_atomically
from src.sweep.cohort import Cohort, Snapshot
from src.sweep.jobs import Job
from src.sweep.members import Maker, Member
from src.tasks.base import NonFiniteLossError, Task
from src.tasks.schedule import Schedule


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
        duration_s: Seconds of training for each model.
    """

    task: Task
    maker: Maker
    trainer: pl.Trainer
    schedule: Schedule
    shell: Mapping[str, Any]
    tensorboard: bool
    duration_s: float

    def record(self, cohort: Cohort) -> Iterator[Outcome]:
        """Write what each model of a cohort leaves."""
        self.task.cpu()
        epoch = self.schedule.max_epochs or 0
        last = _to_cpu(cohort.snapshot(epoch))
        best = None if cohort.best is None else _to_cpu(cohort.best)
        means, lrs = cohort.means, cohort.lrs
        for i, member in enumerate(cohort.members):
            yield self._record(cohort, i, member, self._rows(cohort, means[:, :, i], lrs[:, i]), last, best)

    def _rows(self, cohort: Cohort, means: Tensor, lrs: Tensor) -> list[dict[str, float]]:
        names = [f"{split}/{name}" for split in ("train", "val") for name in ("loss", self.task.score_name)]
        return [
            {"epoch": epoch, "step": (epoch + 1) * cohort.n_batches, **dict(zip(names, values, strict=True)), "lr": lr}
            for epoch, values, lr in zip(cohort.epochs, means.tolist(), lrs.tolist(), strict=True)
        ]

    def _record(
        self,
        cohort: Cohort,
        i: int,
        member: Member,
        rows: list[dict[str, float]],
        last: Snapshot,
        best: Snapshot | None,
    ) -> Outcome:
        job, cfg = member.job, member.job.cfg
        run = RunDir(job.run_dir)
        finite = [math.isfinite(row["train/loss"]) for row in rows]
        n_good = len(rows) if all(finite) else finite.index(False)
        loggers = self._log(job, rows[:n_good])
        about = {"seed": cfg.seed, "overrides": list(job.overrides), "duration_s": self.duration_s}
        if n_good < len(rows):
            error = _non_finite(rows, n_good)
            run.fail(error, **about)
            return Outcome(job, "failed", error=error)
        improved = best is not None and bool(cohort.best_score[i] < math.inf)
        fitted = {name: value for name, value in rows[-1].items() if name.startswith("train/")}
        chosen = best if cfg.evaluate == "best" and improved else last
        assert chosen is not None
        if any(node is not None and node._target_.endswith(".BestAndLast") for node in cfg.callbacks.values()):
            self._save(run, cohort, i, member, fitted, last, best if improved else None)
        metrics = {**fitted, **self._measure(chosen.weights[i], member)}
        tell_loggers(cfg, loggers, metrics, step=self.trainer.current_epoch, resolved=self.maker.plain(job))
        value = metrics[cfg.optimized_metric]
        confusion = self.task.confusion.get("test")
        run.finish(
            **about,
            optimized_metric={"name": cfg.optimized_metric, "value": value},
            metrics=metrics,
            per_class=[] if confusion is None else class_report(confusion, self.task.spec.class_names),
            device=str(self.trainer.strategy.root_device),
            n_parameters=len(member.weights),
        )
        return Outcome(job, "completed", value)

    def _log(self, job: Job, rows: Sequence[dict[str, float]]) -> list[Logger]:
        """Give each logger the rows that it wants, all at once."""
        loggers: list[Logger] = []
        for node in self.maker.plain(job)["logger"].values():
            kind = get_class(node["_target_"])
            if self.tensorboard or kind is not TensorBoardLogger:
                loggers.append(kind(**{name: value for name, value in node.items() if name != "_target_"}))
        for logger in loggers if rows else ():
            if isinstance(logger, MetricsCSV):
                logger.log_rows(rows)
            elif isinstance(logger, TensorBoardLogger):
                writer = logger.experiment._get_file_writer()
                for row in rows:
                    if self.schedule.is_logged(int(row["epoch"])):
                        writer.add_summary(_summary(row), int(row["epoch"]))
        return loggers

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

    def _save(
        self,
        run: RunDir,
        cohort: Cohort,
        i: int,
        member: Member,
        fitted: dict[str, float],
        last: Snapshot,
        best: Snapshot | None,
    ) -> None:
        """Write the files of `BestAndLast`."""
        best_state = None if best is None else self._state(cohort, i, best)
        if best_state is not None:
            write_atomically(run.checkpoints / "best.ckpt", _bytes(best_state))
        scheduler = cohort.rates.state_dict(i)
        kept = {"score": float(cohort.best_score[i]), "best": best_state}
        state = {
            **self.shell,
            **self._state(cohort, i, last),
            "callbacks": {BestAndLast.__qualname__: kept},
            "lr_schedulers": [] if scheduler is None else [scheduler],
            "rng_state": member.rng_state,
            "fitted": fitted,
        }
        write_atomically(run.checkpoints / "last.ckpt", _bytes(state))

    def _state(self, cohort: Cohort, i: int, snapshot: Snapshot) -> dict[str, Any]:
        """Weights and optimiser state of one model, in the layout of Lightning's checkpoints."""
        epoch = int(snapshot.epoch[i])
        n_steps = min(epoch + 1, self.trainer.current_epoch) * cohort.n_batches
        split = cohort.net.split
        weights = {
            f"net.{name}": leaf.clone() for name, leaf in zip(cohort.net.names, split(snapshot.weights[i]), strict=True)
        }
        others = {name: value for name, value in self.task.state_dict().items() if not name.startswith("net.")}
        optimizer = cohort.optimizer
        states: dict[int, dict[str, Tensor]] = {}
        for name in optimizer.names_of(i):
            for place, piece in enumerate(split(snapshot.state[name][i])):
                # every parameter counts its steps by itself
                count = {"step": torch.tensor(float(n_steps))} if optimizer.counts_steps else {}
                states.setdefault(place, count)[name] = piece.clone()
        group = {**optimizer.groups[i], "lr": float(snapshot.lr[i]), "params": list(range(len(cohort.net.names)))}
        return {
            "epoch": epoch,
            "global_step": n_steps,
            "pytorch-lightning_version": self.shell["pytorch-lightning_version"],
            "state_dict": {**weights, **others},
            "optimizer_states": [{"state": states, "param_groups": [group]}],
        }


def _non_finite(rows: Sequence[Mapping[str, float]], i: int) -> NonFiniteLossError:
    """The error of a model whose loss has left the finite numbers at row ``i``."""
    last = (int(rows[i - 1]["epoch"]), rows[i - 1]["train/loss"]) if i else None
    return NonFiniteLossError.at(int(rows[i]["epoch"]), rows[i]["train/loss"], last)


def _summary(row: Mapping[str, float]) -> Summary:
    """All scalars of an epoch in one record; one record each takes five times as long."""
    names = [name for name in row if name not in ("epoch", "step")]
    return Summary(value=[Summary.Value(tag=name, simple_value=row[name]) for name in names])


def _to_cpu(snapshot: Snapshot) -> Snapshot:
    state = {name: tensor.cpu() for name, tensor in snapshot.state.items()}
    return snapshot._replace(weights=snapshot.weights.cpu(), state=state)


def _bytes(state: Mapping[str, Any]) -> bytes:
    data = io.BytesIO()
    torch.save(state, data)
    return data.getvalue()
