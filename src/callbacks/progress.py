"""A progress bar that counts epochs."""

import logging
import math
from time import monotonic
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console

from src.config.command.marks import are_side_by_side
from src.config.metrics import number
from src.console.bars import Bars
from src.console.place import in_words
from src.run.log import keep

log = logging.getLogger(__name__)


class _LiveBar(Bars):
    """Asks the module for its epoch whenever the bar is drawn, so that training never waits for the bar."""

    module: pl.LightningModule | None = None

    def get_renderables(self) -> Any:
        if self.module is not None and self.task_ids:
            self.update(self.task_ids[0], completed=getattr(self.module, "epoch", self.module.current_epoch))
        return super().get_renderables()


class EpochBar(ProgressBar):
    """Epochs done, time left and the latest metrics, on one line of the terminal; elsewhere a line now and then.

    Lightning's bars count the batches of one epoch, and would start anew a hundred times a second here.
    """

    content_with_blocks = True

    # Seconds from one line to the next, in a pipe and in the log of a run.
    LINE_EVERY_S = 5.0

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._progress: _LiveBar | None = None
        self._began_s, self._began_at, self._said_s = 0.0, 0, math.inf

    def enable(self) -> None:
        """Show the bar."""
        self._enabled = True

    def disable(self) -> None:
        """Show nothing; Lightning calls this on all processes but the first."""
        self._enabled = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the bar."""
        self._began_s = self._said_s = monotonic()
        self._began_at = trainer.current_epoch
        # not the one of `src.console.terminal`, which takes a notebook for any other place
        console = Console()
        # rich needs ipywidgets to draw a bar in a notebook, and a log file wants no bar at all
        if not self._enabled or not console.is_terminal or console.is_jupyter or are_side_by_side():
            return
        self._progress = _LiveBar(console, name="epoch")
        total = trainer.max_epochs if (trainer.max_epochs or -1) > 0 else None
        self._progress.add("epochs", total=total, completed=trainer.current_epoch)
        self._progress.module = pl_module
        self._progress.start()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Show the latest metrics."""
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], text=_latest(trainer))
        now = monotonic()
        if self._enabled and now - self._said_s >= self.LINE_EVERY_S:
            self._said_s = now
            self._say(trainer, now - self._began_s)

    def _say(self, trainer: pl.Trainer, elapsed_s: float) -> None:
        """Write a line where there is no bar, and into the log in any case."""
        n_done, n_all = trainer.current_epoch + 1, trainer.max_epochs or -1
        of, left = "", ""
        if n_all > 0:
            of = f" of {n_all:,}"
            # an epoch that was trained before took no time of this command
            left = f"; {in_words(elapsed_s / max(1, n_done - self._began_at) * (n_all - n_done))} left"
        line = f"epoch {n_done:,}{of}: {_latest(trainer)}{left if n_done < n_all else ''}"
        if self._progress is None:
            log.info(line)
        else:
            keep(__name__, line)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Leave the finished bar."""
        if self._progress is not None:
            self._progress.module = None
            self._progress.update(self._progress.task_ids[0], completed=trainer.current_epoch)
            self._stop()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:  # noqa: ARG002
        """Give the terminal back."""
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _latest(trainer: pl.Trainer) -> str:
    """Metrics of validation, or where there is none what is left; short enough for 80 columns."""
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    split = "val" if "val/loss" in metrics else "train"
    shown = [f"{name[len(split) + 1 :]} {number(value)}" for name, value in metrics.items() if name.startswith(split)]
    return f"{split} {', '.join(shown)}"
