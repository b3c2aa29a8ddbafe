"""Whether what a data module hands over is what its `DataSpec` says: looked at once, before anything is trained.

Axes: ``n`` samples, ``f`` features, ``t`` targets of a regression.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.config.errors import ConfigError
from src.data.parts import Part, Parts
from src.data.spec import DataSpec, TaskName

log = logging.getLogger(__name__)

# Largest share of a feature's standard deviation by which single precision may move its values.
_ROUNDED = 1e-3

# Rows that are looked at together.
_CHUNK = 1 << 16

# Odd, with bits that look drawn.
_MULTIPLIER = -7046029254386353131


def spec_problems(spec: DataSpec) -> list[str]:
    """What a spec says that cannot be, a line each."""
    if not isinstance(spec, DataSpec):
        return [f"spec is of type {type(spec).__name__}; it must be a DataSpec"]
    found = []
    if spec.task not in get_args(TaskName):
        found.append(f"spec.task is {spec.task!r}; allowed: {', '.join(get_args(TaskName))}")
    for name in ("n_features", "n_outputs"):
        value = getattr(spec, name)
        if type(value) is not int or value < 1:
            found.append(f"spec.{name} is {value!r}; allowed: a whole number of at least 1")
    if found:
        return found
    n_names = {"binary": 2, "multiclass": spec.n_outputs, "regression": spec.n_outputs}[spec.task]
    if spec.task == "binary" and spec.n_outputs != 1:
        found.append(f"spec.n_outputs is {spec.n_outputs}; a binary task has 1, the logit of class 1")
    if spec.task == "multiclass" and spec.n_outputs < 2:
        found.append("spec.n_outputs is 1; a multiclass task has one for each class")
    for name, n, of in (("feature_names", spec.n_features, "feature"), ("class_names", n_names, _named(spec))):
        names = getattr(spec, name)
        if isinstance(names, str) or not all(isinstance(each, str) for each in names):
            found.append(f"spec.{name} is {names!r}; allowed: a tuple of strings")
        elif len(names) != n:
            found.append(f"spec.{name} holds {len(names)} names ({', '.join(names)}); one for each {of} are {n}")
        elif len(set(names)) < n:
            found.append(f"spec.{name} holds a name twice: {', '.join(names)}")
    return found


def _named(spec: DataSpec) -> str:
    return "target" if spec.task == "regression" else "class"


def row_of_part(part: str, row: int) -> str:
    """Where a sample is, in words."""
    return f"row {row} of part {part}"


def checked_parts(given: Any, spec: DataSpec, *, source: str, place: Callable[[str, int], str] = row_of_part) -> Parts:
    """Parts in the form that training needs: inputs (n, f) in float32, and labels (n,), int64, or numbers, float32.

    Brought into it is what loses nothing by it: arrays of NumPy, other types of numbers, labels that are booleans,
    whole numbers in floats, or (n, 1), and a single feature or target as (n,). Float64 becomes float32, which rounds;
    it is refused where that moves the values of a column by more than a thousandth of their standard deviation.

    Args:
        given: What a data module has made.
        spec: What it says of it.
        source: What chose the data module, for messages.
        place: Says where the sample of a part is, by the part's name and its row.

    Raises:
        ConfigError: If anything else is wrong; lists everything that is.
    """
    problems = spec_problems(spec)
    parts: dict[str, Part] = {}
    if not problems:
        named, problems = _named_parts(given)
        for name, (x, y) in named.items():
            found: list[str] = []
            inputs, targets = _inputs(x, spec, found), _targets(y, spec, found)
            if inputs is not None and targets is not None and len(inputs) != len(targets):
                found.append(f"x holds {len(inputs):,} rows and y {len(targets):,}")
            if inputs is not None and (few := _too_few(len(inputs), name, spec)):
                found.append(few)
            problems += [f"{name}: {text}" for text in found]
            if not found and inputs is not None and targets is not None:
                parts[name] = Part(inputs, targets)
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        raise ConfigError(f"{source}: its parts are not what training needs\n{lines}")
    checked = Parts(**parts)
    for line in overlaps(checked, place):
        log.warning("%s: %s", source, line)
    return checked


def _named_parts(given: Any) -> tuple[dict[str, tuple[Any, Any]], list[str]]:
    """Inputs and targets of each part, and what is wrong with their number."""
    names = Parts._fields
    if not isinstance(given, (tuple, list)) or len(given) != len(names):
        shown = f"{len(given)} parts" if isinstance(given, (tuple, list)) else type(given).__name__
        return {}, [f"make_parts gives {shown}; it must give Parts(train=..., val=..., test=...)"]
    named = dict(zip(names, given, strict=True))
    wrong = [name for name, part in named.items() if not isinstance(part, (tuple, list)) or len(part) != 2]
    problems = [f"{name}: is of type {type(named[name]).__name__}; it must be a Part(x, y)" for name in wrong]
    return {name: tuple(part) for name, part in named.items() if name not in wrong}, problems


def _too_few(n: int, name: str, spec: DataSpec) -> str | None:
    if n == 0:
        return "is empty"
    if n == 1 and spec.task == "regression" and name != "train":
        return "holds 1 row; the explained variance (r2) needs 2"
    return None


def _inputs(given: Any, spec: DataSpec, problems: list[str]) -> Tensor | None:
    x = _tensor("x", given, problems)
    if x is None:
        return None
    return _as_columns("x", x, "n_features", spec.n_features, spec.feature_names, problems)


def _targets(given: Any, spec: DataSpec, problems: list[str]) -> Tensor | None:
    y = _tensor("y", given, problems)
    if y is None:
        return None
    if spec.task == "regression":
        return _as_columns("y", y, "n_outputs", spec.n_outputs, spec.class_names, problems)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y.squeeze(1)
    if y.ndim != 1:
        more = "; of a row per class, argmax(1) gives the labels" if y.shape[1:] == (len(spec.class_names),) else ""
        problems.append(f"y has the shape {_shape(y)}; a {spec.task} task asks for labels (n,){more}")
        return None
    return _as_labels(y, len(spec.class_names), problems)


def _as_columns(
    name: str, tensor: Tensor, key: str, n: int, columns: Sequence[str], problems: list[str]
) -> Tensor | None:
    """Numbers (n, columns) in float32."""
    if tensor.ndim == 1 and n == 1:
        tensor = tensor.unsqueeze(1)
    if tensor.ndim != 2 or tensor.shape[1] != n:
        problems.append(f"{name} has the shape {_shape(tensor)}; spec.{key}={n} asks for (n, {n})")
        return None
    return _as_float32(name, tensor, columns, problems)


def _as_labels(y: Tensor, n_classes: int, problems: list[str]) -> Tensor | None:
    """Labels (n,) in int64, from 0 on."""
    if y.is_floating_point():
        if _refuse_rows("y", ~y.isfinite(), y, "not finite", problems):
            return None
        if _refuse_rows("y", y != y.round(), y, "no whole numbers, but labels are", problems):
            return None
    labels = y.long()
    allowed = f"outside 0 to {n_classes - 1}, the labels of {n_classes} classes"
    if _refuse_rows("y", (labels < 0) | (labels >= n_classes), y, allowed, problems):
        return None
    return labels


def _as_float32(what: str, values: Tensor, names: Sequence[str], problems: list[str]) -> Tensor | None:
    """Finite numbers (n, c) in float32."""
    if values.is_floating_point() and _refuse_rows(what, ~values.isfinite().all(1), values, "not finite", problems):
        return None
    rounded = values.float()
    if rounded.dtype == values.dtype or values.dtype in (torch.bool, torch.float16, torch.bfloat16) or not len(values):
        return rounded
    if _refuse_rows(what, ~rounded.isfinite().all(1), values, "too large for float32", problems):
        return None
    exact = values.double()
    moved, spread = (rounded.double() - exact).abs().amax(0), exact.std(0, correction=0)
    lost = ((moved > _ROUNDED * spread) & (spread > 0)).nonzero().flatten().tolist()
    problems += [
        f"{what} loses too much in float32: column {i} ({names[i]}) varies by {spread[i]:.3g} around "
        f"{exact[:, i].mean():.6g}, and rounding moves it by up to {moved[i]:.2g}; subtract its mean, or scale it"
        for i in lost
    ]
    return None if lost else rounded


def _refuse_rows(what: str, bad: Tensor, values: Tensor, how: str, problems: list[str]) -> bool:
    """Note how many rows (n,) are bad, and the first of them; whether there are any."""
    n = int(bad.sum())
    if n:
        first = int(bad.nonzero()[0])
        row = values[first].tolist()
        verb = "is" if n == 1 else "are"
        problems.append(f"{what}: {n:,} of {len(bad):,} rows {verb} {how}; the first is row {first}: {_short(row)}")
    return n > 0


def _short(row: Any) -> str:
    if isinstance(row, list) and len(row) > 8:
        return f"[{', '.join(map(str, row[:8]))}, ...]"
    return str(row)


def _tensor(what: str, given: Any, problems: list[str]) -> Tensor | None:
    """What was given as a plain tensor of real numbers."""
    value = given
    if not isinstance(value, Tensor) and hasattr(value, "__array__"):
        value = _from_numpy(np.asarray(value))
        if value is None:
            problems.append(f"{what} is an array of {np.asarray(given).dtype}; allowed: real numbers")
            return None
    if not isinstance(value, Tensor):
        problems.append(f"{what} is of type {type(given).__name__}; it must be a tensor")
        return None
    if value.is_complex() or value.layout != torch.strided or value.is_quantized:
        problems.append(f"{what} is a tensor of {value.dtype} and {value.layout}; allowed: dense real numbers")
        return None
    if value.ndim == 0:
        problems.append(f"{what} is a single number; it must hold a row for each sample")
        return None
    return value.detach()


def _from_numpy(array: NDArray[Any]) -> Tensor | None:
    """A copy, since what cannot be written to is no tensor; None of anything but real numbers."""
    kind = array.dtype.kind
    if kind == "b":
        return torch.from_numpy(array.copy())
    if kind in "iu" and not (array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max):
        return torch.from_numpy(array.astype(np.int64))
    if kind == "f":
        return torch.from_numpy(array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64))
    return None


def _shape(values: Tensor) -> str:
    return str(tuple(values.shape))


# Overlap


def overlaps(parts: Parts, place: Callable[[str, int], str] = row_of_part) -> Iterator[str]:
    """A sentence for each two parts that have samples in common: equal in all bits of inputs and targets."""
    named = parts._asdict()
    known: dict[str, _Known] = {}
    for one, other in (("test", "val"), ("test", "train"), ("val", "train")):
        if one not in known:
            known[one] = _Known(torch.cat(list(_digests(named[one]))))
        n, first, its = known[one].common(named[other])
        if n:
            yield (
                f"{n:,} of the {len(named[other].x):,} samples of part {other} are in part {one} too, such as "
                f"{place(other, first)}, which equals {place(one, its)}: metrics of a part that shares samples tell "
                "little of new ones"
            )


class _Known:
    """Digests of the samples of a part.

    Args:
        digests: They, in the order of the rows.
    """

    def __init__(self, digests: Tensor) -> None:
        self._digests = digests
        # whether any digest ends in these bits, which rules out nearly all others by a single look
        self._ends = torch.zeros(1 << (8 * len(digests)).bit_length(), dtype=torch.bool, device=digests.device)
        self._ends[digests & (len(self._ends) - 1)] = True

    def common(self, part: Part) -> tuple[int, int, int]:
        """How many rows of a part are among them, the first of these, and the row that it equals."""
        rows = []
        for i, digests in enumerate(_digests(part)):
            near = self._ends[digests & (len(self._ends) - 1)].nonzero().squeeze(1)
            rows.append(torch.stack([near + i * _CHUNK, digests[near]]))
        near, digests = torch.cat(rows, 1)
        is_known = torch.isin(digests, self._digests)
        found = near[is_known]
        if not len(found):
            return 0, -1, -1
        return len(found), int(found[0]), int((self._digests == digests[is_known][0]).nonzero()[0])


def _digests(part: Part) -> Iterator[Tensor]:
    """A number of 64 bits for each row, chunk by chunk."""
    for start in range(0, len(part.x), _CHUNK):
        x, y = (tensor[start : start + _CHUNK].reshape(len(tensor[start : start + _CHUNK]), -1) for tensor in part)
        digests = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        for columns in (x, y):
            for column in columns.unbind(1):
                digests = (digests ^ _bits(column)) * _MULTIPLIER
                digests ^= digests >> 29
        yield digests


def _bits(column: Tensor) -> Tensor:
    """Bits of each number; 0 and -0 are the same one."""
    return (column + 0.0).view(torch.int32).long() if column.is_floating_point() else column
