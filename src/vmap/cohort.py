"""Models that are trained by the same operations, few enough for their activations to stay in a cache.

Axes: ``m`` models, ``n`` samples, ``f`` features, ``p`` weights of one model, ``e`` measured epochs.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from src.data.base import Batches, InMemoryDataModule, Part
from src.tasks.base import Task
from src.tasks.schedule import Schedule
from src.vmap.members import Member
from src.vmap.optim import STACKED
from src.vmap.parts import StackedPart
from src.vmap.rates import rates_of
from src.vmap.stacked import mean_loss, mean_score, stack


class Snapshot(NamedTuple):
    """Weights (m, p) and optimisers as they were at an epoch of each model's own."""

    epoch: Tensor
    lr: Tensor
    weights: Tensor
    state: dict[str, Tensor]


@dataclass(frozen=True)
class Watch:
    """The metric that decides which weights are the best.

    Attributes:
        column: Its place among train/loss, train/score, val/loss and val/score.
        sign: 1 if small is good, -1 if large is.
    """

    column: int
    sign: float


class Cohort:
    """Trains its models, and keeps what they measure.

    Args:
        members: The models.
        task: Their loss, score and network, whose own weights are left alone.
        ready: Brings a part onto the device, in the type that trains, with the targets that the loss sees.
        batch_size: Samples per training batch; None for all of them.
        watch: Decides which weights are kept as the best; None keeps none.
    """

    def __init__(
        self,
        members: Sequence[Member],
        *,
        task: Task,
        ready: Callable[[Part], Part],
        batch_size: int | None,
        watch: Watch | None,
    ) -> None:
        self.members, self.task, self._watch = members, task, watch
        self.net, self._loss, self._score = stack(task.net), mean_loss(task.loss), mean_score(task)
        self._train = StackedPart([member.parts.train for member in members], ready)
        self._val = StackedPart([member.parts.val for member in members], ready)
        # a model's own order of batches depends on its seed alone
        seeds = list(dict.fromkeys(member.batch_seed for member in members))
        self._orders = [Batches(members[0].parts.train, batch_size=batch_size, seed=seed) for seed in seeds]
        self._order_of = torch.tensor([seeds.index(member.batch_seed) for member in members])
        self.n_batches = len(self._orders[0])
        self.weights = torch.stack([member.weights for member in members]).to(self._train.x)
        self._leaves = [leaf.detach().requires_grad_() for leaf in self.net.split(self.weights)]
        self.rates = rates_of([member.recipe for member in members])
        groups = self.rates.groups
        self.optimizer = STACKED[members[0].recipe.kind](groups, self.weights)
        self._ones = self.weights.new_ones(len(members))
        self._inputs: dict[str, Tensor] = {}
        # epochs (e), rates (e, m) and means (e, 4, m) of all blocks, on the host
        self.epochs: list[int] = []
        self._lrs: list[Tensor] = []
        self._means: list[Tensor] = []
        self.alive = torch.ones(len(members), dtype=torch.bool)
        self._score_of_best = torch.full((len(members),), torch.inf, dtype=torch.float64)
        self.best: Snapshot | None = None

    def train(self, block: range, schedule: Schedule) -> None:
        """Train a block of epochs, and bring its measurements to the host at once."""
        measured: list[Tensor] = []
        # what belongs to one form of the data is laid out anew, so that only one cohort's stands in the cache
        self._inputs.clear()
        for epoch in block:
            measure = schedule.is_measured(epoch)
            lr = self.rates.lr
            self.optimizer.set_lr(lr)
            train = self._train_epoch(epoch, measure=measure)
            val_loss: Tensor | None = None
            if measure:
                val = self._evaluate()
                val_loss = val[0]
                measured.append(torch.cat([train, val]))
                self.epochs.append(epoch)
                self._lrs.append(lr.squeeze(1))
            self.rates.step(val_loss)
        means = torch.stack(measured).float().cpu()
        self._means.append(means)
        self.alive &= means[:, 0].isfinite().all(0)
        if self._watch is not None:
            self._keep_best(block[-1], self._watch.sign * means[-1, self._watch.column].double())

    def _train_epoch(self, epoch: int, *, measure: bool) -> Tensor:
        """One pass over the training batches; mean loss and score (2, m), each batch's from before its step."""
        self.net.set_mode(training=True)
        sums: Tensor | None = None
        for x, y, share in self._batches(epoch):
            outputs = self.net(self._leaves, x)
            losses = self._loss(outputs, y)
            if measure:
                means = torch.stack([losses.detach(), self._score(outputs.detach(), y)])
                sums = _add(sums, means, share)
            grads = torch.autograd.grad(losses, self._leaves, self._ones)
            with torch.no_grad():
                grad = torch.cat([g.flatten(1) for g in grads], dim=1)
                if self.task.clip is not None:
                    norm = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
                    # as torch.nn.utils.clip_grad_norm_ does
                    grad.mul_((self.task.clip / (norm + 1e-6)).clamp(max=1))
                self.optimizer.step(self.weights, grad)
        return self._ones if sums is None else sums

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, float]]:
        """Inputs in the network's form, targets and the share of the samples."""
        orders: list[Tensor] = []
        for batches in self._orders:
            batches.set_epoch(epoch)
            order = batches.order()
            if order is None:
                yield self._whole("train", self._train), self._train.y, 1.0
                return
            orders.append(order)
        order = torch.stack(orders)
        if len(order) > 1 or len(self._train.x) > 1:
            order = order[self._order_of]
        x, y = self._train.reordered(order.to(self._train.x.device))
        n, size = x.shape[1], self._orders[0].batch_size
        for start in range(0, n, size):
            stop = min(start + size, n)
            yield self.net.inputs(x[:, start:stop]), y[:, start:stop], (stop - start) / n

    def _whole(self, name: str, part: StackedPart) -> Tensor:
        """All inputs of a part in the network's form, laid out once a block."""
        if name not in self._inputs:
            self._inputs[name] = self.net.inputs(part.x)
        return self._inputs[name]

    @torch.no_grad()
    def _evaluate(self) -> Tensor:
        """Mean loss and score (2, m) of the validation part."""
        self.net.set_mode(training=False)
        n, size = self._val.x.shape[1], InMemoryDataModule.EVAL_BATCH_SIZE
        if n <= size:
            return self._measure(self._whole("val", self._val), self._val.y)
        sums: Tensor | None = None
        for start in range(0, n, size):
            x, y = self._val.x[:, start : start + size], self._val.y[:, start : start + size]
            sums = _add(sums, self._measure(self.net.inputs(x), y), x.shape[1] / n)
        assert sums is not None
        return sums

    def _measure(self, x: Tensor, y: Tensor) -> Tensor:
        outputs = self.net(self._leaves, x)
        return torch.stack([self._loss(outputs, y), self._score(outputs, y)])

    def _keep_best(self, epoch: int, score: Tensor) -> None:
        """Take over the weights of those models whose score (m,) is lower than ever before."""
        better = score < self._score_of_best
        if not better.any():
            return
        self._score_of_best = torch.where(better, score, self._score_of_best)
        now = self.snapshot(epoch)
        # the first time it is a copy all over, so that what is kept is never trained on
        then = now if self.best is None else self.best
        column = better.to(self.weights.device).unsqueeze(1)
        self.best = Snapshot(
            torch.where(better, now.epoch, then.epoch),
            torch.where(better, now.lr, then.lr),
            torch.where(column, now.weights, then.weights),
            {name: torch.where(column, new, then.state[name]) for name, new in now.state.items()},
        )

    def snapshot(self, epoch: int) -> Snapshot:
        """What there is now, which further training changes."""
        epochs = torch.full((len(self.members),), epoch)
        return Snapshot(epochs, self.rates.lr.squeeze(1), self.weights, self.optimizer.state)

    def state_dict(self) -> dict[str, Any]:
        """All that further training depends on, and what has been measured."""
        return {
            "weights": self.weights,
            "optimizer": {"n_steps": self.optimizer.n_steps, "state": self.optimizer.state},
            "rates": self.rates.saved(),
            "epochs": self.epochs,
            "lrs": self.lrs,
            "means": self.means,
            "alive": self.alive,
            "score_of_best": self._score_of_best,
            "best": None if self.best is None else self.best._asdict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        # in place: the leaves are views
        self.weights.copy_(state["weights"])
        self.optimizer.n_steps = state["optimizer"]["n_steps"]
        self.optimizer.state = _to(self.weights, state["optimizer"]["state"])
        self.rates.restore(state["rates"])
        self.epochs, self.alive, self._score_of_best = state["epochs"], state["alive"], state["score_of_best"]
        self._lrs, self._means = list(state["lrs"]), [state["means"]]
        if state["best"] is not None:
            best = Snapshot(**state["best"])
            self.best = best._replace(weights=best.weights.to(self.weights.device), state=_to(self.weights, best.state))

    @property
    def best_score(self) -> Tensor:
        """The lowest score (m,) so far; infinite where there is none."""
        return self._score_of_best

    @property
    def means(self) -> Tensor:
        """Means of train/loss, train/score, val/loss and val/score (e, 4, m) of all measured epochs."""
        return torch.cat(self._means)

    @property
    def lrs(self) -> Tensor:
        """Learning rates (e, m) of all measured epochs, float64."""
        return torch.stack(self._lrs)


def _to(like: Tensor, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.to(like.device) for name, tensor in tensors.items()}


def _add(sums: Tensor | None, means: Tensor, share: float) -> Tensor:
    """Add a batch's means to an epoch's, weighted by its share of the samples."""
    if share == 1:
        return means
    return means * share if sums is None else sums + means * share
