"""Forward and backward passes of the models of a tile: by PyTorch's operations, or by the compiled kernel.

Both cut the data into batches in the form that they compute with, and tell loss, score and gradient of a batch. The
step along the gradient is the tile's.

Axes: ``m`` models, ``n`` samples, ``f`` features, ``o`` outputs, ``p`` weights of one model, ``r`` orders of samples.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from src.data.base import Batch, Batches, InMemoryDataModule
from src.tasks.base import Task
from src.tasks.losses import ModelLoss, per_model
from src.tasks.penalty import Penalty
from src.tasks.training.loop import Means
from src.vmap.errors import NotStackedError
from src.vmap.stacked.data import StackedPart
from src.vmap.stacked.fused import Fused, Samples
from src.vmap.stacked.network import StackedNet


@dataclass(frozen=True)
class TileData:
    """What the models of a tile are trained and measured on.

    Attributes:
        train: The training parts.
        val: The validation parts.
        orders: Batches of an epoch, of which each model has one order (r,).
        order_of: Which that is (m,).
    """

    train: StackedPart
    val: StackedPart
    orders: Sequence[Batches]
    order_of: Tensor

    @property
    def batch_size(self) -> int:
        """Samples of a training batch."""
        return self.orders[0].batch_size

    @property
    def n_used(self) -> int:
        """Samples of an epoch."""
        first = self.orders[0]
        return min(first.n, first.n_batches * first.batch_size)

    def order(self) -> Tensor | None:
        """Numbers of samples (r, n) of this epoch, or None for the order in which they are stored."""
        found = [order for batches in self.orders if (order := batches.order()) is not None]
        return torch.stack(found) if found else None


class Passes(Protocol):
    """One way to compute a tile."""

    def lay_out(self) -> None:
        """Forget what was laid out of the data, so that only one tile's stands in the cache."""
        ...

    def train_batches(self) -> Iterator[Batch]:
        """Batches of the epoch that has started."""
        ...

    def val_batches(self) -> Iterator[Batch]:
        """The validation parts."""
        ...

    def learn(self, batch: Batch, *, measure: bool) -> tuple[Means | None, Tensor]:
        """Loss and score (m,) of each model if they are measured, and its gradient (m, p), for until the next call."""
        ...

    def evaluate(self, batch: Batch) -> Means:
        """Loss and score (m,) of each model."""
        ...


class ByOperations:
    """Any network, any loss, on any device.

    Args:
        data: What it is trained on.
        network: Of all models.
        loss: Of all models.
        task: Of the first: score and penalty are those of all.
        parameters: Trained parameters (m, *shape) of networks and losses by name, in the order of a row of weights.
        weights_of_net: Those of the networks.
    """

    def __init__(
        self,
        data: TileData,
        network: StackedNet,
        loss: ModelLoss,
        task: Task,
        *,
        parameters: Mapping[str, Tensor],
        weights_of_net: Sequence[Tensor],
    ) -> None:
        self._data, self._network, self._loss, self._penalty = data, network, loss, task.penalty
        self._score = score_of_models(task)
        self._parameters, self._weights_of_net = parameters, weights_of_net
        any_of_them = next(iter(parameters.values()))
        self._ones = any_of_them.new_ones(len(any_of_them))
        self._inputs: dict[StackedPart, Tensor] = {}

    def lay_out(self) -> None:
        """Forget the inputs in the network's form."""
        self._inputs.clear()

    def train_batches(self) -> Iterator[Batch]:
        """Batches of the epoch that has started, with inputs in the network's form."""
        part, order = self._data.train, self._data.order()
        if order is None:
            yield self._whole(part)
            return
        if len(order) > 1 or len(part.x) > 1:
            order = order[self._data.order_of]
        x, y = part.reordered(order.to(part.x.device))
        n = self._data.n_used
        yield from self._cut(x[:, :n], y[:, :n], self._data.batch_size)

    def val_batches(self) -> Iterator[Batch]:
        """The validation parts, with inputs in the network's form."""
        part, size = self._data.val, InMemoryDataModule.EVAL_BATCH_SIZE
        if part.x.shape[1] <= size:
            yield self._whole(part)
        else:
            yield from self._cut(part.x, part.y, size)

    def _cut(self, x: Tensor, y: Tensor, size: int) -> Iterator[Batch]:
        n = x.shape[1]
        for start in range(0, n, size):
            stop = min(start + size, n)
            yield Batch(self._network.inputs(x[:, start:stop]), y[:, start:stop], (stop - start) / n, 1.0)

    def _whole(self, part: StackedPart) -> Batch:
        """All of a part, laid out once a block."""
        if part not in self._inputs:
            self._inputs[part] = self._network.inputs(part.x)
        return Batch(self._inputs[part], part.y, 1.0, 1.0)

    def learn(self, batch: Batch, *, measure: bool) -> tuple[Means | None, Tensor]:
        """Loss and score (m,) of each model if they are measured, and its gradient (m, p)."""
        outputs = self._network(self._weights_of_net, batch.x)
        loss = self._loss(outputs, batch.y)
        means = Means(loss.detach(), self._score(outputs.detach(), batch.y)) if measure else None
        if self._penalty:
            loss = loss + self._penalty.of(self._weights_of_net, n_model_axes=1)
        grads = torch.autograd.grad(loss, list(self._parameters.values()), self._ones, allow_unused=True)
        return means, torch.cat([_flat(*each) for each in zip(self._parameters, grads, strict=True)], dim=1)

    def evaluate(self, batch: Batch) -> Means:
        """Loss and score (m,) of each model."""
        outputs = self._network(self._weights_of_net, batch.x)
        return Means(self._loss(outputs, batch.y), self._score(outputs, batch.y))


