"""Which parts of a network are in training mode while it trains."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class Modes:
    """Modes of modules as they were made, to which they come back whenever they train.

    As Lightning does: a part that its network has put in evaluation mode, such as a frozen backbone, stays there.
    `nn.Module.train` would take all parts with it, and takes as long as a layer of a small network.

    Args:
        modules: Networks and losses, in the modes in which they begin to train.
    """

    def __init__(self, *modules: nn.Module) -> None:
        self._whole = modules
        parts = list(dict.fromkeys(part for module in modules for part in module.modules()))
        self._made = [(part, part.training) for part in parts]
        self._is_plain = all(type(part).train is nn.Module.train for part in parts)

    def set(self, *, training: bool) -> None:
        """Train or evaluate from now on."""
        if training:
            for part, is_training in self._made:
                # past the setter of nn.Module, which looks for parameters
                vars(part)["training"] = is_training
        elif self._is_plain:
            for part, _ in self._made:
                vars(part)["training"] = False
        else:
            # what one of them does beside
            for module in self._whole:
                module.eval()


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each part comes back to its own."""
    modes = [(part, part.training) for part in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for part, is_training in modes:
            part.training = is_training
