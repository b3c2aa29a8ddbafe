"""Pictures of a network while it learns."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import lightning.pytorch as pl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from src.callbacks.every_few_epochs import EveryFewEpochs
from src.callbacks.tensorboard import add_png, writers
from src.config.allowed import Range
from src.config.metrics import number
from src.pictures.subject import Subject
from src.plots.frames import LARGE, SMALL, BoundaryFrames, PredictionFrames
from src.run.directory import RunDir
from src.run.files import write_atomically
from src.tasks.base import Task

Draw: TypeAlias = Callable[[str], NDArray[np.uint8]]


class Frames(EveryFewEpochs):
    """The decision boundary of a classifier of two features, or the predictions of a regression of one, as it learns.

    Args:
        every_n_epochs: As in `EveryFewEpochs`.
        save: Whether each frame becomes a PNG in ``plots/frames/`` too, large enough for an animation on a wall.
    """

    def __init__(self, *, every_n_epochs: Annotated[int, Range(low=0)] | None, save: bool) -> None:
        super().__init__(every_n_epochs=every_n_epochs)
        self.save = save
        self._draw: Draw | None = None

    def show(self, trainer: pl.Trainer, task: Task) -> None:
        """Draw a frame for TensorBoard, and for the disk if asked to."""
        open_writers = writers(trainer)
        if not open_writers and not (self.save and trainer.is_global_zero):
            return
        if self._draw is None:
            datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]  # the task has checked it
            self._draw = drawer(Subject(task, datamodule), dpi=LARGE if self.save else SMALL)
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


def drawer(subject: Subject, *, dpi: int = SMALL) -> Draw | None:
    """What draws a frame with a title, or None for data of which there is no such picture."""
    spec, (train_x, train_y), (test_x, test_y) = subject.task.spec, subject.train, subject.test
    if spec.task != "regression" and spec.n_features == 2:
        names = {"class_names": spec.class_names, "feature_names": spec.feature_names}
        boundary = BoundaryFrames(subject.train, **names, dpi=dpi)
        return lambda title: boundary.draw(subject.predict, title=title)
    if spec.task == "regression" and spec.n_features == 1:
        predictions = PredictionFrames(
            (train_x[:, 0], train_y[:, 0]),
            (test_x[:, 0], test_y[:, 0]),
            feature_name=spec.feature_names[0],
            target_name=spec.class_names[0],
            dpi=dpi,
        )
        x = np.sort(np.concatenate([train_x, test_x]), axis=0)
        return lambda title: predictions.draw(x[:, 0], subject.predict(x)[:, 0], title=title)
    return None


def _png(picture: NDArray[np.uint8]) -> bytes:
    data = io.BytesIO()
    # With a palette a quarter of the size, in half the time; the price are steps in the soft colours.
    palette = Image.fromarray(picture).quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette.save(data, format="png", compress_level=3)
    return data.getvalue()


def _title(epoch: int, metrics: dict[str, Any]) -> str:
    shown = "val/loss" if "val/loss" in metrics else "train/loss"
    return f"epoch {epoch}: {shown} {number(float(metrics[shown]))}"
