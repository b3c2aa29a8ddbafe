"""What is drawn: a network with its data, as arrays on the CPU.

Axes: `n` samples, `f` features, `k` classes, `t` targets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from src.config.metrics import number, share, with_marks
from src.data.base import InMemoryDataModule, Part
from src.models.activations import FOLDING
from src.plots.plane import Samples
from src.plots.units import Layer
from src.run.directory import RunDir
from src.tasks.base import Task


@dataclass(frozen=True)
class Subject:
    """What is drawn.

    Attributes:
        task: The network.
        datamodule: Its data.
        title: What stands on top of every picture; empty where each has its own.
        run: Where its metrics were written; None where they were not.
        weights: Which weights the network has, in words; empty where nobody tells.
    """

    task: Task
    datamodule: InMemoryDataModule
    title: str = ""
    run: RunDir | None = None
    weights: str = ""

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights it has, if those are the best of a run."""
        found = re.search(r"\bepoch (\d+)", self.weights)
        return int(found[1]) if found else None

    @property
    def train(self) -> Samples:
        """Inputs (n, f) and targets of the training part."""
        return _arrays(self.datamodule.parts.train)

    @property
    def test(self) -> Samples:
        """Inputs (n, f) and targets of the test part."""
        return _arrays(self.datamodule.parts.test)

    @property
    def names(self) -> dict[str, Any]:
        """Names and title of a picture of the plane."""
        spec = self.task.spec
        return {"class_names": spec.class_names, "feature_names": spec.feature_names, "title": self.title}

    def predict(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Class probabilities (n, k), or the numbers that a regression predicts (n, t)."""
        probs: NDArray[np.float32] = self.task.predict_probs(torch.from_numpy(points)).numpy()
        return probs

    @torch.no_grad()
    def hidden(self, points: NDArray[np.float32]) -> list[Layer]:
        """Every hidden layer at points (n, f)."""
        net: Any = self.task.net
        parameter = next(net.parameters())
        layers = net.hidden_layers(torch.from_numpy(points).to(parameter))
        return [Layer(name, name in FOLDING, _numpy(before), _numpy(after)) for name, before, after in layers]


def title_of(name: str, metrics: Mapping[str, Any], weights: str, *, below: str = "") -> str:
    """Name of the model, what the test part says of it, and of which weights, in words that stay on one line.

    Args:
        name: Of the model.
        metrics: Final ones of the run.
        weights: Which were measured.
        below: What stands on the lines below, in smaller letters: data, optimizer and seed.
    """
    which = with_marks(weights).replace(" ", "\N{NO-BREAK SPACE}")
    if "test/accuracy" in metrics:
        said = f"test accuracy {share(float(metrics['test/accuracy']))}%"
    else:
        said = f"test mean absolute error {number(float(metrics['test/mae']))}"
    return f"{name}: {said} ({which})" + (f"\n{below}" if below else "")


def _arrays(part: Part) -> Samples:
    return part.x.float().cpu().numpy(), part.y.cpu().numpy()


def _numpy(values: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.float().cpu().numpy()
    return array
