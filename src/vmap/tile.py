"""Models that one step computes: few enough for their activations to stay in a cache.

Axes: ``m`` models, ``n`` samples, ``f`` features, ``p`` weights of one model, ``e`` measured epochs.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from src.data.base import Batch, Batches, Part
from src.tasks.schedule import Schedule
from src.tasks.training.loop import Means, columns_of, train_block
from src.vmap.models import Model
from src.vmap.stacked.data import StackedPart
from src.vmap.stacked.draws import Draws
from src.vmap.stacked.fused import Fused, is_fit
from src.vmap.stacked.loss import LossOfModule, stacked_loss
from src.vmap.stacked.network import StackedMLP
from src.vmap.stacked.padded import Frame
from src.vmap.stacked.passes import ByKernel, ByOperations, Passes, TileData
from src.vmap.stacked.schedulers import stacked_scheduler
from src.vmap.stacked.torch_optimizer import stacked_optimizer
from src.vmap.stopping import Stopping


class Snapshot(NamedTuple):
    """Weights (m, p), what is held beside them (m, *shape) and optimisers, at an epoch of each model's own."""

    epoch: Tensor
    lr: Tensor
    weights: Tensor
    optimizer: dict[str, Tensor]
    held: dict[str, Tensor]


class Ending(NamedTuple):
    """Where the models of a tile have ended, before the others of their chunk.

    Attributes:
        n_epochs: Epochs that they have trained.
        loops: State of a trainer's loops there; None while it is not known yet.
    """

    n_epochs: int
    loops: dict[str, Any] | None


@dataclass(frozen=True)
class Monitor:
    """The metric that decides which weights are the best.

    Attributes:
        metric: Its name, one of those that are measured during training.
        sign: 1 if small is good, -1 if large is.
    """

    metric: str
    sign: float


