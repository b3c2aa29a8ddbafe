"""The loss of many models at once, each with what its own loss holds.

Axes: ``m`` models, ``n`` samples, ``o`` outputs.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.func import functional_call, vmap

from src.tasks.losses import ModelLoss, loss_of_models


def stacked_loss(loss: nn.Module, trained: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> ModelLoss:
    """The fastest form of a loss.

    Args:
        loss: Of one model.
        trained: Its trained parameters (m, *shape) by name.
        held: Its buffers and frozen parameters (m, *shape) by name.
    """
    if not trained and all(bool((tensor == tensor[:1]).all()) for tensor in held.values()):
        return loss_of_models(loss)
    own = {**trained, **held}

    def one(outputs: Tensor, y: Tensor, tensors: dict[str, Tensor]) -> Tensor:
        value: Tensor = functional_call(loss, tensors, (outputs, y))
        return value

    def all_models(outputs: Tensor, y: Tensor) -> Tensor:
        shared = len(y) == 1
        values: Tensor = vmap(one, in_dims=(0, None if shared else 0, 0))(outputs, y[0] if shared else y, own)
        return values

    return all_models
