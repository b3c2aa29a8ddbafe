"""Learning rates of many models, epoch by epoch, as torch's own schedulers set them.

Axes: ``m`` models.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from src.tasks.base import OptimizerFactory, SchedulerFactory

# Those that change another number than the learning rate.
CHANGE_MORE: tuple[type[LRScheduler], ...] = (lr_scheduler.OneCycleLR, lr_scheduler.CyclicLR)


def changes_the_rate_only(scheduler: LRScheduler) -> bool:
    """Whether a scheduler and all its parts are torch's own, change no other number, and depend on the epoch alone."""
    parts: Sequence[LRScheduler] = vars(scheduler).get("_schedulers", ())
    is_known = type(scheduler).__module__ == lr_scheduler.__name__
    is_other = isinstance(scheduler, (*CHANGE_MORE, ReduceLROnPlateau))
    return is_known and not is_other and all(map(changes_the_rate_only, parts))


class OptimizerRecipe(NamedTuple):
    """What makes a model's own optimiser and scheduler; many models share one, those that differ in their seed."""

    optimizer: OptimizerFactory
    scheduler: SchedulerFactory | None

    @property
    def kind(self) -> type[Optimizer]:
        """Class of the optimiser."""
        return type(self.optimizer([nn.Parameter(torch.zeros(1))]))

    def make(self) -> tuple[Optimizer, LRScheduler | None]:
        """Both, on a parameter that is never trained."""
        parameter = nn.Parameter(torch.zeros(1))
        optimizer = self.optimizer([parameter])
        scheduler = None if self.scheduler is None else self.scheduler(optimizer)
        # schedulers warn when they step first; classes of one's own may not look whether there is a gradient
        parameter.grad = torch.zeros(1)
        optimizer.step()
        return optimizer, scheduler