class Tile:
    """Trains its models, and keeps what they measure: a `src.tasks.training.loop.Learner` of many.

    Args:
        models: The models; the weights of their tasks are left as they are.
        frame: Of their rows of weights.
        ready: Brings a part onto the device, in the type that trains, with the targets that the loss sees.
        batch_size: Samples per training batch; None for all of them.
        drop_last: Leave out a last training batch that is smaller.
        dtype: Type of trained weights, and where it is double of all that is held.
        monitor: Decides which weights are kept as the best; None keeps none.
        fused: Whether the compiled kernel may compute, where it can.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        frame: Frame,
        ready: Callable[[Part], Part],
        dtype: torch.dtype,
        batch_size: int | None,
        monitor: Monitor | None,
        drop_last: bool = False,
        fused: bool = False,
    ) -> None:
        self.models, self.frame, self._monitor = models, frame, monitor
        tasks = [model.task for model in models]
        # of the first: loss and score are those of all
        self.task = task = tasks[0]
        # a model's own order of batches depends on its seed alone
        seeds = list(dict.fromkeys(model.batch_seed for model in models))
        part = models[0].parts.train
        self._orders = [Batches(part, batch_size=batch_size, seed=seed, drop_last=drop_last) for seed in seeds]
        self.n_batches = len(self._orders[0])
        data = TileData(
            train=StackedPart([model.parts.train for model in models], ready),
            val=StackedPart([model.parts.val for model in models], ready),
            orders=self._orders,
            order_of=torch.tensor([seeds.index(model.batch_seed) for model in models]),
        )
        device = data.train.x.device
        rows = [frame.padded(model.task, model.weights) for model in models]
        self.weights = torch.stack(rows).to(device, dtype)
        padding = frame.padding(tasks)
        self._padding = None if padding is None else padding.to(device)
        parameters = {
            name: view.detach().requires_grad_()
            for name, view in zip(frame.layout.trained, frame.layout.split(self.weights), strict=True)
        }
        held = {name: _like(tensor, device, dtype) for name, tensor in _stack_held(models).items()}
        self.draws = Draws([model.rng_state for model in models])
        self.network = frame.network(tasks, _of("net", held), self.draws)
        loss = stacked_loss(task.loss, _of("loss", parameters), _of("loss", held), self.draws)
        # whether it computes with nothing that other tiles compute with, so that it may do so beside them
        self.is_apart = isinstance(self.network, StackedMLP) and not isinstance(loss, LossOfModule)
        weights_of_net = list(_of("net", parameters).values())
        self._held_by_loss = {name: tensor for name, tensor in held.items() if name.startswith("loss.")}
        recipes = [model.recipe for model in models]
        self.scheduler = stacked_scheduler(recipes)
        self.optimizer = stacked_optimizer(recipes, self.scheduler, self.weights)
        self.is_fused = fused and (device.type, dtype) == ("cpu", torch.float32) and is_fit(tasks)
        self._passes: Passes
        if self.is_fused:
            made = Fused(tasks, frame.layout, self.weights, data.order_of)
            self._passes = ByKernel(data, made, task.penalty, weights_of_net=weights_of_net)
        else:
            self._passes = ByOperations(
                *(data, self.network, loss, task), parameters=parameters, weights_of_net=weights_of_net
            )
        # epochs (e), rates (e, m) and by metric means (e, m) of all blocks, on the host
        self.epochs: list[int] = []
        # the one that is being trained
        self.epoch = 0
        self._lrs: list[Tensor] = []
        self._columns: list[dict[str, Tensor]] = []
        self.is_finite = torch.ones(len(models), dtype=torch.bool)
        self.best_score = torch.full((len(models),), torch.inf, dtype=torch.float64)
        self.best: Snapshot | None = None
        self.stopping = Stopping([model.stopping for model in models])
        # None while there is something left to train
        self.ending: Ending | None = None

    def train(self, block: Iterable[int], schedule: Schedule) -> None:
        """Train a block of epochs, and bring its measurements to the host at once."""
        self._passes.lay_out()
        measured = train_block(self, block, schedule.is_measured)
        if not measured:
            # cut short by a signal
            return
        columns = columns_of(measured, self.task.score_name)
        self._columns.append(columns)
        self.epochs += [each.epoch for each in measured]
        self._lrs += [torch.as_tensor(each.lr) for each in measured]
        self.is_finite &= columns["train/loss"].isfinite().all(0)

    def keep_best(self, epoch: int) -> None:
        """Take over the weights of those models which this epoch, the last of a block, has found better than before."""
        if self._monitor is not None:
            self._keep_best(epoch, self._monitor.sign * self._columns[-1][self._monitor.metric][-1].double())

    def look(self, epoch: int) -> Tensor:
        """Which models (m,) train no longer after the block that has ended with an epoch: stopped, or lost."""
        return self.stopping.look({name: column[-1] for name, column in self._columns[-1].items()}, epoch=epoch) | (
            ~self.is_finite
        )

    # What the loop asks of a learner

    @property
    def lr(self) -> Tensor:
        """Learning rates (m,) of the next step."""
        return self.scheduler.lr.squeeze(1)

    def start_epoch(self, epoch: int) -> None:
        """Choose the order of each model's batches."""
        self.epoch = epoch
        self.optimizer.set_lr(self.scheduler.lr)
        for batches in self._orders:
            batches.set_epoch(epoch)

    def train_batches(self) -> Iterator[Batch]:
        """Batches of all models."""
        return self._passes.train_batches()

    def val_batches(self) -> Iterator[Batch]:
        """The validation parts of all models."""
        return self._passes.val_batches()

    def evaluate(self, batch: Batch) -> Means:
        """Loss and score (m,) of a batch."""
        return self._passes.evaluate(batch)

    def set_mode(self, *, training: bool) -> None:
        """Train or evaluate from now on."""
        self.network.is_training = training
        self.task.modes.set(training=training)

    def learn(self, batch: Batch, *, measure: bool) -> Means | None:
        """Take a step along a batch."""
        means, grad = self._passes.learn(batch, measure=measure)
        self._move(grad)
        return means

    @torch.no_grad()
    def _move(self, grad: Tensor) -> None:
        """Take a step of the optimiser along a gradient (m, p), which may be overwritten."""
        if self._padding is not None:
            grad.masked_fill_(self._padding, 0)
        if self.task.clip is not None:
            norm = torch.linalg.vector_norm(grad, dim=1, keepdim=True)
            # as torch.nn.utils.clip_grad_norm_ does
            grad.mul_((self.task.clip / (norm + 1e-6)).clamp(max=1))
        self.optimizer.step(self.weights, grad)
        if self._padding is not None:
            # an optimiser may move what has no gradient
            self.weights.masked_fill_(self._padding, 0)

    def end_epoch(self, val: Means | None) -> None:
        """Choose the rates of the next epoch."""
        self.scheduler.step(None if val is None else val.loss)

    # What is kept

    def _keep_best(self, epoch: int, score: Tensor) -> None:
        """Take over the weights of those models whose score (m,) is lower than ever before."""
        better = score < self.best_score
        if not better.any():
            return
        self.best_score = torch.where(better, score, self.best_score)
        now = self.snapshot(epoch)
        # the first time it is a copy all over, so that what is kept is never trained on
        then = now if self.best is None else self.best
        on_device = better.to(self.weights.device)
        self.best = Snapshot(
            torch.where(better, now.epoch, then.epoch),
            torch.where(better, now.lr, then.lr),
            _chosen(on_device, now.weights, then.weights),
            {name: _chosen(on_device, new, then.optimizer[name]) for name, new in now.optimizer.items()},
            {name: _chosen(on_device, new, then.held[name]) for name, new in now.held.items()},
        )

    def snapshot(self, epoch: int) -> Snapshot:
        """What there is now, which further training changes."""
        epochs = torch.full((len(self.models),), epoch)
        return Snapshot(epochs, self.lr, self.weights, self.optimizer.state, self.held)

    @property
    def held(self) -> dict[str, Tensor]:
        """Buffers and frozen parameters (m, *shape) of all models by name."""
        return {**{f"net.{name}": tensor for name, tensor in self.network.held.items()}, **self._held_by_loss}

    def state_dict(self) -> dict[str, Any]:
        """All that further training depends on, and what has been measured."""
        return {
            "weights": self.weights,
            "held": self.network.held,
            "rng_states": self.draws.states,
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "epochs": self.epochs,
            "lrs": self.lrs,
            "columns": self.columns,
            "is_finite": self.is_finite,
            "best_score": self.best_score,
            "best": None if self.best is None else self.best._asdict(),
            "stopping": self.stopping.state_dict(),
            "ending": None if self.ending is None else self.ending._asdict(),
        }

    def state_of(self, places: Sequence[int]) -> dict[str, Any]:
        """`state_dict` of a tile of those models alone that stand at some places, in rising order."""
        state = self.state_dict()
        own = {
            "optimizer": self.optimizer.cut(state["optimizer"], places),
            "scheduler": self.scheduler.cut(state["scheduler"], places),
            "lrs": state["lrs"][:, list(places)],
            "columns": {name: column[:, list(places)] for name, column in state["columns"].items()},
            "stopping": [state["stopping"][i] for i in places],
            "rng_states": [state["rng_states"][i] for i in places],
        }
        return {name: own[name] if name in own else _rows(value, places) for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        # in place: the parameters are views
        self.weights.copy_(state["weights"])
        device = self.weights.device
        self.draws.states = list(state.get("rng_states", self.draws.states))
        self.network.held |= {name: tensor.to(device) for name, tensor in state.get("held", {}).items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.epochs, self.is_finite, self.best_score = state["epochs"], state["is_finite"], state["best_score"]
        self._lrs, self._columns = list(state["lrs"]), [state["columns"]]
        if "stopping" in state:
            self.stopping.load_state_dict(state["stopping"])
            self.ending = None if state["ending"] is None else Ending(**state["ending"])
        if state["best"] is not None:
            # an older one knows of no network with buffers
            best = Snapshot(**{"held": {}, **state["best"]})
            self.best = Snapshot(
                best.epoch,
                best.lr,
                best.weights.to(device),
                {name: tensor.to(device) for name, tensor in best.optimizer.items()},
                {name: tensor.to(device) for name, tensor in best.held.items()},
            )

    @property
    def columns(self) -> dict[str, Tensor]:
        """By metric its means (e, m) at all measured epochs, on the host."""
        names = self._columns[0] if self._columns else {}
        return {name: torch.cat([columns[name] for columns in self._columns]) for name in names}

    @property
    def lrs(self) -> Tensor:
        """Learning rates (e, m) of all measured epochs, float64."""
        return torch.stack(self._lrs)


def _stack_held(models: Sequence[Model]) -> dict[str, Tensor]:
    return {name: torch.stack([model.held[name] for model in models]) for name in models[0].held}


def _like(tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """As Lightning's precision of this type has it: only double touches what the network has laid down."""
    is_double = dtype == torch.float64 and tensor.is_floating_point()
    return tensor.to(device, dtype) if is_double else tensor.to(device)


def _of(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Those of a part of the task, by their names in it."""
    return {name.removeprefix(f"{part}."): each for name, each in tensors.items() if name.startswith(f"{part}.")}


def _chosen(which: Tensor, new: Tensor, old: Tensor) -> Tensor:
    """The new rows of the models (m,) that are chosen, and the old ones of the others."""
    return torch.where(which.view(-1, *[1] * (new.ndim - 1)), new, old)


def _rows(value: Any, places: Sequence[int]) -> Any:
    """All tensors (m, ...) at these places, however they are nested."""
    if isinstance(value, dict):
        return {name: _rows(each, places) for name, each in value.items()}
    if isinstance(value, list):
        return [_rows(each, places) for each in value]
    return value[list(places)] if isinstance(value, Tensor) else value
