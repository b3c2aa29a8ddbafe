"""The loss of many models at once, each with what its own loss holds.

Axes: ``m`` models, ``n`` samples, ``o`` outputs.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.func import functional_call, vmap

from src.tasks.losses import ModelLoss, loss_of_samples
from src.vmap.stacked.draws import Draws


def stacked_loss(loss: nn.Module, trained: Mapping[str, Tensor], held: Mapping[str, Tensor], draws: Draws) -> ModelLoss:
    """The fastest form of a loss.

    Args:
        loss: Of one model.
        trained: Its trained parameters (m, *shape) by name.
        held: Its buffers and frozen parameters (m, *shape) by name.
        draws: Random numbers of each model.
    """
    is_shared = not trained and all(bool((tensor == tensor[:1]).all()) for tensor in held.values())
    if is_shared and held:
        # models of other tiles may share the module, and hold something else
        loss = _holding(loss, {name: tensor[0] for name, tensor in held.items()})
    if is_shared and (quick := loss_of_samples(loss)) is not None:
        return quick
    return LossOfModule(loss, {} if is_shared else {**trained, **held}, draws)


@dataclass(frozen=True)
class LossOfModule:
    """Any loss, through `torch.func.vmap`; for as long as it computes, what its module holds is a model's.

    Attributes:
        loss: Of one model.
        own: What each model has in it (m, *shape) by name.
        draws: Random numbers of each model.
    """

    loss: nn.Module
    own: Mapping[str, Tensor]
    draws: Draws

    def __call__(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Mean loss of each model (m,)."""
        shared = len(y) == 1
        in_dims = (0, None if shared else 0, 0, 0)
        values: Tensor = vmap(self._one, in_dims=in_dims)(
            outputs, y[0] if shared else y, self.draws.tokens, dict(self.own)
        )
        return values

    def _one(self, outputs: Tensor, y: Tensor, token: Tensor, tensors: dict[str, Tensor]) -> Tensor:
        with self.draws.of(token):
            value: Tensor = functional_call(self.loss, tensors, (outputs, y))
        return value


def _holding(loss: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy with these buffers and frozen parameters."""
    own = copy.deepcopy(loss)
    for name, tensor in tensors.items():
        place, _, last = name.rpartition(".")
        module = own.get_submodule(place)
        is_buffer = last in dict(module.named_buffers(recurse=False))
        setattr(module, last, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))
    return own
