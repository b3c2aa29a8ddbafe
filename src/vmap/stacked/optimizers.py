"""Optimisers of many models at once, each model with numbers of its own.

Weights stand in a matrix, a row per model. The arithmetic is that of torch.optim's loops over single tensors, operation
by operation, with a column of numbers wherever they have one number.

Axes: ``m`` models, ``p`` weights of one model.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, optim

# Cuts a row (p,) into one tensor for each parameter.
Split: TypeAlias = Callable[[Tensor], Sequence[Tensor]]


class StackedOptimizer(ABC):
    """State and numbers of ``m`` optimisers of one class.

    Args:
        groups: What each model's own torch optimiser holds as its parameter group.
    """

    def __init__(self, groups: Sequence[Mapping[str, Any]]) -> None:
        self.groups = groups
        self.n_steps = 0

    @property
    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """By name what torch keeps of each parameter, of all models (m, ...); changes with further steps."""

    @abstractmethod
    def step(self, weights: Tensor, grad: Tensor) -> None:
        """Move the weights (m, p) along the gradient (m, p) of each model's loss; ``grad`` may be overwritten."""

    @abstractmethod
    def set_lr(self, lr: Tensor) -> None:
        """Choose the learning rate (m, 1) of each model; float64, on the CPU."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """All that further steps depend on."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""

    @abstractmethod
    def cut(self, state: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
        """From `state_dict` that of the optimisers at some places, in rising order."""

    def state_dict_of(
        self, i: int, state: Mapping[str, Tensor], *, lr: float, n_steps: int, split: Split
    ) -> dict[str, Any]:
        """What torch's own optimiser of model ``i`` would store.

        Args:
            i: Place of the model.
            state: `state` at some step.
            lr: Learning rate at that step.
            n_steps: Its number.
            split: Cuts a row (p,) into one tensor for each parameter.
        """
        states = self._state_of(i, state, n_steps=n_steps, split=split)
        group = {**self.groups[i], "lr": lr, "params": list(range(len(states)))}
        return {"state": {place: own for place, own in enumerate(states) if own}, "param_groups": [group]}

    @abstractmethod
    def _state_of(self, i: int, state: Mapping[str, Tensor], *, n_steps: int, split: Split) -> list[dict[str, Any]]:
        """State of each parameter of model ``i``; empty where torch keeps none."""


class ColumnOptimizer(StackedOptimizer):
    """An optimiser whose arithmetic is written here, with a column of each number.

    Args:
        groups: What each model's own torch optimiser holds as its parameter group; `flags` are equal in all.
        like: Weights (m, p), for their shape, device and type.
    """

    # Numbers of a group that may differ from model to model.
    numbers: tuple[str, ...]

    # Settings that change the arithmetic itself.
    flags: tuple[str, ...]

    # Whether torch keeps the number of steps beside the state.
    counts_steps = True

    def __init__(self, groups: Sequence[Mapping[str, Any]], like: Tensor) -> None:
        super().__init__(groups)
        self._like = like
        self._state: dict[str, Tensor] = {}
        self.set_lr(self._host("lr"))

    @property
    def state(self) -> dict[str, Tensor]:
        """By name the state (m, p) of all models."""
        return self._state

    def set_lr(self, lr: Tensor) -> None:
        """Choose the learning rate (m, 1) of each model; float64, on the CPU."""
        self._lr_host, self._lr = lr, self._column(lr)

    def names_of(self, i: int) -> list[str]:  # noqa: ARG002 - what is kept may depend on a model's numbers
        """Names in `state` of what torch would keep for model ``i``."""
        return list(self._state)

    def state_dict(self) -> dict[str, Any]:
        """All that further steps depend on."""
        return {"n_steps": self.n_steps, "state": self._state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        self.n_steps = state["n_steps"]
        self._state = {name: tensor.to(self._like.device) for name, tensor in state["state"].items()}

    def cut(self, state: Mapping[str, Any], places: Sequence[int]) -> dict[str, Any]:
        """The rows at these places."""
        return {**state, "state": {name: rows[list(places)] for name, rows in state["state"].items()}}

    def _state_of(self, i: int, state: Mapping[str, Tensor], *, n_steps: int, split: Split) -> list[dict[str, Any]]:
        """State of each parameter."""
        states: list[dict[str, Any]] = [{} for _ in split(self._like[i])]
        for name in self.names_of(i):
            for own, piece in zip(states, split(state[name][i]), strict=True):
                if self.counts_steps:
                    # every parameter counts its steps by itself
                    own["step"] = torch.tensor(float(n_steps), dtype=self._count_dtype(i))
                own[name] = piece
        return states

    def _count_dtype(self, i: int) -> torch.dtype:
        """Type in which torch counts steps: that of all numbers by default, which is double where weights are."""
        is_double = self._like.dtype == torch.float64 and not self.groups[i].get("fused")
        return torch.float64 if is_double else torch.float32

    def _host(self, name: str) -> Tensor:
        """A number of all models (m, 1) in double precision, as Python computes."""
        return torch.tensor([[float(group[name])] for group in self.groups], dtype=torch.float64)

    def _column(self, values: Tensor) -> Tensor:
        return values.to(self._like.device, self._like.dtype, non_blocking=True)

    def _optional(self, name: str) -> Tensor | None:
        """A column that leaves out its part of the arithmetic where all models have zero."""
        values = self._host(name)
        return self._column(values) if values.any() else None

    def _flag(self, name: str) -> bool:
        return bool(self.groups[0].get(name, False))

    def _zeros(self, *names: str) -> None:
        self._state = {name: torch.zeros_like(self._like) for name in names}


class SGD(ColumnOptimizer):
    """`torch.optim.SGD`."""

    numbers = ("lr", "momentum", "dampening", "weight_decay")
    flags = ("nesterov", "maximize")
    counts_steps = False

    def __init__(self, groups: Sequence[Mapping[str, Any]], like: Tensor) -> None:
        super().__init__(groups, like)
        self._momentum, self._decay = self._optional("momentum"), self._optional("weight_decay")
        # without momentum torch leaves dampening out
        damped = torch.where(self._host("momentum") == 0, 0.0, self._host("dampening"))
        self._new = self._column(1 - damped)

    def step(self, weights: Tensor, grad: Tensor) -> None:
        """One step."""
        grad = -grad if self._flag("maximize") else grad
        if self._decay is not None:
            grad = torch.addcmul(grad, weights, self._decay)
        if self._momentum is not None:
            if self.n_steps == 0:
                self._state["momentum_buffer"] = grad.clone()
            else:
                self._state["momentum_buffer"].mul_(self._momentum).addcmul_(grad, self._new)
            moving = self._state["momentum_buffer"]
            grad = torch.addcmul(grad, moving, self._momentum) if self._flag("nesterov") else moving
        weights.addcmul_(grad, self._lr, value=-1)
        self.n_steps += 1

    def names_of(self, i: int) -> list[str]:
        """Nothing for a model without momentum."""
        return super().names_of(i) if self.groups[i]["momentum"] else []


class Adam(ColumnOptimizer):
    """`torch.optim.Adam`."""

    numbers = ("lr", "betas", "eps", "weight_decay")
    flags = ("amsgrad", "maximize", "decoupled_weight_decay")

    def __init__(self, groups: Sequence[Mapping[str, Any]], like: Tensor) -> None:
        self._decay_host = torch.tensor([[float(g["weight_decay"])] for g in groups], dtype=torch.float64)
        super().__init__(groups, like)
        self._betas = torch.tensor([list(map(float, group["betas"])) for group in groups], dtype=torch.float64)
        beta1, beta2 = self._betas[:, :1], self._betas[:, 1:]
        self._new1, self._beta2, self._new2 = self._column(1 - beta1), self._column(beta2), self._column(1 - beta2)
        self._eps, self._decay = self._column(self._host("eps")), self._optional("weight_decay")
        self._zeros("exp_avg", "exp_avg_sq", *["max_exp_avg_sq"] * self._flag("amsgrad"))

    @property
    def decoupled(self) -> bool:
        """Whether weights decay by themselves instead of through the gradient."""
        return self._flag("decoupled_weight_decay")

    def set_lr(self, lr: Tensor) -> None:
        """Choose the learning rates, and with them what decoupled decay leaves of a weight in a step."""
        super().set_lr(lr)
        self._kept = self._column(1 - lr * self._decay_host)

    def step(self, weights: Tensor, grad: Tensor) -> None:
        """One step."""
        self.n_steps += 1
        grad = -grad if self._flag("maximize") else grad
        if self._decay is not None and self.decoupled:
            weights.mul_(self._kept)
        elif self._decay is not None:
            grad = torch.addcmul(grad, weights, self._decay)
        mean, square = self._state["exp_avg"], self._state["exp_avg_sq"]
        mean.lerp_(grad, self._new1)
        square.mul_(self._beta2).addcmul_(grad * self._new2, grad)
        if self._flag("amsgrad"):
            square = torch.maximum(self._state["max_exp_avg_sq"], square, out=self._state["max_exp_avg_sq"])
        # in double precision: in single, 1 - beta2 ** step has four digits in the first steps
        correction = 1 - self._betas**self.n_steps
        size, root = self._column(self._lr_host / correction[:, :1]), self._column(correction[:, 1:].sqrt())
        denominator = square.sqrt().div_(root).add_(self._eps)
        weights.sub_(torch.div(mean, denominator, out=denominator).mul_(size))


class AdamW(Adam):
    """`torch.optim.AdamW`."""

    @property
    def decoupled(self) -> bool:
        """Always."""
        return True


class RMSprop(ColumnOptimizer):
    """`torch.optim.RMSprop`."""

    numbers = ("lr", "momentum", "alpha", "eps", "weight_decay")
    flags = ("centered", "maximize")

    def __init__(self, groups: Sequence[Mapping[str, Any]], like: Tensor) -> None:
        super().__init__(groups, like)
        self._momentum, self._decay = self._optional("momentum"), self._optional("weight_decay")
        alpha = self._host("alpha")
        self._alpha, self._new, self._eps = (
            self._column(alpha),
            self._column(1 - alpha),
            self._column(self._host("eps")),
        )
        moving = self._momentum is not None
        self._zeros("square_avg", *["momentum_buffer"] * moving, *["grad_avg"] * self._flag("centered"))

    def step(self, weights: Tensor, grad: Tensor) -> None:
        """One step."""
        self.n_steps += 1
        grad = -grad if self._flag("maximize") else grad
        if self._decay is not None:
            grad = torch.addcmul(grad, weights, self._decay)
        square = self._state["square_avg"]
        square.mul_(self._alpha).addcmul_(grad * self._new, grad)
        if self._flag("centered"):
            mean = self._state["grad_avg"].lerp_(grad, self._new)
            square = square.addcmul(mean, mean, value=-1)
        move = grad / square.sqrt().add_(self._eps)
        if self._momentum is not None:
            move = self._state["momentum_buffer"].mul_(self._momentum).add_(move)
        weights.addcmul_(move, self._lr, value=-1)

    def names_of(self, i: int) -> list[str]:
        """Without the buffer of momentum for a model that has none."""
        return [name for name in super().names_of(i) if name != "momentum_buffer" or self.groups[i]["momentum"]]


# By torch's own class.
STACKED: dict[type[optim.Optimizer], type[ColumnOptimizer]] = {
    optim.SGD: SGD,
    optim.Adam: Adam,
    optim.AdamW: AdamW,
    optim.RMSprop: RMSprop,
}
