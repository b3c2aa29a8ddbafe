"""The loop over epochs and batches: the same for one network and for many stacked ones.

Axes: ``n`` samples, ``o`` outputs, ``m`` models, ``e`` measured epochs. What is measured of one network is a scalar, of
many a vector (m,).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor

from src.data.base import Batch

# Brings a share of the training samples to the sum over all processes.
Reduce: TypeAlias = Callable[[Tensor], Tensor]


class Means(NamedTuple):
    """Mean loss and mean score over the samples of one part, on the device."""

    loss: Tensor
    score: Tensor


class Measured(NamedTuple):
    """What is known of one epoch.

    Attributes:
        epoch: Its number, from 0.
        lr: Learning rate of its steps; of many models (m,), float64.
        train: Over the training batches, each from before its step.
        val: Of the validation part after the last step; None where there is none.
    """

    epoch: int
    lr: float | Tensor
    train: Means
    val: Means | None


class Learner(Protocol):
    """One network with its optimiser, or many that are stacked."""

    @property
    def lr(self) -> float | Tensor:
        """Learning rate of the next step."""
        ...

    def start_epoch(self, epoch: int) -> None:
        """Choose the order of the batches."""
        ...

    def train_batches(self) -> Iterable[Batch]:
        """Batches of the epoch that has started."""
        ...

    def val_batches(self) -> Iterable[Batch]:
        """The validation part in batches; nothing where it is not to be measured."""
        ...

    def set_mode(self, *, training: bool) -> None:
        """Train or evaluate from now on."""
        ...

    def learn(self, batch: Batch, *, measure: bool) -> Means | None:
        """Take a step along a batch; mean loss and score from before it if they are measured."""
        ...

    def evaluate(self, batch: Batch) -> Means:
        """Mean loss and score of a batch."""
        ...

    def end_epoch(self, val: Means | None) -> None:
        """Take a step of the scheduler; ``val`` is there if the epoch was measured."""
        ...


def train_block(learner: Learner, block: Iterable[int], is_measured: Callable[[int], bool]) -> list[Measured]:
    """Train some epochs without a look at any number, and tell what was measured of them."""
    measured: list[Measured] = []
    for epoch in block:
        learner.start_epoch(epoch)
        lr, val = learner.lr, None
        train = _train_epoch(learner, measure=is_measured(epoch))
        if train is not None:
            val = _evaluate(learner)
            measured.append(Measured(epoch, lr, train, val))
        learner.end_epoch(val)
    return measured


def _train_epoch(learner: Learner, *, measure: bool) -> Means | None:
    """One pass over the training batches."""
    learner.set_mode(training=True)
    means: Means | None = None
    for batch in learner.train_batches():
        found = learner.learn(batch, measure=measure)
        if found is not None:
            means = add(means, found, batch.share)
    return means


@torch.no_grad()
def _evaluate(learner: Learner) -> Means | None:
    """The validation part, by the weights that there are now."""
    learner.set_mode(training=False)
    means: Means | None = None
    for batch in learner.val_batches():
        means = add(means, learner.evaluate(batch), batch.share)
    return means


def add(sums: Means | None, means: Means, share: float) -> Means:
    """Add a batch's means to an epoch's, weighted by its share of the samples."""
    if share == 1:
        return means
    if sums is None:
        return Means(means.loss * share, means.score * share)
    return Means(sums.loss + means.loss * share, sums.score + means.score * share)


def names_of(score_name: str) -> list[str]:
    """What is measured while a network trains, ``split/name``."""
    return [f"{split}/{name}" for split in ("train", "val") for name in ("loss", score_name)]


def columns_of(
    measured: Sequence[Measured], score_name: str, *, reduce_train: Reduce | None = None
) -> dict[str, Tensor]:
    """Bring measurements to the host, all at once.

    Args:
        measured: What a block has measured; not empty.
        score_name: Name of the score.
        reduce_train: Sums what each process has measured of its share of the training samples; None for one process.

    Returns:
        By name the numbers of all measured epochs, (e,) or (e, m), float32; without validation its names are missing.
    """
    means = torch.stack([mean.float() for each in measured for part in (each.train, each.val) for mean in part or ()])
    means = means.view(len(measured), -1, *means.shape[1:])
    if reduce_train is not None:
        means[:, :2] = reduce_train(means[:, :2])
    return dict(zip(names_of(score_name), means.cpu().unbind(1), strict=False))
