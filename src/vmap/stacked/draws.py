"""Random numbers of many models: each draws those that its single run draws, from a generator of its own.

Axes: ``m`` models.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# Multiply their input with what they draw while they train.
_FACTORS = (
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
    torch.dropout,
    torch.feature_dropout,
)

# Draw numbers of the shape of their first argument, whose values they do not read.
_LIKE = (torch.rand_like, torch.randn_like, torch.randint_like)

# Draw numbers of a shape that is given.
_NEW = (torch.rand, torch.randn, torch.randint, torch.randperm)

# Fill their first argument.
_FILL = (Tensor.normal_, Tensor.uniform_, Tensor.exponential_, Tensor.random_)

_DRAWING = frozenset({*_FACTORS, *_LIKE, *_FILL})


class Draws(TorchFunctionMode):
    """Stands between a network in `torch.func.vmap` and the functions that draw; on a CPU only.

    Whatever else draws raises, as `vmap` does by itself.

    Args:
        states: State of each model's generator, as `torch.get_rng_state` gives it.

    Attributes:
        states: Where they have come to.
    """

    def __init__(self, states: Sequence[Tensor]) -> None:
        super().__init__()
        self.states = list(states)
        # something that each model has of its own, so that `vmap` knows what belongs to it
        self.tokens = torch.arange(len(self.states))
        self._token: Tensor | None = None

    @contextmanager
    def of(self, token: Tensor) -> Iterator[None]:
        """Draw for the models whose token this is, one of `tokens` as `vmap` hands it on."""
        self._token = token
        with self:
            yield

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Draw for each model, or let a function pass that draws nothing."""
        named = dict(kwargs or {})
        if func in _NEW:
            return self._each(lambda: func(*args, **named))
        x, *rest = args or [named.pop("input", None)]
        if func in _DRAWING and isinstance(x, Tensor) and x.device.type == "cpu":
            shape, dtype = x.shape, x.dtype
            if func in _LIKE:
                return self._each(lambda: func(torch.empty(shape, dtype=dtype), *rest, **named))
            if func in _FILL:
                return x.copy_(self._each(lambda: func(torch.empty(shape, dtype=dtype), *rest, **named)))
            if named.get("training", named.get("train", rest[1] if len(rest) > 1 else True)):
                factors = self._each(lambda: func(torch.ones(shape, dtype=dtype), *rest, **named))
                return x.mul_(factors) if named.get("inplace", len(rest) > 2 and rest[2]) else x * factors
        return func(*args, **(kwargs or {}))

    def _each(self, draw: Callable[[], Tensor]) -> Tensor:
        drawn: Tensor = _PerModel.apply(self._token, lambda: self._all(draw))  # type: ignore[no-untyped-call]
        return drawn

    def _all(self, draw: Callable[[], Tensor]) -> Tensor:
        """What every model draws (m, ...)."""
        before = torch.get_rng_state()
        drawn = []
        for i, state in enumerate(self.states):
            torch.set_rng_state(state)
            drawn.append(draw())
            self.states[i] = torch.get_rng_state()
        torch.set_rng_state(before)
        return torch.stack(drawn)


class GradientHooks(TorchFunctionMode):
    """Counts hooks that are registered on gradients of tensors.

    Attributes:
        n_registered: How many were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_registered = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Let everything pass."""
        self.n_registered += func in (Tensor.register_hook, Tensor.register_post_accumulate_grad_hook)
        return func(*args, **(kwargs or {}))


class _PerModel(torch.autograd.Function):
    """Gives each model of a `vmap` its row of a stacked tensor."""

    @staticmethod
    def forward(token: Tensor, stacked: Callable[[], Tensor]) -> Tensor:
        """The row of one model, outside of `vmap`."""
        return stacked()[int(token)]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing to keep: nothing that is drawn has a gradient."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, token: Tensor, stacked: Callable[[], Tensor]) -> tuple[Tensor, int]:  # noqa: ARG004
        """All rows."""
        return stacked(), 0
