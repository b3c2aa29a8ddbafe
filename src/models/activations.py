"""Activations by name, among them ReLU and sigmoid written by hand.

The hand-made ones do the same arithmetic as PyTorch's, to show that there is no magic in a non-linearity.
"""

import math
from collections.abc import Callable
from typing import Annotated

import torch
from torch import Tensor, nn

from src.config.allowed import Text, fits, say


def handmade_relu(x: Tensor) -> Tensor:
    """Keep what is positive, put zero for the rest; any shape, the same shape back."""
    # where, not maximum: at exactly zero, maximum would pass half of the gradient on and ReLU passes none; and NaN,
    # which is not <= 0, stays visible
    return torch.where(x <= 0, torch.zeros_like(x), x)


def handmade_sigmoid(x: Tensor) -> Tensor:
    """Squash every number into (0, 1): 1 / (1 + exp(-x)); any shape, the same shape back."""
    # clamped where exp(-x) would overflow to infinity, in float32 below -88, and make the gradient NaN
    return 1 / (1 + torch.exp(-x.clamp(min=1 - math.log(torch.finfo(x.dtype).max))))


class HandmadeReLU(nn.Module):
    """`handmade_relu` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply `handmade_relu`."""
        return handmade_relu(x)


class HandmadeSigmoid(nn.Module):
    """`handmade_sigmoid` as a module."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply `handmade_sigmoid`."""
        return handmade_sigmoid(x)


# Besides these words, PyTorch's own by their names: SiLU, or torch.nn.SiLU.
Name = Annotated[
    str,
    Text(
        r"identity|relu|tanh|sigmoid|gelu|leaky_relu|handmade_relu|handmade_sigmoid|(torch\.nn\.)?(CELU|ELU|GELU|Hardshrink|"
        r"Hardsigmoid|Hardswish|Hardtanh|LeakyReLU|LogSigmoid|Mish|PReLU|ReLU|ReLU6|RReLU|SELU|Sigmoid|SiLU|Softplus|"
        r"Softshrink|Softsign|Tanh|Tanhshrink)",
        "identity, relu, tanh, sigmoid, gelu, leaky_relu, handmade_relu, handmade_sigmoid, or one of torch.nn's "
        "by its name, such as SiLU",
    ),
]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "identity": nn.Identity,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "handmade_relu": HandmadeReLU,
    "handmade_sigmoid": HandmadeSigmoid,
}

# Those with a corner at zero: a unit with one of them folds its input there, and is linear on either side.
FOLDING = frozenset({"relu", "leaky_relu", "handmade_relu"})


def activation(name: str) -> nn.Module:
    """A new activation module.

    Raises:
        ValueError: If no activation has this name.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]()
    if not fits(name, Name):
        raise ValueError(f"model.net.activation must be {say(Name)}, got {name!r}")
    made: nn.Module = getattr(nn, name.removeprefix("torch.nn."))()
    return made
