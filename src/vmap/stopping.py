"""Callbacks that end the training of one model of a tile and let the others go on.

Axes: ``m`` models.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from hydra.utils import get_class
from torch import Tensor

from src.build import watched_end
from src.callbacks.early_stopping import EarlyStopping
from src.compat.lightning import would_stop

# Numbers of the callback that may differ from model to model.
NUMBERS = ("min_delta", "patience")


def stopping_nodes(callbacks: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Configurations of all callbacks that may end training early, by their names."""
    nodes = {name: node for name, node in callbacks.items() if node is not None}
    return {name: node for name, node in nodes.items() if get_class(node["_target_"]) is EarlyStopping}


class Stopping:
    """Lightning's own callbacks of each model, which look at what it has measured.

    Args:
        nodes: Configurations of each model's callbacks.
    """

    def __init__(self, nodes: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        self._callbacks = [[_callback(node) for node in own] for own in nodes]

    def look(self, metrics: Mapping[str, Tensor], *, epoch: int) -> Tensor:
        """Which models (m,) have learnt enough, from what they have measured (m,) at the end of a block."""
        stops = [False] * len(self._callbacks)
        if any(self._callbacks):
            rows = _rows(metrics)
            for i, (callbacks, row) in enumerate(zip(self._callbacks, rows, strict=True)):
                # all of them look, as they do in a single run
                for callback in callbacks:
                    stops[i] |= would_stop(callback, row, epoch=epoch)
        return torch.tensor(stops, dtype=torch.bool)

    def states_of(self, i: int) -> dict[str, dict[str, Any]]:
        """What a checkpoint of model ``i`` holds of its callbacks, by their keys."""
        return {callback.state_key: _own(callback.state_dict()) for callback in self._callbacks[i]}

    def state_dict(self) -> list[dict[str, dict[str, Any]]]:
        """What all callbacks know."""
        return [self.states_of(i) for i in range(len(self._callbacks))]

    def load_state_dict(self, states: Sequence[Mapping[str, dict[str, Any]]]) -> None:
        """Go on from there."""
        for callbacks, own in zip(self._callbacks, states, strict=True):
            for callback in callbacks:
                callback.load_state_dict(own[callback.state_key])


def _callback(node: Mapping[str, Any]) -> EarlyStopping:
    numbers = {name: value for name, value in node.items() if name != "_target_"}
    return EarlyStopping(**{**numbers, **watched_end("callbacks.early_stopping", node)})


def _rows(metrics: Mapping[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Of each model its metrics by name."""
    for values in zip(*(column.unbind() for column in metrics.values()), strict=True):
        yield dict(zip(metrics, values, strict=True))


def _own(state: Mapping[str, Any]) -> dict[str, Any]:
    """With tensors of its own: a file of a view would hold the measurements of all models."""
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
