"""Pictures of a network while it learns."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from src.callbacks.every_few_epochs import EveryFewEpochs
from src.callbacks.tensorboard import add_png, writers
from src.data.base import InMemoryDataModule, Part
from src.plots.frames import BoundaryFrames, PredictionFrames
from src.run.directory import RunDir
from src.run.files import write_atomically
from src.tasks.base import Task

Draw: TypeAlias = Callable[[str], NDArray[np.uint8]]


class Frames(EveryFewEpochs):
    """The decision boundary of a classifier of two features, or the predictions of a regression of one, as it learns.

    Args:
        every_n_epochs: As in `EveryFewEpochs`.
        save: Whether each frame becomes a PNG in ``plots/frames/`` too, from which an animation can be made.
    """

    def __init__(self, *, every_n_epochs: int | None, save: bool) -> None:
        super().__init__(every_n_epochs=every_n_epochs)
        self.save = save
        self._draw: Draw | None = None

    def show(self, trainer: pl.Trainer, task: Task) -> None:
        """Draw a frame for TensorBoard, and for the disk if asked to."""
        open_writers = writers(trainer)
        if not open_writers and not (self.save and trainer.is_global_zero):
            return
        if self._draw is None:
            self._draw = drawer(task, trainer.datamodule)  # type: ignore[attr-defined]  # the task has checked it
        if self._draw is None:
            return
        picture = self._draw(_title(task.epoch, trainer.callback_metrics))
        name = "predictions" if task.spec.task == "regression" else "boundary"
        png = _png(picture)
        for writer in open_writers:
            add_png(writer, f"train/{name}", png, picture.shape, step=task.epoch)
        if self.save:
            frames = RunDir(Path(trainer.default_root_dir)).frames
            write_atomically(frames / f"epoch_{task.epoch:06d}.png", png)


def drawer(task: Task, datamodule: InMemoryDataModule) -> Draw | None:
    """What draws a frame with a title, or None for data of which there is no such picture."""
    spec, (train, _, test) = task.spec, datamodule.parts

    def predict(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return task.predict_probs(torch.from_numpy(points)).numpy()

    if spec.task != "regression" and spec.n_features == 2:
        points = _array(train.x), _array(train.y)
        boundary = BoundaryFrames(points, class_names=spec.class_names, feature_names=spec.feature_names)
        return lambda title: boundary.draw(predict, title=title)
    if spec.task == "regression" and spec.n_features == 1:
        predictions = PredictionFrames(
            _first_columns(train),
            _first_columns(test),
            feature_name=spec.feature_names[0],
            target_name=spec.class_names[0],
        )
        x = np.sort(_array(torch.cat([train.x, test.x])), axis=0)
        return lambda title: predictions.draw(x[:, 0], predict(x)[:, 0], title=title)
    return None


def _png(picture: NDArray[np.uint8]) -> bytes:
    data = io.BytesIO()
    # With a palette a quarter of the size, in half the time; the price are steps in the soft colours.
    palette = Image.fromarray(picture).quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.save(data, format="png", compress_level=3)
    return data.getvalue()


def _title(epoch: int, metrics: dict[str, Any]) -> str:
    shown = "val/loss" if "val/loss" in metrics else "train/loss"
    return f"epoch {epoch}: {shown} {float(metrics[shown]):.4f}"


def _first_columns(part: Part) -> tuple[NDArray[Any], NDArray[Any]]:
    return _array(part.x)[:, 0], _array(part.y)[:, 0]


def _array(values: torch.Tensor) -> NDArray[Any]:
    return (values.float() if values.is_floating_point() else values).cpu().numpy()
