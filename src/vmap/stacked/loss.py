"""The loss of many models at once, each with what its own loss holds.

Axes: ``m`` models, ``n`` samples, ``o`` outputs.
"""

import copy
from collections.abc import Mapping

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
    own = {} if is_shared else {**trained, **held}

    def one(outputs: Tensor, y: Tensor, token: Tensor, tensors: dict[str, Tensor]) -> Tensor:
        with draws.of(token):
            value: Tensor = functional_call(loss, tensors, (outputs, y))
        return value

    def all_models(outputs: Tensor, y: Tensor) -> Tensor:
        shared = len(y) == 1
        in_dims = (0, None if shared else 0, 0, 0)
        values: Tensor = vmap(one, in_dims=in_dims)(outputs, y[0] if shared else y, draws.tokens, own)
        return values

    return all_models


def _holding(loss: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """A copy with these buffers and frozen parameters."""
    own = copy.deepcopy(loss)
    for name, tensor in tensors.items():
        place, _, last = name.rpartition(".")
        module = own.get_submodule(place)
        is_buffer = last in dict(module.named_buffers(recurse=False))
        setattr(module, last, tensor if is_buffer else nn.Parameter(tensor, requires_grad=False))
    return own
