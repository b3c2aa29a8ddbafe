"""Keeps what nobody here uses from being imported, and metrics from looking at every number that they keep."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any


@contextmanager
def without_scipy_signal() -> Iterator[None]:
    """Import Lightning and torchmetrics inside this, and they do not load `scipy.signal`.

    torchmetrics 1.9 loads it, which takes a second, only to give it back a name (``hamming``) that an audio package
    looks for. Inside, an empty module stands in its place; afterwards whoever imports `scipy.signal` gets the real one.
    """
    if "scipy.signal" in sys.modules:
        yield
        return
    stand_in = ModuleType("scipy.signal")
    stand_in.__dict__["hamming"] = None
    sys.modules["scipy.signal"] = stand_in
    try:
        yield
    finally:
        del sys.modules["scipy.signal"]


@contextmanager
def plain_attributes() -> Iterator[None]:
    """Let metrics set their states inside this as any object sets an attribute, in a fifth of the time.

    A metric is a `torch.nn.Module`, which looks at each value in turn whether it is a parameter, a module or a buffer.
    Measuring one network sets four hundred, and thousands are measured one after the other.
    """
    from torch import nn
    from torchmetrics import Metric

    kind: Any = Metric
    usual = kind.__setattr__

    def set_attribute(metric: Metric, name: str, value: object) -> None:
        own = vars(metric)
        # a value that is there by this name, and none that a module keeps elsewhere
        if name in own and not isinstance(value, nn.Module | nn.Parameter):
            own[name] = value
        else:
            usual(metric, name, value)

    kind.__setattr__ = set_attribute
    try:
        yield
    finally:
        kind.__setattr__ = usual