class ByKernel:
    """Small networks on a CPU, of which `src.vmap.stacked.fused.is_fit` holds.

    In its batches numbers of samples (r, b) stand in the place of both tensors.

    Args:
        data: What it is trained on.
        fused: The kernel with the models' weights.
        penalty: What large weights cost.
        weights_of_net: Parameters (m, *shape) of the networks, in the order of a row of weights.
    """

    def __init__(self, data: TileData, fused: Fused, penalty: Penalty, *, weights_of_net: Sequence[Tensor]) -> None:
        self._data, self._fused, self._penalty, self._weights_of_net = data, fused, penalty, weights_of_net
        self._samples: dict[StackedPart, Samples] = {}

    def lay_out(self) -> None:
        """Forget the samples in the kernel's form."""
        self._samples.clear()

    def train_batches(self) -> Iterator[Batch]:
        """Batches of the epoch that has started."""
        order = self._data.order()
        if order is None:
            yield self._all(self._data.train)
            return
        n, size = self._data.n_used, self._data.batch_size
        for start in range(0, n, size):
            numbers = order[:, start : min(start + size, n)].contiguous()
            yield Batch(numbers, numbers, numbers.shape[1] / n, 1.0)

    def val_batches(self) -> Iterator[Batch]:
        """The validation parts: the kernel holds a piece of them at a time, however many samples there are."""
        yield self._all(self._data.val)

    def _all(self, part: StackedPart) -> Batch:
        numbers = torch.arange(part.x.shape[1]).expand(len(self._data.orders), -1)
        return Batch(numbers, numbers, 1.0, 1.0)

    def _samples_of(self, part: StackedPart) -> Samples:
        """A part in the kernel's form, laid out once a block."""
        if part not in self._samples:
            self._samples[part] = self._fused.samples(part)
        return self._samples[part]

    def learn(self, batch: Batch, *, measure: bool) -> tuple[Means | None, Tensor]:
        """Loss and score (m,) of each model if they are measured, and its gradient (m, p)."""
        means, grad = self._fused.learn(self._samples_of(self._data.train), batch.x, measure=measure)
        if self._penalty:
            penalty = torch.as_tensor(self._penalty.of(self._weights_of_net, n_model_axes=1))
            grads = torch.autograd.grad(penalty.sum(), self._weights_of_net, materialize_grads=True)
            grad += torch.cat([each.flatten(1) for each in grads], dim=1)
        return means, grad

    def evaluate(self, batch: Batch) -> Means:
        """Loss and score (m,) of each model."""
        return self._fused.evaluate(self._samples_of(self._data.val), batch.x)


def _flat(name: str, grad: Tensor | None) -> Tensor:
    """Gradients (m, -1) of a parameter."""
    if grad is None:
        raise NotStackedError(f"{name} takes no part in the loss: leave it out, or set its requires_grad to False")
    return grad.reshape(len(grad), -1)


def score_of_models(task: Task) -> ModelLoss:
    """A task's mean score of outputs (m, n, o) and targets (m or 1, n, ...), for each model by itself: (m,)."""

    def mean(outputs: Tensor, y: Tensor) -> Tensor:
        scores = task.score(outputs, y)
        if scores.shape != outputs.shape[:2]:
            # a task of one's own that knows of one model only
            scores = per_model(task.score)(outputs, y).reshape(len(outputs), -1)
        return scores.mean(1)

    return mean
