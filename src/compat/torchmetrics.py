"""Keeps what nobody here uses from being imported."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


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
