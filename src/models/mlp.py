"""Fully connected networks: all of this project's models are one of these.

Axes: ``n`` samples, ``f`` input features, ``o`` outputs.
"""

from collections.abc import Sequence
from typing import Annotated, NamedTuple

from torch import Tensor, nn

from src.config.allowed import Range, checked
from src.models.activations import Name
from src.models.activations import activation as make_activation

Width = Annotated[int, Range(low=1, high=10_000_000)]


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
    """Linear layers with an activation after each hidden one.

    Args:
        in_features: Number of input features ``f``.
        hidden: Width of each hidden layer; empty for a single linear layer.
        out_features: Number of outputs ``o``.
        activation: Name of the activation after every hidden layer, or one name per hidden layer. With ``identity``
            everywhere the whole network is one linear map, however deep.

    Raises:
        ValueError: If a size is smaller than 1, an activation is unknown, or their number differs from ``hidden``'s.
    """

    @checked("model.net")
    def __init__(
        self, *, in_features: Width, hidden: Sequence[Width], out_features: Width, activation: Name | Sequence[Name]
    ) -> None:
        super().__init__()
        names = [activation] * len(hidden) if isinstance(activation, str) else list(activation)
        if len(names) != len(hidden):
            raise ValueError(
                f"model.net.activation must be one name or one per hidden layer, got {names} for hidden {list(hidden)}"
            )
        self.in_features, self.out_features, self.activations = in_features, out_features, tuple(names)
        # Weights are drawn as layers are made, so the order of the layers decides which weights a seed gives.
        self.layers = nn.Sequential()
        for width, name in zip(hidden, names, strict=True):
            self.layers.append(nn.Linear(in_features, width))
            if name != "identity":
                self.layers.append(make_activation(name))
            in_features = width
        self.layers.append(nn.Linear(in_features, out_features))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs (n, o) of inputs (n, f)."""
        outputs: Tensor = self.layers(x)
        return outputs

    def hidden_layers(self, x: Tensor) -> list[Hidden]:
        """What every hidden layer computes of inputs (n, f), in order."""
        found: list[Hidden] = []
        layers = iter(self.layers)
        for name in self.activations:
            before = next(layers)(x)
            x = before if name == "identity" else next(layers)(before)
            found.append(Hidden(name, before, x))
        return found
