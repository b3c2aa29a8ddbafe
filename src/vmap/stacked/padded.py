"""Networks of one depth and several widths as one batch: zeros make the layers of all as wide as the widest.

A unit that a model does not have hands on what its activation makes of 0. The next layer multiplies that with 0, so
nothing comes of it, and of all gradients only those of these zeros must be taken away.

Axes: ``m`` models, ``n`` samples, ``f`` inputs and ``o`` outputs of a layer, ``q`` trained numbers of one model, ``p``
those of a row that has room for any of the models.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from src.models.mlp import MLP
from src.tasks.base import Task
from src.vmap.errors import NotStackedError
from src.vmap.stacked.draws import Draws
from src.vmap.stacked.layout import Layout
from src.vmap.stacked.network import Activation, StackedMLP, StackedNet, stacked_network


class Frame:
    """Rows of one length for models of several structures; where there is one structure, its own rows.

    It is that of a chunk, and not of a tile: models that leave their tile take rows of the same length with them.

    Args:
        tasks: Of all models of a chunk; models of one structure have the same object.

    Attributes:
        layout: Of a row.

    Raises:
        NotStackedError: If there are several structures, and not all are those of an `MLP` of one depth.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._layouts = {task: Layout(task.net, task.loss) for task in dict.fromkeys(tasks)}
        first = tasks[0]
        self.layout, self._places = self._layouts[first], {}
        if len(self._layouts) > 1:
            self.layout = Layout(_widest([task.net for task in self._layouts]), first.loss)
            self._places = {task: _places(layout, self.layout) for task, layout in self._layouts.items()}

    @property
    def is_padded(self) -> bool:
        """Whether rows may be longer than what a model trains."""
        return bool(self._places)

    def layout_of(self, task: Task) -> Layout:
        """Of what a model trains (q,)."""
        return self._layouts[task]

    def order_of(self, task: Task) -> tuple[str, ...]:
        """Models sorted by this stand so that those with the same activations are together."""
        return _mlp(task.net).activations if self.is_padded else ()

    def padded(self, task: Task, own: Tensor) -> Tensor:
        """A row (p,) with what a model trains (q,), and zeros."""
        if not self.is_padded:
            return own
        return own.new_zeros(self._length).index_copy(0, self._places[task], own)

    def own(self, task: Task, row: Tensor) -> Tensor:
        """What a model trains (q,) from a row (p,) on the CPU."""
        return row[self._places[task]] if self.is_padded else row

    def padding(self, tasks: Sequence[Task]) -> Tensor | None:
        """Where the rows (m, p) of some models stay 0; None if nowhere."""
        if not self.is_padded:
            return None
        padding = torch.ones(len(tasks), self._length, dtype=torch.bool)
        for row, task in zip(padding, tasks, strict=True):
            row[self._places[task]] = False
        return padding

    def network(self, tasks: Sequence[Task], held: Mapping[str, Tensor], draws: Draws) -> StackedNet:
        """The fastest form of the networks of some models, with what they hold beside trained weights."""
        if self.is_padded:
            return PaddedMLP([_mlp(task.net) for task in tasks])
        return stacked_network(tasks[0].net, held, draws)

    @property
    def _length(self) -> int:
        return sum(shape.numel() for shape in self.layout.trained.values())


def _mlp(net: nn.Module) -> MLP:
    if type(net) is not MLP or not all(parameter.requires_grad for parameter in net.parameters()):
        raise NotStackedError(f"{type(net).__name__} cannot be padded")
    return net


def _widest(nets: Sequence[nn.Module]) -> MLP:
    """A network, without any numbers, whose layers are as wide as the widest of all."""
    linears = [[layer for layer in _mlp(net).layers if isinstance(layer, nn.Linear)] for net in nets]
    if len({(len(layers), layers[0].in_features, layers[-1].out_features) for layers in linears}) > 1:
        raise NotStackedError("networks of several depths, inputs or outputs cannot be padded")
    hidden = [max(layer.out_features for layer in same) for same in zip(*linears, strict=True)][:-1]
    last = linears[0][-1]
    with torch.device("meta"):
        return MLP(
            in_features=linears[0][0].in_features, hidden=hidden, out_features=last.out_features, activation="identity"
        )


def _places(own: Layout, wide: Layout) -> Tensor:
    """Places (q,) of the numbers of a row in a wider row."""
    places, start = [], 0
    for shape, room in zip(own.trained.values(), wide.trained.values(), strict=True):
        numbers = torch.arange(start, start + room.numel()).view(room)
        places.append(numbers[tuple(map(slice, shape))].reshape(-1))
        start += room.numel()
    return torch.cat(places)


class PaddedMLP(StackedMLP):
    """`StackedMLP` of networks with other widths and activations.

    Layers are merged where no model has an activation between them.

    Args:
        nets: The network of each model. Those with equal activations should stand together.
    """

    def __init__(self, nets: Sequence[MLP]) -> None:
        super().__init__(nets[0])
        self._segments, depth = [], 0
        of_models = [_activations(net) for net in nets]
        for of_layer in zip(*of_models, strict=True):
            depth += 1
            if any(type(each) is not nn.Identity for each in of_layer):
                self._segments.append((depth, _of_all(of_layer)))
                depth = 0
        self._segments.append((depth + 1, nn.Identity()))


def _activations(net: MLP) -> list[nn.Module]:
    """After each hidden layer."""
    layers = iter(net.layers)
    found: list[nn.Module] = []
    for name in net.activations:
        next(layers)
        found.append(nn.Identity() if name == "identity" else next(layers))
    return found


def _of_all(activations: Sequence[nn.Module]) -> Activation:
    """The activation of one layer of each model."""
    runs = [(next(same), 1 + sum(1 for _ in same)) for _, same in itertools.groupby(activations, type)]
    if len(runs) > 1:
        return _Several(tuple(runs))
    return torch.relu_ if type(activations[0]) is nn.ReLU else activations[0]


@dataclass(frozen=True)
class _Several:
    """Applies to models in a row what each of them has.

    Attributes:
        runs: An activation, and how many models in a row have it.
    """

    runs: tuple[tuple[Activation, int], ...]

    def __call__(self, x: Tensor) -> Tensor:
        """Of columns (m, o, n), or (m * o, n)."""
        rows = len(x) // sum(n for _, n in self.runs)
        pieces = torch.split(x, [n * rows for _, n in self.runs])
        return torch.cat([activation(piece) for (activation, _), piece in zip(self.runs, pieces, strict=True)])
