"""Which tensors make a model, and where they stand in a network and its loss.

Axes: ``p`` trained numbers of one model.
"""

import contextlib
import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from src.vmap.errors import NotStackedError


class Layout:
    """The tensors of a network and its loss, by the names that they have in a task.

    What is trained stands in one row of weights for each model. What is not, frozen parameters and buffers, is *held*
    beside it, since a seed may have drawn it and training may change it, as batch normalisation does. A parameter that
    takes no part in the loss gets no gradient, and is as good as frozen: `freeze_unused` makes it so.

    Args:
        net: The network.
        loss: The loss.

    Attributes:
        trained: Shapes of the trained parameters, in the order of the optimiser's.
        held: Names of frozen parameters and buffers.
        places: Place of each trained parameter among all that the optimiser is given.
        n_parameters: Number of those.
        stored: Names in a task's state by the name of the tensor that stands there; tied ones share one.

    Raises:
        NotStackedError: If the size of a tensor is not known yet.
    """

    def __init__(self, net: nn.Module, loss: nn.Module) -> None:
        parts = {"net": net, "loss": loss}
        parameters = {f"{part}.{name}": p for part, module in parts.items() for name, p in module.named_parameters()}
        buffers = {f"{part}.{name}": b for part, module in parts.items() for name, b in module.named_buffers()}
        for name, tensor in {**parameters, **buffers}.items():
            if is_lazy(tensor):
                raise NotStackedError(f"the size of {name} is open until the first input: give a lazy layer its sizes")
        self.trained = {name: p.shape for name, p in parameters.items() if p.requires_grad}
        self.held = [name for name in parameters if name not in self.trained] + list(buffers)
        self.places = [i for i, name in enumerate(parameters) if name in self.trained]
        self.n_parameters = len(parameters)
        self._net_parameters = [name for name in parameters if name.startswith("net.")]
        names = {id(tensor): name for name, tensor in {**parameters, **buffers}.items()}
        self.stored = {
            f"{part}.{name}": names[id(tensor)]
            for part, module in parts.items()
            for name, tensor in module.state_dict(keep_vars=True).items()
            if id(tensor) in names
        }

    def split(self, rows: Tensor) -> list[Tensor]:
        """Views of all trained parameters (..., *shape) in rows of weights (..., p)."""
        pieces = torch.split(rows, [shape.numel() for shape in self.trained.values()], dim=-1)
        return [
            piece.view((*rows.shape[:-1], *shape)) for piece, shape in zip(pieces, self.trained.values(), strict=True)
        ]

    def tensors(self, row: Tensor, held: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Everything of one model by name, with views of its row of weights (p,)."""
        return {**dict(zip(self.trained, self.split(row), strict=True)), **held}

    def net_parameters(self, tensors: Mapping[str, Tensor]) -> list[Tensor]:
        """Of all tensors of one model the network's parameters, trained or not, in their order."""
        return [tensors[name] for name in self._net_parameters]


def freeze_unused(net: nn.Module, loss: nn.Module, x: Tensor, targets: Tensor) -> None:
    """Freeze the parameters that get no gradient from some samples, tried on copies.

    What the copies raise is told where the network is trained.
    """
    net_copy, loss_copy = copy.deepcopy(net), copy.deepcopy(loss)
    with torch.random.fork_rng(devices=[]), contextlib.suppress(Exception):
        loss_copy(net_copy(x.clone()), targets.clone()).backward()
        for module, tried in ((net, net_copy), (loss, loss_copy)):
            for parameter, same in zip(module.parameters(), tried.parameters(), strict=True):
                parameter.requires_grad_(parameter.requires_grad and same.grad is not None)


def freeze_like(module: nn.Module, other: nn.Module) -> None:
    """Freeze the parameters that are frozen in another module of the same structure."""
    for parameter, same in zip(module.parameters(), other.parameters(), strict=True):
        parameter.requires_grad_(same.requires_grad)


def load(net: nn.Module, loss: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put one model's tensors, trained and held, in their places."""
    put(tensors, tensors_of(net, loss))


def put(tensors: Mapping[str, Tensor], places: Mapping[str, Tensor]) -> None:
    """Put one model's tensors in their places, those of `tensors_of`, which are the same for all of its models."""
    for name, place in places.items():
        place.data = tensors[name]


def row_of(layout: Layout, tensors: Mapping[str, Tensor]) -> Tensor:
    """The trained parameters among a model's tensors as one row of weights (p,).

    Raises:
        NotStackedError: If one is not of single precision.
    """
    for name in layout.trained:
        if tensors[name].dtype != torch.float32:
            raise NotStackedError(f"{name} is of {tensors[name].dtype}; trained weights are stacked as torch.float32")
    return torch.cat([tensors[name].detach().reshape(-1) for name in layout.trained] or [torch.empty(0)])


def held_of(layout: Layout, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of what is not trained."""
    return {name: tensors[name].detach().clone() for name in layout.held}


def tensors_of(net: nn.Module, loss: nn.Module) -> dict[str, Tensor]:
    """All parameters and buffers by the names that they have in a task."""
    parts = {"net": net, "loss": loss}
    named = (
        (part, each) for part, module in parts.items() for each in (*module.named_parameters(), *module.named_buffers())
    )
    return {f"{part}.{name}": tensor for part, (name, tensor) in named}
