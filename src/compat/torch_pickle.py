"""What `torch.save` pickles plain tensors with, byte for byte what it writes by itself, in half of the time.

`torch.save` asks a function of its own about every number and every text of what it saves, and each tensor for a
description of itself. Here only storages are asked about, and tensors that are nothing but numbers are described at
once. A small checkpoint has some hundred values, and a sweep saves thousands of checkpoints.
"""

import pickle
from collections import OrderedDict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch._utils import _rebuild_tensor_v2
from torch.storage import TypedStorage, UntypedStorage

_STORAGES = frozenset({TypedStorage, UntypedStorage})

_TYPES = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.uint8, torch.int64, torch.bool})


class _Plain(pickle.Pickler):
    """Pickles with few questions.

    Args:
        file: Where to.
        protocol: Pickle's.
        of_storage: Torch's description of a storage, which it also keeps to write it.
    """

    def __init__(self, file: Any, protocol: int, of_storage: Callable[[object], Any]) -> None:
        super().__init__(file, protocol=protocol)
        self._of_storage = of_storage

    def persistent_id(self, obj: Any) -> Any:
        """What torch says of a storage; nothing of anything else."""
        return self._of_storage(obj) if type(obj) in _STORAGES else None

    def reducer_override(self, obj: Any) -> Any:
        """A plain tensor as `Tensor.__reduce_ex__` describes it."""
        if type(obj) is not Tensor or not _is_plain(obj):
            return NotImplemented
        kind: Any = TypedStorage
        storage = kind(wrap_storage=obj.untyped_storage(), dtype=obj.dtype, _internal=True)
        no_hooks: Any = OrderedDict()
        return _rebuild_tensor_v2, (storage, obj.storage_offset(), tuple(obj.shape), obj.stride(), False, no_hooks)


def _is_plain(tensor: Tensor) -> bool:
    return (
        tensor.dtype in _TYPES
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and not tensor.requires_grad
        and not vars(tensor)
        and not tensor.is_neg()
    )


class _Pickler(pickle.Pickler):
    """What `torch.save` makes a class of, with its ``persistent_id``."""

    def __init__(self, file: Any, protocol: int) -> None:
        super().__init__(file, protocol=protocol)
        self._given = file, protocol

    def dump(self, obj: Any) -> None:
        """Pickle an object."""
        _Plain(*self._given, self.persistent_id).dump(obj)


PLAIN_PICKLE: Any = SimpleNamespace(__name__="pickle", Pickler=_Pickler)
"""Stands for the module `pickle` in a call of `torch.save`."""
