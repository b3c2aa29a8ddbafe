"""Which jobs share a stack although their networks have other widths and activations: `MLP`s of one depth, padded.

A step of a stack takes a time that does not depend on what is in it; padding takes a time that does. Jobs are put
together as long as they save more than they cost. Measured against stacks of their own, on one core of an AMD EPYC with
800 samples: hidden layers of 8, 10, 12 and 16 units take 1/2.1 of the time with 4 models each, 1/2.5 with 8, 1/1.5 with
16 and 1/1.4 with 32. ReLU and tanh side by side, which are applied in turn, take 1/1.2, 1/1.2, 1/1.1 and as long as by
themselves. Seven models of 8 units and one of 64 take 1/1.1 of the time; with one of 128 they would take 1.2 times as
long, and are left apart. Single hidden layers of 8, 10, 12, 16, 20, 24, 28 and 32 units, a job each and 1,000 epochs,
take 1.4 s padded, 5.4 s as stacks of one, and 7.3 s as single runs; with two such layers 2.8, 4.8 and 6.1 s.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from torch import nn

from src.models.mlp import MLP
from src.sweep.jobs import Job
from src.vmap.models import ModelFactory
from src.vmap.stacked.draws import Draws
from src.vmap.stacked.network import StackedMLP, stacked_network

# Multiplications that take as long as all that a step of a stack takes whatever its widths.
_STEP = 12_000_000

# Multiplications that take as long as what is done with every unit: bias, activation, gradients.
_UNIT = 32

# From so many models of one structure on, a stack of their own takes no longer.
_OWN = 32


class Shape(NamedTuple):
    """What decides how long a sample takes in an `MLP`.

    Attributes:
        sizes: Inputs, units of each hidden layer, outputs.
        bends: Whether each hidden layer has an activation.
    """

    sizes: tuple[int, ...]
    bends: tuple[bool, ...]

    @classmethod
    def of(cls, net: nn.Module) -> "Shape | None":
        """That of a network; None if it cannot be padded."""
        is_plain = all(parameter.requires_grad for parameter in net.parameters())
        if not isinstance(net, MLP) or not is_plain or type(stacked_network(net, {}, Draws([]))) is not StackedMLP:
            return None
        linears = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
        sizes = (linears[0].in_features, *(layer.out_features for layer in linears))
        return cls(sizes, tuple(name != "identity" for name in net.activations))

    def padded(self, other: "Shape") -> "Shape":
        """The smallest that has room for both."""
        return Shape(tuple(map(max, self.sizes, other.sizes)), tuple(map(max, self.bends, other.bends)))

    @property
    def work(self) -> int:
        """Multiplications that take as long as a sample; layers without an activation between them are merged."""
        layers: list[tuple[int, int]] = []
        is_open = False
        for (f, o), bends in zip(pairwise(self.sizes), (*self.bends, True), strict=True):
            if is_open and o * layers[-1][0] <= f * (layers[-1][0] + o):
                layers[-1] = layers[-1][0], o
            else:
                layers.append((f, o))
            is_open = not bends
        return sum((f + _UNIT) * o for f, o in layers)


class _Part(NamedTuple):
    """Jobs that may share a stack, by structure, and the shape that has room for all."""

    groups: tuple[Sequence[Job], ...]
    shape: Shape

    def cost(self, n_samples: int) -> int:
        """Multiplications that take as long as a step."""
        return _STEP + n_samples * self.shape.work * sum(map(len, self.groups))

    def joined(self, other: "_Part") -> "_Part":
        return _Part((*self.groups, *other.groups), self.shape.padded(other.shape))


def put_together(groups: Iterable[Sequence[Job]], factory: ModelFactory) -> Iterator[tuple[Sequence[Job], ...]]:
    """Groups that share a stack.

    Args:
        groups: Jobs of one structure each; they are alike in all but widths and activations.
        factory: Knows their networks.
    """
    parts: list[_Part] = []
    for group in groups:
        shape = Shape.of(factory.task(group[0]).net)
        if shape is None or len(group) >= _OWN:
            yield (group,)
        else:
            parts.append(_Part((group,), shape))
    if not parts:
        return
    first, *others = sorted(parts, key=lambda part: part.shape.work)
    n_train = len(factory.datamodule(first.groups[0][0]).parts.train.x)
    n_samples = min(factory.batch_size(first.groups[0][0]) or n_train, n_train)
    for other in others:
        both = first.joined(other)
        if both.cost(n_samples) <= first.cost(n_samples) + other.cost(n_samples):
            first = both
        else:
            yield first.groups
            first = other
    yield first.groups
