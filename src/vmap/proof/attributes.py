"""What modules keep in Python: attributes beside parameters and buffers, which a stack has once for all its models."""

import collections
import copy
import functools
import hashlib
import os
import pickle
import random
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

# Packages whose classes and functions keep nothing at module level that training could change.
LIBRARIES = ("torch", "lightning", "torchmetrics", "src", "numpy", "builtins", "collections", "abc", "typing")

# What PyTorch keeps in every module for itself; parameters and buffers have a home of their own, submodules are walked.
_OF_MODULES = frozenset({*vars(nn.Module()), "training"})

# What holds data at the top level of a module or a class.
_DATA = (
    *(bool, int, float, complex, str, bytes, list, dict, set, tuple, collections.deque, Iterator),
    *(Tensor, np.ndarray, torch.Generator, random.Random),
)

# Deeper lies nothing that a network would keep.
_DEPTH = 8


def attributes(module: nn.Module, name: str, *, without: Iterable[str] = ()) -> dict[str, str]:
    """Short digests of all that a module and its submodules keep in Python, by dotted name.

    Also what their classes and the modules that define these hold at top level, such as a counter of calls.

    Args:
        module: The module.
        name: What it is called.
        without: Attributes of the module itself to leave out.
    """
    found: dict[str, str] = {}
    for path, each in module.named_modules(prefix=name):
        skipped = {*_OF_MODULES, *(without if each is module else ())}
        for key, value in vars(each).items():
            if key not in skipped:
                found[f"{path}.{key}"] = _digest(value)
    for kind in dict.fromkeys(kind for each in module.modules() for kind in type(each).__mro__):
        if kind.__module__.split(".")[0] not in LIBRARIES:
            found |= {f"{kind.__qualname__}.{key}": _digest(value) for key, value in _plain(vars(kind))}
            above = vars(sys.modules[kind.__module__]) if kind.__module__ in sys.modules else {}
            found |= {f"{kind.__module__}.{key}": _digest(value) for key, value in _plain(above)}
    return found


@contextmanager
def packages_as_they_are(targets: Iterable[str]) -> Iterator[None]:
    """Put back afterwards what modules of one's own hold at top level, and their classes.

    Args:
        targets: Dotted paths of what is tried; all modules of their packages are looked at, apart from libraries.
    """
    roots = {target.split(".")[0] for target in targets} - {*LIBRARIES}
    modules = [module for name, module in list(sys.modules.items()) if name.split(".")[0] in roots]
    put_back: list[Callable[[], None]] = []
    for module in modules:
        owners = [module, *(each for each in vars(module).values() if isinstance(each, type) and _is_of(each, roots))]
        for owner in dict.fromkeys(owners):
            put_back += [_kept(owner, key, value) for key, value in _plain(vars(owner))]
    try:
        yield
    finally:
        for each in put_back:
            each()


def _is_of(kind: type, roots: set[str]) -> bool:
    return kind.__module__.split(".")[0] in roots


def _kept(owner: Any, key: str, value: Any) -> Callable[[], None]:
    """What puts a value back, in place where others may hold it."""
    try:
        before = copy.deepcopy(value)
    # a class of one's own may raise anything when it is copied; such a value stays as the trial has left it
    except Exception:
        return lambda: None

    def put_back() -> None:
        if isinstance(value, (dict, set)):
            value.clear()
            value.update(before)
        elif isinstance(value, (list, collections.deque)):
            value.clear()
            value.extend(before)
        elif isinstance(value, torch.Generator):
            value.set_state(before.get_state())
        elif isinstance(value, random.Random):
            value.setstate(before.getstate())
        elif isinstance(value, (Tensor, np.ndarray)):
            with torch.no_grad():
                value[...] = before
        if isinstance(value, Iterator):
            setattr(owner, key, before)
        elif vars(owner).get(key) is not value:
            setattr(owner, key, value)

    return put_back


def _plain(names: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those that hold data; names that begin with two underscores are Python's, or a compiler's."""
    for key, value in list(names.items()):
        if isinstance(value, _DATA) and not key.startswith("__"):
            yield key, value


def _digest(value: Any) -> str:
    digest = hashlib.sha256()
    for piece in _pieces(value, _DEPTH, {}):
        digest.update(piece)
    return digest.hexdigest()[:16]


def _pieces(value: Any, depth: int, seen: dict[int, Any]) -> Iterator[bytes]:
    """Bytes that change with a value; nothing in them depends on where it lies in memory.

    Args:
        value: Anything.
        depth: How far below it to look.
        seen: What has been looked at, kept alive so that its address stays its own.
    """
    yield type(value).__qualname__.encode()
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        yield repr(value).encode()
        return
    if depth == 0 or id(value) in seen:
        return
    seen[id(value)] = value
    parts: Iterable[Any] = ()
    if isinstance(value, nn.Parameter):
        # trained, and compared with all that is
        yield f"{tuple(value.shape)}".encode()
    elif isinstance(value, Tensor):
        yield f"{value.dtype} {tuple(value.shape)}".encode()
        yield from _bytes_of(value)
    elif isinstance(value, np.ndarray):
        yield pickle.dumps(value)
    elif isinstance(value, torch.Generator):
        yield value.get_state().numpy().tobytes()
    elif isinstance(value, random.Random):
        parts = value.getstate()
    elif isinstance(value, np.random.Generator):
        parts = (value.bit_generator.state,)
    elif isinstance(value, Mapping):
        parts = [part for pair in value.items() for part in pair]
    elif isinstance(value, (set, frozenset)):
        parts = sorted(map(repr, value))
    elif isinstance(value, (list, tuple, collections.deque)):
        parts = value
    elif isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
    elif isinstance(value, types.FunctionType):
        yield f"{value.__module__}.{value.__qualname__}".encode()
        parts = [cell.cell_contents for cell in value.__closure__ or () if _is_filled(cell)]
    elif isinstance(value, types.MethodType):
        parts = (value.__func__,)
    elif isinstance(value, type):
        yield f"{value.__module__}.{value.__qualname__}".encode()
    elif isinstance(value, nn.Module):
        parts = (value.state_dict(), [(name, vars(each)) for name, each in value.named_modules()])
    elif isinstance(value, (types.ModuleType, types.BuiltinFunctionType)):
        yield value.__name__.encode()
    elif isinstance(value, RemovableHandle):
        # numbered as they are made
        pass
    else:
        parts = (getattr(value, "__dict__", None), _slots(value), _reduced(value))
    for part in parts:
        yield from _pieces(part, depth - 1, seen)


def _slots(value: Any) -> dict[str, Any]:
    names = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _reduced(value: Any) -> Any:
    """What copies of an object are made from, where it keeps something that Python does not show otherwise."""
    if hasattr(value, "__dict__") or not isinstance(value, Iterator):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return value.__reduce_ex__(4)[1:]
    except TypeError:
        # nobody can tell how far a generator has come
        return os.urandom(8)


def _bytes_of(tensor: Tensor) -> Iterator[bytes]:
    if tensor.layout == torch.strided and tensor.device.type != "meta":
        yield tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def _is_filled(cell: types.CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True
