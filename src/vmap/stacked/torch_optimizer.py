"""Optimisers of any class that acts on every number by itself: torch's own objects step, on many models at once.

Models with equal numbers are the rows of one parameter, which an optimiser of theirs steps as it steps any other. That
a class acts on every number by itself is taken for granted here; `src.vmap.proof.prove` finds out.

Axes: ``m`` models, ``k`` models with equal numbers, ``p`` weights of one model.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn, optim

from src.tasks.base import OptimizerFactory
from src.vmap.errors import NotStackedError
from src.vmap.stacked.optimizers import STACKED, Split, StackedOptimizer
from src.vmap.stacked.schedulers import OptimizerRecipe, StackedScheduler


class TorchOptimizer(StackedOptimizer):
    """State and numbers of ``m`` optimisers of any class.

    Args:
        factories: What makes the optimiser of each model.
        alike: A number for each model; those with the same one have the same factory, and always the same rate.
        groups: What each model's own torch optimiser holds as its parameter group.
        like: Weights (m, p), for their shape, device and type.

    Raises:
        NotStackedError: If the class keeps more than numbers for each weight and numbers for each parameter, now or
            after a step.
    """

    def __init__(
        self,
        factories: Sequence[OptimizerFactory],
        alike: Sequence[int],
        groups: Sequence[Mapping[str, Any]],
        like: Tensor,
    ) -> None:
        super().__init__(groups)
        self._like = like
        self._blocks: list[_Block] = []
        for number in dict.fromkeys(alike):
            places = [i for i, other in enumerate(alike) if other == number]
            self._blocks.append(_Block(places, factories[places[0]], like))
        self._block_of = {i: block for block in self._blocks for i in block.places}

    @property
    def state(self) -> dict[str, Tensor]:
        """By name the state of all models: (m, p) of each weight, (m, 1) where a parameter has one number."""
        state: dict[str, Tensor] = {}
        for block in self._blocks:
            for name, rows in block.columns().items():
                known = state[name] if name in state else rows.new_zeros(len(self.groups), rows.shape[1])
                dtype = torch.promote_types(known.dtype, rows.dtype)
                state[name] = known.to(dtype)
                state[name][block.rows] = rows.to(dtype)
        return state

    def set_lr(self, lr: Tensor) -> None:
        """Choose the learning rate (m, 1) of each model; float64, on the CPU."""
        for block in self._blocks:
            block.group["lr"] = lr[block.places[0]].item()

    def step(self, weights: Tensor, grad: Tensor) -> None:
        """One step."""
        for block in self._blocks:
            block.step(weights, grad)
        self.n_steps += 1

    def names_of(self, i: int) -> list[str]:
        """Names of what torch keeps for model ``i``."""
        return list(self._block_of[i].values)

    def state_dict(self) -> dict[str, Any]:
        """All that further steps depend on."""
        return {"n_steps": self.n_steps, "blocks": [dict(block.values) for block in self._blocks]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.n_steps = state["n_steps"]
        for block, values in zip(self._blocks, state["blocks"], strict=True):
            block.load(values)

    def cut(self, state: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
        """The rows at these places, and no block that has none."""
        values = dict(zip(self._blocks, state["blocks"], strict=True))
        # in the order that the blocks of these models will have
        blocks = dict.fromkeys(self._block_of[i] for i in places)
        return {**state, "blocks": [block.cut(values[block], places) for block in blocks]}

    def _state_of(
        self,
        i: int,
        state: Mapping[str, Tensor],
        *,
        n_steps: int,  # noqa: ARG002 - stands in the state where torch counts
        split: Split,
    ) -> list[dict[str, Any]]:
        """State of each parameter."""
        block = self._block_of[i]
        states: list[dict[str, Any]] = [{} for _ in split(self._like[i])]
        for name, value in block.values.items():
            if block.is_of_weights(value):
                pieces: Sequence[Any] = split(state[name][i])
            else:
                pieces = [_same_kind(value, state[name][i]) if name in state else value for _ in states]
            for own, piece in zip(states, pieces, strict=True):
                own[name] = piece
        return states


class _Block:
    """Models with equal numbers, as one parameter (k, p) with an optimiser.

    Attributes:
        places: Places of the models.
        rows: The same, as an index of all models' rows.
        group: Numbers of the optimiser.
    """

    def __init__(self, places: Sequence[int], factory: OptimizerFactory, like: Tensor) -> None:
        self.places = places
        in_a_row = list(places) == list(range(places[0], places[-1] + 1))
        self.rows = slice(places[0], places[-1] + 1) if in_a_row else torch.tensor(places, device=like.device)
        self._parameter = nn.Parameter(like[self.rows])
        self._optimizer = factory([self._parameter])
        if type(self._optimizer).state_dict is not optim.Optimizer.state_dict:
            raise NotStackedError(f"{self._name} stores its state in a way of its own")
        if len(self._optimizer.param_groups) != 1:
            raise NotStackedError(f"{self._name} makes several groups of its parameters")
        (self.group,) = self._optimizer.param_groups
        self._names: list[str] | None = None

    @property
    def _name(self) -> str:
        return type(self._optimizer).__name__

    @property
    def values(self) -> dict[str, Any]:
        """What the optimiser keeps of its parameter."""
        values: dict[str, Any] = self._optimizer.state.get(self._parameter, {})
        return values

    def step(self, weights: Tensor, grad: Tensor) -> None:
        rows = weights[self.rows]
        self._parameter.data, self._parameter.grad = rows, grad[self.rows]
        if self._names is None:
            self._first_step()
        else:
            self._optimizer.step()
        # where the rows are no view of the weights, or a step puts another tensor in their place
        if isinstance(self.rows, Tensor) or self._parameter.data_ptr() != rows.data_ptr():
            weights[self.rows] = self._parameter.detach()

    def _first_step(self) -> None:
        """Take a step, and look at what it leaves."""
        before = _numbers(self.group)
        self._optimizer.step()
        if changed := [name for name, value in _numbers(self.group).items() if before.get(name) != value]:
            raise NotStackedError(f"{self._name} changes {', '.join(changed)} of its group at every step")
        if self._optimizer.state.keys() - {self._parameter}:
            raise NotStackedError(f"{self._name} keeps more than a state for each parameter")
        self._names = list(self.values)
        self.columns()

    def is_of_weights(self, value: Any) -> bool:
        """Whether a value has one number for each weight."""
        return isinstance(value, Tensor) and value.shape == self._parameter.shape

    def columns(self) -> dict[str, Tensor]:
        """Values that are numbers: (k, p), or (1, 1) where all weights have one."""
        if self._names is not None and list(self.values) != self._names:
            raise NotStackedError(
                f"{self._name} begins to keep {', '.join(self.values.keys() - set(self._names))} late"
            )
        device, found = self._parameter.device, {}
        for name, value in self.values.items():
            if self.is_of_weights(value):
                found[name] = value
            elif isinstance(value, Tensor) and value.numel() == 1:
                found[name] = value.view(1, 1).to(device)
            elif isinstance(value, int | float):
                kind = torch.float64 if isinstance(value, float) else None
                found[name] = torch.tensor([[value]], dtype=kind, device=device)
            elif value is not None and not isinstance(value, str):
                what = f"a tensor {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
                raise NotStackedError(f"{self._name} keeps {what} as {name}, which is not a number for each weight")
        return found

    def cut(self, values: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
        """Values of those models that stand at these places."""
        rows = [row for row, place in enumerate(self.places) if place in places]
        return {name: value[rows] if self.is_of_weights(value) else value for name, value in values.items()}

    def load(self, values: Mapping[str, Any]) -> None:
        """Go on from stored values."""
        groups = self._optimizer.state_dict()["param_groups"]
        # torch knows on which device a value belongs, and casts what is of another type than the weights
        self._optimizer.load_state_dict({"state": {0: dict(values)} if values else {}, "param_groups": groups})
        (self.group,) = self._optimizer.param_groups
        for name, value in values.items():
            is_tensor = isinstance(value, Tensor)
            self.values[name] = value.to(self.values[name].device, copy=True) if is_tensor else value
        self._names = list(values) or None


def _numbers(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in group.items() if name != "params"}


def _same_kind(value: Any, number: Tensor) -> Any:
    """A number (1,) in the form of a value."""
    if isinstance(value, Tensor):
        return number.to(value.dtype, copy=True).view(value.shape)
    return type(value)(number.item())


def stacked_optimizer(
    recipes: Sequence[OptimizerRecipe], scheduler: StackedScheduler, like: Tensor
) -> StackedOptimizer:
    """The fastest form of the optimisers, which are of one class.

    Args:
        recipes: Of each model.
        scheduler: Their rates.
        like: Weights (m, p).
    """
    kind = recipes[0].kind
    if kind in STACKED:
        return STACKED[kind](scheduler.groups, like)
    return TorchOptimizer([recipe.optimizer for recipe in recipes], scheduler.alike, scheduler.groups, like)
