"""The pictures that a finished run leaves."""

from pathlib import Path
from typing import Any, TypeAlias

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from matplotlib.figure import Figure
from numpy.typing import NDArray

from src.data.base import InMemoryDataModule, Part
from src.plots.boundary import boundary_figure
from src.plots.confusion import confusion_figure
from src.plots.regression import predictions_figure
from src.plots.style import save
from src.run import RunDir
from src.tasks.base import Task

Arrays: TypeAlias = tuple[NDArray[Any], NDArray[Any]]


class FinalPictures(Callback):
    """Draw the tested network: boundary and confusion matrix of a classification, predictions of a regression.

    Each picture becomes a PNG in ``plots/`` and an image in TensorBoard.

    Args:
        name: What the titles call the model.
    """

    def __init__(self, *, name: str) -> None:
        self.name = name

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw once test metrics are known."""
        assert isinstance(pl_module, Task)
        datamodule: InMemoryDataModule = trainer.datamodule  # type: ignore[attr-defined]  # the task has checked it
        if not trainer.is_global_zero:
            return
        for name, figure in figures(pl_module, datamodule, title=self.title(trainer)).items():
            picture = save(figure, RunDir(Path(trainer.default_root_dir)).plots / f"{name}.png")
            for logger in trainer.loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_image(name, picture, trainer.current_epoch, dataformats="HWC")

    def title(self, trainer: pl.Trainer) -> str:
        """Name of the model and what the test part says of it."""
        metrics = trainer.callback_metrics
        if "test/accuracy" in metrics:
            return f"{self.name}: test accuracy {metrics['test/accuracy']:.1%}"
        return f"{self.name}: test mean absolute error {metrics['test/mae']:.4f}"


def figures(task: Task, datamodule: InMemoryDataModule, *, title: str) -> dict[str, Figure]:
    """Pictures of a network on its data, by file name; which ones there are depends on the data's shape."""
    spec = task.spec
    train, test = _arrays(datamodule.parts.train), _arrays(datamodule.parts.test)
    drawn: dict[str, Figure] = {}

    def predict(points: NDArray[np.float32]) -> NDArray[np.float32]:
        return task.predict_probs(torch.from_numpy(points)).numpy()

    if spec.task != "regression" and spec.n_features == 2:
        drawn["boundary"] = boundary_figure(
            predict, train, test, class_names=spec.class_names, feature_names=spec.feature_names, title=title
        )
    if spec.task == "regression" and spec.n_features == 1:
        x = np.sort(np.concatenate([train[0], test[0]]), axis=0)
        drawn["predictions"] = predictions_figure(
            (train[0][:, 0], train[1][:, 0]),
            (test[0][:, 0], test[1][:, 0]),
            (x[:, 0], predict(x)[:, 0]),
            feature_name=spec.feature_names[0],
            target_name=spec.class_names[0],
            title=title,
        )
    confusion = task.confusion.get("test")
    if confusion is not None:
        drawn["confusion"] = confusion_figure(confusion.cpu().numpy(), spec.class_names, title=title)
    return drawn


def _arrays(part: Part) -> Arrays:
    return part.x.float().cpu().numpy(), part.y.cpu().numpy()