class StackedScheduler:
    """Learning rates that depend on the epoch alone: torch's schedulers walk, each recipe's once for all its models.

    Args:
        recipes: One per model; equal ones are the same object.
    """

    def __init__(self, recipes: Sequence[OptimizerRecipe]) -> None:
        distinct = list({id(recipe): recipe for recipe in recipes}.values())
        place = {id(recipe): i for i, recipe in enumerate(distinct)}
        self._made = [recipe.make() for recipe in distinct]
        self._place = [place[id(recipe)] for recipe in recipes]
        self._schedulers = [scheduler for _, scheduler in self._made if scheduler is not None]
        self.lr = self._read()

    @property
    def alike(self) -> list[int]:
        """A number for each model; those with the same one share their recipe, and always have the same rate."""
        return self._place

    def _read(self) -> Tensor:
        rates = [float(optimizer.param_groups[0]["lr"]) for optimizer, _ in self._made]
        return torch.tensor([[rates[i]] for i in self._place], dtype=torch.float64)

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Numbers of each model's optimiser, without its parameters."""
        groups = [
            {name: value for name, value in optimizer.param_groups[0].items() if name != "params"}
            for optimizer, _ in self._made
        ]
        return [groups[i] for i in self._place]

    def step(self, val_loss: Tensor | None) -> None:  # noqa: ARG002 - plateaus look at it
        """End an epoch: ``lr``, the rates (m, 1) in double precision, become those of the next one."""
        for scheduler in self._schedulers:
            scheduler.step()
        if self._schedulers:
            self.lr = self._read()

    def state_dict_of(self, i: int) -> dict[str, Any] | None:
        """State of the scheduler of model ``i``."""
        scheduler = self._made[self._place[i]][1]
        return None if scheduler is None else scheduler.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """All that the rates of further epochs depend on."""
        return {
            "schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
            "lrs": [float(optimizer.param_groups[0]["lr"]) for optimizer, _ in self._made],
        }

    def cut(self, state: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
        """From `state_dict` that of the schedulers of models at some places, in rising order."""
        own = iter(state["schedulers"])
        schedulers = [None if scheduler is None else next(own) for _, scheduler in self._made]
        # in the order that the recipes of these models will have
        kept = dict.fromkeys(self._place[i] for i in places)
        return {
            # of their own: models that are parted may share a recipe
            "schedulers": [copy.deepcopy(schedulers[i]) for i in kept if schedulers[i] is not None],
            "lrs": [state["lrs"][i] for i in kept],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        for scheduler, own in zip(self._schedulers, state["schedulers"], strict=True):
            scheduler.load_state_dict(own)
        for (optimizer, _), lr in zip(self._made, state["lrs"], strict=True):
            optimizer.param_groups[0]["lr"] = lr
        self.lr = self._read()


class StackedPlateau(StackedScheduler):
    """Learning rates that fall when a model's own val/loss no longer does: `ReduceLROnPlateau` in columns.

    Args:
        recipes: One per model, all with a ReduceLROnPlateau of the same mode and threshold mode.
    """

    # What `step` changes.
    _CHANGING = ("lr", "_best", "_n_bad", "_cooling", "_n_epochs")

    def __init__(self, recipes: Sequence[OptimizerRecipe]) -> None:
        super().__init__(recipes)
        first = self._schedulers[0]
        assert isinstance(first, ReduceLROnPlateau)
        self._sign = 1.0 if first.mode == "min" else -1.0
        self._relative = first.threshold_mode == "rel"
        names = ("factor", "patience", "threshold", "cooldown", "eps")
        self._factor, self._patience, self._threshold, self._cooldown, self._eps = map(self._number, names)
        # one per group of parameters
        self._min_lr = self._column([float(vars(scheduler)["min_lrs"][0]) for scheduler in self._schedulers])
        self._best = torch.full_like(self.lr, float(first.mode_worse))
        self._n_bad, self._cooling = torch.zeros_like(self.lr), torch.zeros_like(self.lr)
        self._n_epochs = 0

    @property
    def alike(self) -> list[int]:
        """Each by itself: its own losses decide its rate."""
        return list(range(len(self._place)))

    def _number(self, name: str) -> Tensor:
        return self._column([float(getattr(scheduler, name)) for scheduler in self._schedulers])

    def _column(self, values: Sequence[float]) -> Tensor:
        return torch.tensor([[values[i]] for i in self._place], dtype=torch.float64)

    def step(self, val_loss: Tensor | None) -> None:
        """End an epoch in which the models have reached ``val_loss`` (m,)."""
        assert val_loss is not None
        self._n_epochs += 1
        current = val_loss.double().cpu().unsqueeze(1)
        step = self._sign * self._threshold
        bar = self._best * (1 - step) if self._relative else self._best - step
        better = self._sign * current < self._sign * bar
        self._best = torch.where(better, current, self._best)
        self._n_bad = torch.where(better | (self._cooling > 0), 0, self._n_bad + 1)
        self._cooling = (self._cooling - 1).clamp(min=0)
        late = self._n_bad > self._patience
        lower = torch.maximum(self.lr * self._factor, self._min_lr)
        self.lr = torch.where(late & (self.lr - lower > self._eps), lower, self.lr)
        self._cooling = torch.where(late, self._cooldown, self._cooling)
        self._n_bad = torch.where(late, 0, self._n_bad)

    def state_dict_of(self, i: int) -> dict[str, Any]:
        """State of the scheduler of model ``i``."""
        return {
            **(super().state_dict_of(i) or {}),
            "best": self._best[i].item(),
            "num_bad_epochs": int(self._n_bad[i]),
            "cooldown_counter": int(self._cooling[i]),
            "last_epoch": self._n_epochs,
            "_last_lr": [self.lr[i].item()],
        }

    def state_dict(self) -> dict[str, Any]:
        """All that the rates of further epochs depend on."""
        return {name: getattr(self, name) for name in self._CHANGING}

    def cut(self, state: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
        """The rows at these places."""
        rows = list(places)
        return {name: value[rows] if isinstance(value, Tensor) else value for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        for name in self._CHANGING:
            setattr(self, name, state[name])


def stacked_scheduler(recipes: Sequence[OptimizerRecipe]) -> StackedScheduler:
    """What fits the schedulers, which are of one class."""
    _, scheduler = recipes[0].make()
    return (StackedPlateau if isinstance(scheduler, ReduceLROnPlateau) else StackedScheduler)(recipes)
