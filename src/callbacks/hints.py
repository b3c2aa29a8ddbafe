"""Gives hints at the end of training."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from src.config.allowed import Positive
from src.data.base import InMemoryDataModule
from src.hints.facts import facts_of
from src.hints.rules import Facts, Hint, hints
from src.tasks.base import Task, is_at_row


class Hints(Callback):
    """Look back once training is over.

    Args:
        suggested_lr: Learning rate that suits the data.

    Attributes:
        found: What the run asks for; empty until training is over.
    """

    needs_task = True
    content_with_blocks = True

    def __init__(self, *, suggested_lr: Positive) -> None:
        self.suggested_lr = suggested_lr
        self.found: list[Hint] = []
        self._first_weights: list[Tensor] | None = None
        self._first_loss: float | None = None
        self._course: list[tuple[int, float]] = []
        self._metrics: dict[str, float] = {}
        self._has_ended = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Remember where the weights start; a run that goes on from a checkpoint has it from there."""
        assert isinstance(pl_module, Task)
        if self._first_weights is None:
            self._first_weights = [p.detach().clone() for p in pl_module.net.parameters()]

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remember the course of the loss."""
        if not is_at_row(pl_module):
            return
        self._metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        loss = self._metrics["train/loss"]
        if self._first_loss is None:
            self._first_loss = loss
        self._course.append((trainer.current_epoch, loss))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the last weights, which are those that training has brought about."""
        assert isinstance(pl_module, Task)
        self._has_ended = True
        # a single batch that tries whether everything runs says nothing
        if trainer.is_global_zero and not getattr(trainer, "fast_dev_run", False):
            self.found = hints(self._facts(trainer, pl_module))

    def end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """Look back where training was over before, and a kill came before this."""
        if not self._has_ended and self._metrics:
            self.on_train_end(trainer, task)

    def state_dict(self) -> dict[str, Any]:
        """Where the run began, and how its loss went on, for ``last.ckpt``."""
        return self.state(
            first_weights=self._first_weights, first_loss=self._first_loss, course=self._course, metrics=self._metrics
        )

    @staticmethod
    def state(
        *,
        first_weights: list[Tensor] | None,
        first_loss: float | None,
        course: Sequence[tuple[int, float]] = (),
        metrics: Mapping[str, float] = MappingProxyType({}),
    ) -> dict[str, Any]:
        """What a checkpoint holds of a run that began like this.

        Args:
            first_weights: Parameters in the network's order; None before the first step.
            first_loss: Training loss at the first measured epoch; None before it.
            course: Logged epochs and their training loss, in order.
            metrics: What the last of them has measured.
        """
        return {
            "first_weights": first_weights,
            "first_loss": first_loss,
            "course": [list(each) for each in course],
            "metrics": dict(metrics),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from ``last.ckpt``, also from one of an earlier version, which knows nothing of the course."""
        self._first_weights, self._first_loss = state_dict["first_weights"], state_dict["first_loss"]
        self._course = [(epoch, loss) for epoch, loss in state_dict.get("course", ())]
        self._metrics = dict(state_dict.get("metrics", {}))

    def _facts(self, trainer: pl.Trainer, task: Task) -> Facts:
        datamodule: InMemoryDataModule = trainer.datamodule  # type: ignore[attr-defined]  # the task has checked it
        defaults = trainer.optimizers[0].defaults
        assert self._first_weights is not None
        assert self._first_loss is not None
        return facts_of(
            task,
            datamodule.parts,
            first_weights=self._first_weights,
            first_loss=self._first_loss,
            metrics=self._metrics,
            n_steps=trainer.global_step,
            numbers=defaults,
            suggested_lr=self.suggested_lr,
            course=self._course,
        )


def found_by(trainer: pl.Trainer) -> list[Hint]:
    """What the trainer's `Hints` have found, if it has any."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
    return [hint for callback in callbacks if isinstance(callback, Hints) for hint in callback.found]
