"""Random numbers of many models: each draws those that its single run draws, from a generator of its own.

Axes: ``m`` models.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FunctionType
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

# And add something to it.
_AFFINE = (functional.alpha_dropout, functional.feature_alpha_dropout)

# Draw numbers of the shape of their first argument, whose values they do not read.
_LIKE = (torch.rand_like, torch.randn_like, torch.randint_like)

# Draw numbers of a shape that is given.
_NEW = (torch.rand, torch.randn, torch.randint, torch.randperm)

# Fill their first argument.
_FILL = (
    Tensor.normal_,
    Tensor.uniform_,
    Tensor.exponential_,
    Tensor.random_,
    Tensor.bernoulli_,
    Tensor.geometric_,
    Tensor.cauchy_,
    Tensor.log_normal_,
)

# Draw by the values of their first argument, through which no gradient goes.
_BY_VALUE = (torch.bernoulli, Tensor.bernoulli, torch.poisson, torch.multinomial, Tensor.multinomial, torch.normal)

_DRAWING = frozenset({*_FACTORS, *_AFFINE, *_LIKE, *_FILL, *_BY_VALUE, functional.rrelu})

# Make a tensor for each model, since it may be filled with what differs from model to model.
_MAKE = (torch.empty, torch.zeros, Tensor.new_empty, Tensor.new_zeros, torch.empty_like, torch.zeros_like)


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
        self._token = torch.tensor(0)

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
        if func in _NEW or (func is torch.normal and isinstance(args[0] if args else named.get("mean"), int | float)):
            return self._each(lambda: func(*args, **named))
        if func in _MAKE:
            made = func(*args, **named)
            zeros = torch.zeros_like(self._token, dtype=made.dtype, device=made.device)
            return made if made.dtype == torch.bool else made + zeros
        x, *rest = args or [named.pop("input", None)]
        if func in _DRAWING and isinstance(x, Tensor) and x.device.type == "cpu":
            return self._drawn(func, x, rest, named)
        if func is functional.scaled_dot_product_attention and not named.get("enable_gqa"):
            return self._attention(*args, **(kwargs or {}))
        if getattr(func, "__module__", "") == functional.__name__ and isinstance(func, FunctionType):
            # what it calls may draw
            with self:
                return _opened(func)(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _drawn(self, func: Callable[..., Any], x: Tensor, rest: Sequence[Any], named: dict[str, Any]) -> Tensor:
        filled = functools.partial(_like, x.shape, x.stride(), x.dtype)
        if func in _BY_VALUE:
            return self._by_value(func, x, *rest, **named)
        if func is functional.rrelu:
            return self._leaky(x, *rest, **named)
        if func in _LIKE:
            return self._each(lambda: func(filled(0), *rest, **named))
        if func in _FILL:
            return x.copy_(self._each(lambda: func(filled(0), *rest, **named)))
        by_default = func in _FACTORS
        if not named.get("training", named.get("train", rest[1] if len(rest) > 1 else by_default)):
            return x
        is_inplace = named.pop("inplace", len(rest) > 2 and rest[2])
        given = rest[:2]
        if func in _FACTORS:
            factors = self._each(lambda: func(filled(1), *given, **named))
            return x.mul_(factors) if is_inplace else x * factors

        def line() -> Tensor:
            state = torch.get_rng_state()
            added = func(filled(0), *given, **named)
            torch.set_rng_state(state)
            return torch.stack([func(filled(1), *given, **named) - added, added])

        factors, added = self._each(line).unbind()
        return x.mul_(factors).add_(added) if is_inplace else x * factors + added

    def _by_value(self, func: Callable[..., Tensor], *args: Any, **named: Any) -> Tensor:
        tensors = [each for each in args if isinstance(each, Tensor)]

        def draw(*values: Tensor) -> Tensor:
            own = iter(values)
            return func(*(next(own) if isinstance(each, Tensor) else each for each in args), **named)

        drawn = self._each(draw, *(tensor.detach() for tensor in tensors))
        if drawn.is_floating_point():
            # their gradient is zero, which is not the same as none
            for tensor in tensors:
                drawn = torch.where(torch.zeros((), dtype=torch.bool), tensor, drawn)
        return drawn

    def _leaky(
        self,
        x: Tensor,
        lower: float = 1.0 / 8,
        upper: float = 1.0 / 3,
        training: bool = False,  # noqa: FBT001, FBT002 - PyTorch's signature
        inplace: bool = False,  # noqa: FBT001, FBT002
    ) -> Tensor:
        """`torch.nn.functional.rrelu`, which draws a slope for every number that is not above zero."""
        if not training:
            return functional.leaky_relu(x, (lower + upper) / 2, inplace)

        def slopes(values: Tensor) -> Tensor:
            noise = torch.empty_like(values)
            torch.ops.aten.rrelu_with_noise(values, noise, lower, upper, training)
            return noise

        factors = self._each(slopes, x.detach())
        return x.mul_(factors) if inplace else x * factors

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,  # noqa: FBT001, FBT002 - PyTorch's signature
        scale: float | None = None,
    ) -> Tensor:
        """What PyTorch computes on a CPU where attention is dropped, step by step."""
        if not dropout_p:
            return functional.scaled_dot_product_attention(query, key, value, attn_mask, 0.0, is_causal, scale=scale)
        if is_causal:
            attn_mask = torch.ones(query.shape[-2], key.shape[-2], dtype=torch.bool).tril()
        root = (query.shape[-1] ** -0.5 if scale is None else scale) ** 0.5
        scores = (query * root) @ (key * root).transpose(-2, -1)
        if attn_mask is not None:
            is_kept = attn_mask.dtype == torch.bool
            scores = scores.masked_fill(~attn_mask, -torch.inf) if is_kept else scores + attn_mask
        return self._drawn(functional.dropout, torch.softmax(scores, -1), [dropout_p], {}) @ value

    def _each(self, draw: Callable[..., Tensor], *given: Tensor) -> Tensor:
        drawn: Tensor = _PerModel.apply(self._token, self._all, draw, *given)  # type: ignore[no-untyped-call]
        return drawn

    def _all(self, draw: Callable[..., Tensor], given: Sequence[tuple[Tensor, int | None]]) -> Tensor:
        """What every model draws (m, ...); tensors that it is given have an axis of models, or none."""
        before = torch.get_rng_state()
        drawn = []
        for i, state in enumerate(self.states):
            torch.set_rng_state(state)
            drawn.append(draw(*(tensor if axis is None else tensor.select(axis, i) for tensor, axis in given)))
            self.states[i] = torch.get_rng_state()
        torch.set_rng_state(before)
        return torch.stack(drawn)


def _like(shape: Sequence[int], strides: Sequence[int], dtype: torch.dtype, value: int) -> Tensor:
    """A tensor of one value that lies in memory as another one does, since draws follow the memory."""
    order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
    dense = torch.full([shape[axis] for axis in order], value, dtype=dtype)
    return dense.permute([order.index(axis) for axis in range(len(shape))])


@functools.cache
def _opened(func: FunctionType) -> FunctionType:
    """A function of `torch.nn.functional` that does not hand itself over, so that what it calls is."""
    handed = ("has_torch_function", "has_torch_function_unary", "has_torch_function_variadic")
    inside = {**func.__globals__, **dict.fromkeys(handed, lambda *_: False)}
    opened = FunctionType(func.__code__, inside, func.__name__, func.__defaults__, func.__closure__)
    opened.__kwdefaults__ = func.__kwdefaults__
    return opened


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
    def forward(token: Tensor, stacked: Callable[..., Tensor], draw: Callable[..., Tensor], *given: Tensor) -> Tensor:
        """The row of one model, outside of `vmap`."""
        return stacked(draw, [(tensor, None) for tensor in given])[int(token)]

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing to keep: nothing that is drawn has a gradient."""

    @staticmethod
    def vmap(
        info: Any,  # noqa: ARG004 - PyTorch's signature
        in_dims: Sequence[Any],
        token: Tensor,  # noqa: ARG004
        stacked: Callable[..., Tensor],
        draw: Callable[..., Tensor],
        *given: Tensor,
    ) -> tuple[Tensor, int]:
        """All rows."""
        return stacked(draw, list(zip(given, in_dims[3:], strict=True))), 0
