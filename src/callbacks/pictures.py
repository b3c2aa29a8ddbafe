"""The pictures that a finished run leaves."""

import logging
from collections.abc import Sequence
from pathlib import Path

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger

from src.config.allowed import NotEmpty
from src.data.base import InMemoryDataModule
from src.pictures.catalogue import check_names, draw_fitting
from src.pictures.subject import Subject, title_of
from src.plots.style import save
from src.run.directory import RunDir
from src.tasks.base import Task

log = logging.getLogger(__name__)


class FinalPictures(Callback):
    """Draw the tested network: of the pictures that are asked for, those that fit it and its data.

    Each picture becomes a PNG in ``plots/`` and an image in TensorBoard.

    Args:
        name: What the titles call the model.
        draw: One or several names of pictures, as in `src.pictures.catalogue.PICTURES`.

    Raises:
        ConfigError: If there is no picture of a name.
    """

    needs_task = True
    content_with_blocks = True

    def __init__(self, *, name: NotEmpty, draw: str | Sequence[str]) -> None:
        self.name, self.draw = name, check_names("callbacks.pictures.draw", draw)
        # data, optimizer and seed, below the title
        self.below = ""

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw once test metrics are known."""
        assert isinstance(pl_module, Task)
        datamodule: InMemoryDataModule = trainer.datamodule  # type: ignore[attr-defined]  # the task has checked it
        if not trainer.is_global_zero:
            return
        run = RunDir(Path(trainer.default_root_dir))
        which = pl_module.which_weights
        title = title_of(self.name, trainer.callback_metrics, which, below=self.below)
        subject = Subject(pl_module, datamodule, title, run, which)
        write_pictures(subject, run, self.draw, trainer.loggers, step=trainer.current_epoch)


def write_pictures(
    subject: Subject, run: RunDir, names: Sequence[str], loggers: Sequence[Logger], *, step: int
) -> None:
    """Draw the pictures of these names that fit, into ``plots/`` and for loggers of TensorBoard.

    One that cannot be drawn, of a network that says NaN for one, is told: the run itself is trained.
    """
    for name in names:
        _write_picture(subject, run, name, loggers, step=step)


def _write_picture(subject: Subject, run: RunDir, name: str, loggers: Sequence[Logger], *, step: int) -> None:
    try:
        for _, figure in draw_fitting(subject, [name]):
            picture = save(figure, run.plots / f"{name}.png")
            for logger in loggers:
                if isinstance(logger, TensorBoardLogger):
                    logger.experiment.add_image(name, picture, step, dataformats="HWC")
    except OSError:
        # a disk that is full has no room for the result either
        raise
    # whatever networks, figures and matplotlib raise
    except Exception as error:
        log.warning("the picture %s cannot be drawn: %s", name, error)
