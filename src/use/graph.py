"""A network with its preprocessing as one module of tensors, which other software can run.

Strings do not go into a graph of tensors: a category is its number among the levels, or the number that it is.
"""

from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from src.data.table.encoding import Encoding
from src.data.table.reading import Table
from src.tasks.base import Task
from src.use.columns import number_of
from src.use.model import Member

POINTS = "points"
"""Name of the input."""


class Graph(nn.Module):
    """From points (n, c), float64, to what a network says of them.

    A value that is missing is NaN. Where none was missing in training, NaN comes out of a number, and a category is
    none of the others.

    Args:
        member: The network.
    """

    numbers: Tensor
    mean: Tensor
    scale: Tensor
    fill: Tensor
    categories: Tensor
    codes: Tensor
    category_fill: Tensor
    indicated: Tensor
    order: Tensor

    def __init__(self, member: Member) -> None:
        super().__init__()
        is_task = isinstance(member.task, Task)
        self.net: Any = member.task.net if is_task else member.task
        parameter: Tensor = next(member.task.parameters(), torch.zeros(0))
        self.dtype, self.temperature = parameter.dtype, member.temperature
        # not as a part of this one: it has a loss, which is not asked for
        self._task: list[Any] = [member.task]
        self.is_task, self.has_classes = is_task, is_task and member.spec.task != "regression"
        self._lay_out(member.encoder.columns)

    def _lay_out(self, columns: tuple[Encoding, ...]) -> None:
        """Find the places of all numbers, of all levels and of all indicators, and of each among the features."""
        numbers = [i for i, each in enumerate(columns) if each.kind == "number"]
        levels = [(i, code) for i, each in enumerate(columns) if each.kind == "category" for code in codes_of(each)]
        indicated = [i for i, each in enumerate(columns) if each.indicates]
        place_of_level = [i for i, _ in levels]
        order: list[int] = []
        for i, each in enumerate(columns):
            if each.kind == "number":
                order.append(numbers.index(i))
            elif each.levels:
                first = len(numbers) + place_of_level.index(i)
                order += range(first, first + len(each.levels))
            if each.indicates:
                order.append(len(numbers) + len(levels) + indicated.index(i))
        fills = [float("nan") if (fill := columns[i].fill) is None else float(fill) for i in numbers]
        for name, values in (
            ("mean", [columns[i].mean for i in numbers]),
            ("scale", [columns[i].scale for i in numbers]),
            ("fill", fills),
            ("codes", [code for _, code in levels]),
            ("category_fill", [_code(columns[i], columns[i].fill) for i, _ in levels]),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float64))
        for name, rows in (
            ("numbers", numbers),
            ("categories", [i for i, _ in levels]),
            ("indicated", indicated),
            ("order", order),
        ):
            self.register_buffer(name, torch.tensor(rows, dtype=torch.int64))

    def features(self, points: Tensor) -> Tensor:
        """Inputs (n, f) of the network, of 32 bits as in training."""
        parts = []
        if len(self.numbers):
            x = points.index_select(1, self.numbers)
            parts.append(((torch.where(x.isnan(), self.fill, x) - self.mean) / self.scale).float())
        if len(self.categories):
            x = points.index_select(1, self.categories)
            parts.append((torch.where(x.isnan(), self.category_fill, x) == self.codes).float())
        if len(self.indicated):
            parts.append(points.index_select(1, self.indicated).isnan().float())
        return torch.cat(parts, dim=1).index_select(1, self.order)

    def forward(self, points: Tensor) -> tuple[Tensor, ...]:
        """Probabilities (n, k) and labels (n,) of classes, or values (n, o)."""
        (task,) = self._task
        x = self.features(points)
        x = x.to(self.dtype)
        if not self.is_task:
            outputs: Tensor = self.net.predict_step(x, 0)
            return (outputs.unsqueeze(1) if outputs.ndim == 1 else outputs,)
        outputs = self.net.forward(x)
        # of 16 bits few programs know numbers
        outputs = outputs if outputs.dtype == torch.float64 else outputs.float()
        return (task.probs(outputs / self.temperature), task.preds(outputs)) if self.has_classes else (outputs,)

    @property
    def output_names(self) -> list[str]:
        """One per output."""
        if not self.is_task:
            return ["outputs"]
        return ["probabilities", "labels"] if self.has_classes else ["values"]


def has_numbers(column: Encoding) -> bool:
    """Whether all levels of a category are different numbers, which then stand for themselves."""
    found = {number_of(level) for level in column.levels}
    return None not in found and len(found) == len(column.levels)


def codes_of(column: Encoding) -> list[float]:
    """What stands for each level of a category: the number that it is, or its place among the levels."""
    return [float(level) if has_numbers(column) else float(i) for i, level in enumerate(column.levels)]


def _code(column: Encoding, word: Any) -> float:
    return float("nan") if word is None else codes_of(column)[column.levels.index(str(word))]


def points_of(member: Member, table: Table) -> NDArray[np.float64]:
    """Points (n, c) of rows that `Columns.look` has brought into shape; a level that was not learnt is no other one."""
    found = []
    for column in member.encoder.columns:
        values = table.frame[column.name]
        if column.kind == "number":
            found.append(values.to_numpy())
            continue
        codes = codes_of(column)
        other = max(codes, default=0.0) + 0.5
        numbers = values.replace_strict(list(column.levels), codes, default=other, return_dtype=polars.Float64)
        found.append(numbers.set(values.is_null(), None).to_numpy())
    return np.stack([np.asarray(each, np.float64) for each in found], axis=1)


def column_notes(member: Member) -> list[dict[str, Any]]:
    """What each column of the points holds, for whoever opens the file."""
    notes = []
    for column in member.encoder.columns:
        note: dict[str, Any] = {"name": column.name, "kind": column.kind, "may_be_missing": _may_be_missing(column)}
        if column.kind == "category":
            note["codes"] = dict(zip(column.levels, codes_of(column), strict=True))
        notes.append(note)
    return notes


def _may_be_missing(column: Encoding) -> bool:
    return column.fill is not None or column.indicates
