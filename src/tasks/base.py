"""What every task is: a network with its loss and its metrics, as a LightningModule.

Trainers cost a fixed time per call, which is more than a small network needs for an epoch. So where nothing looks in
between, one ``training_step`` runs a block of epochs, from one logged epoch to the next, keeps their measurements on
the device, and hands them over once. Epochs stay what everybody else sees: `trainer.current_epoch`, ``max_epochs``,
metrics files, checkpoints. Where something does look (`src.checks.loop` decides), a batch is a step, as Lightning
documents.

Axes: ``n`` samples, ``f`` features, ``o`` outputs, ``k`` classes, ``t`` targets; ``...`` stands for the axis of models
where many are stacked, and for nothing where there is one.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from torchmetrics import MetricCollection

from src.config.allowed import Count, NotNegative, Positive, checked
from src.config.errors import ConfigError
from src.data.base import Batch, Batches, InMemoryDataModule, Part
from src.data.spec import DataSpec, TaskName
from src.tasks.checkpoint import LAST_EPOCH
from src.tasks.finite import NonFiniteLossError
from src.tasks.metrics.meters import Meters
from src.tasks.penalty import Penalty
from src.tasks.rows import Rows
from src.tasks.schedule import Schedule
from src.tasks.training.blocks import Blocks
from src.tasks.training.loop import Measured
from src.tasks.training.modes import Modes, evaluating
from src.tasks.training.network import OneNetwork, steps_left
from src.tasks.training.steps import Steps, as_batch

OptimizerFactory: TypeAlias = Callable[[Iterable[nn.Parameter]], Optimizer]
SchedulerFactory: TypeAlias = Callable[[Optimizer], LRScheduler]


class Task(pl.LightningModule, ABC):
    """A network with its loss and its metrics.

    Args:
        net: Maps inputs (n, f) to outputs (n, o).
        loss: Mean loss of (outputs, targets); pure, so that many models can be trained at once. Parameters that it has
            are trained with the network's.
        optimizer: Makes the optimiser of the parameters that it is given.
        scheduler: Makes the learning-rate scheduler, stepped once per epoch; None keeps the rate.
        spec: What the data hold.
        log_every_n_epochs: Epochs from one logged epoch to the next; None for about a hundred rows a run.
        eval_every_n_epochs: Epochs from one measured epoch to the next; None for every logged one.
        gradient_clip_val: Largest norm of the gradient; None for no clipping.
        l1: Rate of the L1 penalty of the network's weights in training (`Penalty`).
        l2: Rate of the L2 penalty.
        loop: ``blocks`` of epochs in one call of Lightning's, ``steps`` as Lightning documents them, or ``auto`` for
            blocks unless something wants steps. Weights and rows are the same.

    Raises:
        ValueError: If ``gradient_clip_val`` is not greater than 0, or the epochs do not fit together (`Schedule`).
    """

    # Attributes that training changes, and those that differ from run to run.
    OWN = frozenset(
        {
            *vars(pl.LightningModule()),
            *(
                "net",
                "loss",
                "spec",
                "epoch",
                "schedule",
                "fitted",
                "confusion",
                "clip",
                "make_optimizer",
                "penalty",
                "which_weights",
                "loop",
                "modes",
            ),
            *(
                "_make_scheduler",
                "_log_every",
                "_eval_every",
                "_meters",
                "_rows",
                "_steps",
                "_blocks",
            ),
            *("_hparams", "_hparams_initial", "_hparams_name"),
        }
    )

    # What the data must ask for.
    task_name: TaskName

    # Name of the score that is measured beside the loss.
    score_name: str

    # PyTorch's losses that make sense for the task; a loss of one's own is trusted.
    losses: tuple[type[nn.Module], ...]

    @checked("task")
    def __init__(
        self,
        *,
        net: nn.Module,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        scheduler: SchedulerFactory | None,
        spec: DataSpec,
        log_every_n_epochs: Count | None,
        eval_every_n_epochs: Count | None,
        gradient_clip_val: Positive | None,
        l1: NotNegative = 0.0,
        l2: NotNegative = 0.0,
        loop: Literal["auto", "blocks", "steps"] = "auto",
    ) -> None:
        super().__init__()
        Schedule.of(max_epochs=None, log_every=log_every_n_epochs, eval_every=eval_every_n_epochs)
        self.automatic_optimization = False
        self.loop = loop
        # one of both once a run has begun: Lightning's way, or blocks
        self._steps: Steps | None = None
        self._blocks: Blocks | None = None
        self.net, self.loss, self.spec = net, loss, spec
        self.modes = Modes(net, loss)
        self.make_optimizer, self._make_scheduler = optimizer, scheduler
        self.penalty = Penalty(l1, l2)
        self._log_every, self._eval_every, self.clip = log_every_n_epochs, eval_every_n_epochs, gradient_clip_val
        # In a plain dict, since as submodules they would stand in summaries, and be walked whenever modes change.
        self._meters: dict[str, Meters] = {}
        # Rows true, columns predicted classes (k, k) of the last validation and test; None for regression.
        self.confusion: dict[str, Tensor | None] = {}
        # The epoch that is being trained, for a progress bar that looks in between two blocks.
        self.epoch = 0
        self._rows = Rows(self.score_name)
        # Loss and score of the training part, as the last measured epoch found them.
        self.fitted: dict[str, float] = {}
        # Which weights the network has, in the words of tables and titles.
        self.which_weights = LAST_EPOCH

    # What a task defines

    @abstractmethod
    def targets(self, y: Tensor) -> Tensor:
        """What the loss compares outputs with, from a part's ``y``."""

    @abstractmethod
    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Score of each sample (..., n), float, of outputs (..., n, o): its mean is measured beside the loss."""

    @abstractmethod
    def probs(self, outputs: Tensor) -> Tensor:
        """Probability of every class (n, k), or for regression the outputs themselves."""

    @abstractmethod
    def preds(self, outputs: Tensor) -> Tensor:
        """Predicted labels (n,), or for regression the outputs themselves."""

    @abstractmethod
    def make_metrics(self) -> MetricCollection:
        """Metrics of validation and test, updated with (`preds` of the outputs, ``y``)."""

    def make_calibration(self) -> MetricCollection | None:
        """Metrics of validation and test, updated with (`probs` of the outputs, ``y``); None for none."""
        return None

    # Training

    def train_in_steps(self) -> None:
        """Train as Lightning documents, from now on."""
        self.automatic_optimization = True
        self._steps = Steps(self)

    @property
    def trains_in_blocks(self) -> bool:
        """Whether a data module is to hand over whole parts, of which the task cuts its own batches."""
        return self._steps is None

    @property
    def is_at_row(self) -> bool:
        """Whether the epoch that has just ended is one at which checkpoints, hints and pictures look.

        Where not every epoch is validated (``trainer.check_val_every_n_epoch``), those that are belong to them.
        """
        if self._steps is None or self.schedule.is_logged(self.epoch) or steps_left(self.trainer) <= 0:
            return True
        return self.trainer.check_val_every_n_epoch != 1 and self.is_validated

    @property
    def is_validated(self) -> bool:
        """Whether the epoch that has just ended has measured validation, which a trainer may do at some epochs only."""
        return self._steps is None or self._steps.val is not None

    @property
    def is_within_block(self) -> bool:
        """Whether a signal has ended a block in its middle, after which its run ends."""
        return self._blocks is not None and self._blocks.is_cut_short

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, o) of inputs (n, f)."""
        outputs: Tensor = self.net(x)
        return outputs

    def trained_parameters(self) -> list[nn.Parameter]:
        """What the optimiser gets, in its order: the parameters of the network, then those of the loss."""
        return [*self.net.parameters(), *self.loss.parameters()]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """The optimiser, and the scheduler so that checkpoints hold it."""
        optimizer = self.make_optimizer(self.trained_parameters())
        if self._make_scheduler is None:
            return {"optimizer": optimizer}
        scheduler = self._make_scheduler(optimizer)
        if self._steps is not None and isinstance(scheduler, ReduceLROnPlateau):
            # Lightning asks for a metric where it takes steps; `lr_scheduler_step` says who takes this one's
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "val/loss"}}
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler}}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Step a scheduler; one that waits for a metric has its step before checkpoints are written (`Steps`)."""
        if not isinstance(scheduler, ReduceLROnPlateau):
            super().lr_scheduler_step(scheduler, metric)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip as ``task.gradient_clip_val`` says, or as the trainer does."""
        if self.clip is not None:
            self.clip_gradients(optimizer, gradient_clip_val=self.clip, gradient_clip_algorithm="norm")
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def on_fit_start(self) -> None:
        """Lay out the epochs of the run and put its data into the form that training needs."""
        trainer = self.trainer
        datamodule = getattr(trainer, "datamodule", None)
        if not isinstance(datamodule, InMemoryDataModule):
            raise TypeError(f"{type(self).__name__} trains from an InMemoryDataModule, got {type(datamodule).__name__}")
        needs_every_epoch = isinstance(self.lr_schedulers(), ReduceLROnPlateau)
        if needs_every_epoch and trainer.limit_val_batches == 0:
            raise ConfigError("scheduler=plateau watches val/loss, which trainer.limit_val_batches=0 leaves unmeasured")
        max_epochs = None if trainer.max_epochs in (None, -1) else trainer.max_epochs
        self.schedule = self.make_schedule(max_epochs, every_epoch=needs_every_epoch)
        if self._steps is not None:
            return
        train, val = (self._ready(part) for part in datamodule.parts[:2])
        val_batches = Batches(val, batch_size=datamodule.EVAL_BATCH_SIZE, limit=trainer.limit_val_batches)
        self._blocks = Blocks(self, self.schedule, datamodule.batches_of_fit(train), val_batches, self._learner)

    def make_schedule(self, max_epochs: int | None, *, every_epoch: bool) -> Schedule:
        """Which epochs of a run are measured and logged; ``every_epoch`` measures all."""
        return Schedule.of(
            max_epochs=max_epochs, log_every=self._log_every, eval_every=1 if every_epoch else self._eval_every
        )

    def _ready(self, part: Part) -> Part:
        x: Tensor = self.trainer.precision_plugin.convert_input(part.x)
        y: Tensor = self.trainer.precision_plugin.convert_input(self.targets(part.y))
        return Part(x, y)

    def metric_names(self) -> list[str]:
        """All metrics of a run, `split/name`."""
        train = [f"train/{name}" for name in ("loss", self.score_name)]
        names = [
            "loss",
            *(name for name in self.make_metrics() if name != "confusion"),
            *(self.make_calibration() or ()),
        ]
        return [*train, *(f"{split}/{name}" for split in ("val", "test") for name in names)]

    def on_train_epoch_start(self) -> None:
        """Begin to measure."""
        if self._steps is not None:
            self._steps.start_epoch()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        """Train a block of epochs, then log their measurements; or give Lightning the loss of a batch."""
        if self._steps is not None:
            return self._steps.training_step(batch, batch_idx)
        assert self._blocks is not None
        if measured := self._blocks.train():
            self._log(measured)
        return None

    def end_epoch(self) -> None:
        """Log what an epoch of steps has measured, before anybody looks at its end."""
        if self._steps is not None:
            measured = self._steps.end_epoch()
            if self.schedule.is_measured(self.epoch) or self.is_at_row:
                self._log([measured])
                self._steps.forget()

    def end_training(self) -> None:
        """Log an epoch of steps that has turned out to be the last one."""
        if self._steps is not None and self._steps.measured is not None:
            self._log([self._steps.measured], is_end=True)

    def _learner(self, train: Batches, val: Batches) -> OneNetwork:
        return OneNetwork(
            self,
            net=self.net,
            loss=self.loss,
            score=self.score,
            clip=self.clip,
            penalty=self.penalty,
            modes=self.modes,
            train=train,
            val=val,
        )

    def _log(self, measured: Sequence[Measured], *, is_end: bool = False) -> None:
        end = self.epoch if (is_end or self.is_at_row) and not self.is_within_block else None
        self.fitted = self._rows.log(
            measured,
            self.trainer,
            n_steps=self._n_steps,
            is_logged=lambda epoch: self.schedule.is_logged(epoch) or epoch == end,
        )

    def _n_steps(self, epoch: int) -> int:
        return self.trainer.global_step if self._blocks is None else self._blocks.n_steps(epoch)

    def on_train_end(self) -> None:
        """Refuse weights that the last step has lost: no train/loss follows that would tell.

        Raises:
            NonFiniteLossError: If the last val/loss is not finite.
        """
        loss = float(self.trainer.callback_metrics.get("val/loss", 0))
        if not math.isfinite(loss):
            raise NonFiniteLossError.at(self.epoch, loss, self._rows.last_finite, name="val/loss")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the global generator, which a network with dropout draws from, and what is measured in training only."""
        checkpoint.update(task_state(rng_state=torch.get_rng_state(), fitted=self.fitted))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on drawing where the checkpoint stopped."""
        torch.set_rng_state(checkpoint["rng_state"].cpu())
        self.fitted = checkpoint["fitted"]

    # Validation and test, once training is over

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Add a batch to the metrics of validation."""
        batch = as_batch(batch)
        found = self._update("val", batch)
        if self._steps is not None and found is not None and self.trainer.state.fn == "fit":
            self._steps.validation_step(batch, *found)

    def test_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Add a batch to the metrics of test."""
        self._update("test", as_batch(batch))

    def on_validation_epoch_start(self) -> None:
        """Begin with empty metrics."""
        self._reset("val")
        if self._steps is not None:
            self._steps.start_validation()

    def on_test_epoch_start(self) -> None:
        """Begin with empty metrics."""
        self._reset("test")

    def on_validation_epoch_end(self) -> None:
        """Log the metrics of validation."""
        values = self._compute("val")
        if self._steps is not None and self.trainer.state.fn == "fit" and self.trainer.world_size == 1:
            # to the last bit those of the row
            means = self._steps.val
            assert means is not None
            values |= {"val/loss": means.loss, f"val/{self.score_name}": means.score}
        self.log_dict(values, logger=False, sync_dist=True)

    def on_test_epoch_end(self) -> None:
        """Log the metrics of test."""
        self.log_dict(self._compute("test"), logger=False, sync_dist=True)

    @torch.no_grad()
    def measure(self, split: str, batches: Iterable[Batch]) -> dict[str, float]:
        """Metrics of a split for the weights that the network has, without a trainer."""
        self.net.eval()
        self.loss.eval()
        self._reset(split)
        for batch in batches:
            self._update(split, batch)
        return {name: float(value) for name, value in self._compute(split).items()}

    def _reset(self, split: str) -> None:
        if split not in self._meters:
            self._meters[split] = Meters(split, self.make_metrics(), self.make_calibration())
        self._meters[split].reset(self.device)

    def _update(self, split: str, batch: Batch) -> tuple[Tensor, Tensor] | None:
        if batch.share == 0:
            # a process without samples of its own
            return None
        outputs, loss = self.evaluated(batch)
        meters = self._meters[split]
        meters.update(loss, self.preds(outputs), batch.y, self.probs(outputs) if meters.takes_probs else None)
        return outputs, loss

    def evaluated(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Outputs (n, o) of a batch and their mean loss, by the network as it is."""
        outputs = self.net(batch.x)
        targets = self.targets(batch.y)
        # in double precision as in training
        return outputs, self.loss(outputs, targets.to(outputs) if _is_double(outputs, targets) else targets)

    def _compute(self, split: str) -> dict[str, Tensor]:
        values = self._meters[split].compute()
        self.confusion[split] = values.pop(f"{split}/confusion", None)
        return values

    @torch.no_grad()
    def predict_probs(self, x: Tensor) -> Tensor:
        """Class probabilities (n, k) of inputs (n, f), or for regression outputs (n, t); on the CPU.

        Leaves the network's device, mode and weights as they are.
        """
        with evaluating(self.net):
            # `forward` itself, past what compiling has put before it: a grid for a picture is not worth compiling for
            return self.probs(self.net.forward(x.to(next(self.net.parameters())))).float().cpu()


def is_at_row(module: pl.LightningModule) -> bool:
    """Whether what looks at rows is to look at the end of this epoch; at every epoch of a module that is no task."""
    return not isinstance(module, Task) or module.is_at_row


def is_measured(module: pl.LightningModule, name: str) -> bool:
    """Whether the epoch that has just ended has measured a metric; a trainer keeps those of epochs before as well."""
    return not isinstance(module, Task) or not name.startswith("val/") or module.is_validated


def _is_double(outputs: Tensor, targets: Tensor) -> bool:
    return outputs.dtype == torch.float64 and targets.is_floating_point()


def task_state(*, rng_state: Tensor, fitted: Mapping[str, float]) -> dict[str, Any]:
    """What a task adds to a checkpoint.

    Args:
        rng_state: Of the global generator.
        fitted: Loss and score of the training part, as the last measured epoch found them.
    """
    return {"rng_state": rng_state, "fitted": dict(fitted)}
