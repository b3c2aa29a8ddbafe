"""A temperature that makes probabilities worth what they say, without a change of any answer.

Outputs are divided by it before they become probabilities. It is fitted on the validation part: the one that makes its
labels likeliest, which is one number of a convex problem.

Axes: ``n`` samples, ``o`` outputs, ``k`` classes.
"""

import json
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from src.config.errors import ConfigError
from src.data.base import Batches, InMemoryDataModule, Part
from src.run.directory import RunDir
from src.run.files import write_atomically
from src.run.reading import UnreadableError, read_json
from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.tasks.metrics.calibration import calibration_metrics
from src.tasks.multiclass import MulticlassClassification

FORMAT = 1

# Beyond these a part is answered without a mistake, or with nothing but mistakes, and no temperature is the best.
_LOWEST, _HIGHEST = 0.01, 100.0

_STEPS = 100

_INSTEAD = "python -m src.eval run=DIR temperature=fit writes it anew"


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it does.

    Attributes:
        temperature: Outputs are divided by it.
        before: ``ece`` and ``brier`` without it, by ``split/name``.
        after: The same with it.
    """

    temperature: float
    before: dict[str, float]
    after: dict[str, float]

    @property
    def is_at_bound(self) -> bool:
        """Whether no temperature in the range is the best."""
        return self.temperature in (_LOWEST, _HIGHEST)


def calibrate(task: Any, datamodule: InMemoryDataModule) -> Calibration:
    """Fit a temperature on the validation part, and measure it there and on the test part.

    Args:
        task: A classification with the weights that are meant; on any device.
        datamodule: Its data.

    Raises:
        ConfigError: If it is no classification of this project, or there is nothing to fit on.
    """
    refuse_no_classes(task)
    parts = {"val": datamodule.parts.val, "test": datamodule.parts.test}
    if not len(parts["val"].x):
        raise ConfigError("temperature=fit: the validation part is empty, so that there is nothing to fit on")
    outputs = {split: outputs_of(task, part) for split, part in parts.items() if len(part.x)}
    temperature = best_temperature(outputs["val"], parts["val"].y.cpu())
    before, after = (
        {
            name: value
            for split, given in outputs.items()
            for name, value in _measured(task, split, given / divisor, parts[split].y.cpu())
        }
        for divisor in (1.0, temperature)
    )
    return Calibration(temperature, before, after)


def refuse_no_classes(task: Any) -> None:
    """Refuse what has no probabilities.

    Raises:
        ConfigError: If it is no classification of this project.
    """
    if not isinstance(task, (BinaryClassification, MulticlassClassification)):
        raise ConfigError("temperature=fit: only classifications have probabilities; this run is none")


@torch.no_grad()
def outputs_of(task: Task, part: Part) -> Tensor:
    """Outputs (n, o) of a part, in double precision on the CPU."""
    task.net.eval()
    like = next(task.net.parameters())
    batches = Batches(part, batch_size=InMemoryDataModule.EVAL_BATCH_SIZE)
    return torch.cat([task.net(batch.x.to(like)).cpu().double() for batch in batches])


def best_temperature(outputs: Tensor, y: Tensor) -> float:
    """The temperature from 0.01 to 100 that makes labels (n,) likeliest, of outputs (n, 1) or (n, k), float64.

    The mean negative log-likelihood is convex in the inverse of the temperature, so that its slope has one root.
    """
    z = torch.cat([torch.zeros_like(outputs), outputs], dim=1) if outputs.shape[1] == 1 else outputs
    right = z.gather(1, y.long()[:, None])[:, 0]

    def slope(inverse: float) -> float:
        return float(((torch.softmax(z * inverse, dim=1) * z).sum(1) - right).mean())

    low, high = math.log(1 / _HIGHEST), math.log(1 / _LOWEST)
    if slope(math.exp(low)) >= 0:
        return _HIGHEST
    if slope(math.exp(high)) <= 0:
        return _LOWEST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(math.exp(middle)) < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def _measured(task: Task, split: str, outputs: Tensor, y: Tensor) -> list[tuple[str, float]]:
    probs = task.probs(outputs)
    found = calibration_metrics()(probs, y)
    return [(f"{split}/{name}", float(value)) for name, value in found.items()]


def keep(run: RunDir, calibration: Calibration, *, weights: str) -> None:
    """Store a temperature beside its run, as ``calibration.json``.

    Args:
        run: The run.
        calibration: What was fitted.
        weights: Which weights it belongs to: ``best, epoch 834``, or ``last epoch``.
    """
    record = {"format": FORMAT, "weights": weights, "configuration": run.digest, **vars(calibration)}
    write_atomically(run.calibration_file, json.dumps(record, indent=2).encode())


def stored_temperature(run: RunDir, *, weights: str) -> float | None:
    """The temperature that was fitted for these weights of a run; None if there is none.

    Raises:
        UnreadableError: If the file is damaged, or of other weights or another configuration.
    """
    path = run.calibration_file
    try:
        found = read_json(path, instead=_INSTEAD)
    except FileNotFoundError:
        return None
    temperature: Any = found.get("temperature")
    is_number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if found.get("format") != FORMAT or not is_number or not _LOWEST <= float(temperature) <= _HIGHEST:
        raise UnreadableError(path, f"it holds no temperature from {_LOWEST} to {_HIGHEST}", _INSTEAD)
    if found.get("weights") != weights or found.get("configuration") != run.digest:
        raise UnreadableError(path, f"it is of other weights than these ({weights})", _INSTEAD)
    return float(temperature)
