"""Fully connected networks: all of this project's models are one of these.

Axes: ``n`` samples, ``f`` input features, ``o`` outputs.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

import torch
from torch import Tensor, nn

from src.config.allowed import Range, checked
from src.models.activations import Name
from src.models.activations import activation as make_activation
from src.models.features import Features

Width = Annotated[int, Range(low=1, high=10_000_000)]
Init = Literal["xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "orthogonal", "zeros"]

_NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm}

_INITS: dict[str, Callable[[Tensor], Tensor]] = {
    "xavier_uniform": nn.init.xavier_uniform_,
    "xavier_normal": nn.init.xavier_normal_,
    "kaiming_uniform": lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu"),
    "kaiming_normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
    "zeros": nn.init.zeros_,
}


class Hidden(NamedTuple):
    """What a hidden layer computes.

    Attributes:
        activation: Name of its activation.
        before: Its pre-activations, (n, width).
        after: What it hands on to the next layer, (n, width).
    """

    activation: str
    before: Tensor
    after: Tensor


class MLP(nn.Module):
    """Linear layers, each hidden one followed by a norm, an activation and dropout as far as they are asked for.

    Args:
        in_features: Number of input features ``f``.
        hidden: Width of each hidden layer; empty for a single linear layer.
        out_features: Number of outputs ``o``.
        activation: Name of the activation after every hidden layer, or one name per hidden layer. With ``identity``
            everywhere the whole network is one linear map, however deep.
        norm: What normalises before each activation: ``batch``, which takes any bias away, so that the layer before it
            has none, or ``layer``; None for nothing.
        dropout: Share of the units of each hidden layer that is left out in training.
        residual: Whether a hidden layer adds what it was given to what it hands on, where both are equally wide.
        init: How weights are drawn, with biases of 0; None for PyTorch's way.
        features: Functions of the inputs that stand in their place; None for the inputs themselves.

    Raises:
        ValueError: If a size is smaller than 1, an activation is unknown, or their number differs from ``hidden``'s.
    """

    @checked("model.net")
    def __init__(
        self,
        *,
        in_features: Width,
        hidden: Sequence[Width],
        out_features: Width,
        activation: Name | Sequence[Name],
        norm: Literal["batch", "layer"] | None = None,
        dropout: Annotated[float, Range(low=0, high=1, open_high=True)] = 0.0,
        residual: bool = False,
        init: Init | None = None,
        features: Features | None = None,
    ) -> None:
        super().__init__()
        names = [activation] * len(hidden) if isinstance(activation, str) else list(activation)
        if len(names) != len(hidden):
            raise ValueError(
                f"model.net.activation must be one name or one per hidden layer, got {names} for hidden {list(hidden)}"
            )
        self.in_features, self.out_features, self.activations = in_features, out_features, tuple(names)
        self.residual, self.features = residual, features
        width = in_features if features is None else features.bind(in_features)
        # Weights are drawn as layers are made, so the order of the layers decides which weights a seed gives.
        self.layers = nn.Sequential()
        # of each hidden layer: where it begins, and where its activation stands
        self._places: list[tuple[int, int]] = []
        for n, name in zip(hidden, names, strict=True):
            start = len(self.layers)
            # no step is taken along what has no gradient but rounding
            self.layers.append(nn.Linear(width, n, bias=norm != "batch"))
            if norm is not None:
                self.layers.append(_NORMS[norm](n))
            self._places.append((start, len(self.layers)))
            if name != "identity":
                self.layers.append(make_activation(name))
            if dropout > 0:
                self.layers.append(nn.Dropout(dropout))
            width = n
        self.layers.append(nn.Linear(width, out_features))
        if init is not None:
            self._draw(init)

    @property
    def is_chain(self) -> bool:
        """Whether it is its `layers` one after the other, and nothing else."""
        return self.features is None and not self.residual

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, o) of inputs (n, f)."""
        if self.features is not None:
            x = self.features(x)
        if self.residual:
            for start, end in self._hidden():
                x = _added(x, self.layers[start:end](x))
            outputs: Tensor = self.layers[-1](x)
        else:
            outputs = self.layers(x)
        return outputs

    def hidden_layers(self, x: Tensor) -> list[Hidden]:
        """What every hidden layer computes of inputs (n, f), in order."""
        found: list[Hidden] = []
        if self.features is not None:
            x = self.features(x)
        for name, (start, at), (_, end) in zip(self.activations, self._places, self._hidden(), strict=True):
            before = self.layers[start:at](x)
            after = self.layers[at:end](before)
            x = _added(x, after) if self.residual else after
            found.append(Hidden(name, before, x))
        return found

    def _hidden(self) -> list[tuple[int, int]]:
        """Where each hidden layer begins and ends among `layers`."""
        starts = [*(start for start, _ in self._places), len(self.layers) - 1]
        return list(pairwise(starts))

    @torch.no_grad()
    def _draw(self, init: Init) -> None:
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                _INITS[init](layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _added(x: Tensor, y: Tensor) -> Tensor:
    return x + y if x.shape == y.shape else y
