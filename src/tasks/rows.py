"""What an epoch has measured, handed to loggers and to whoever monitors it."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import lightning.pytorch as pl

from src.tasks.finite import NonFiniteLossError
from src.tasks.training.loop import Measured, columns_of


@runtime_checkable
class KeepsRows(Protocol):
    """A logger that gets every measured epoch, beside those that everybody is told of."""

    def log_row(self, row: Mapping[str, float]) -> None:
        """Keep a row, with ``epoch`` and ``step`` among its names."""
        ...


class Rows:
    """Rows of a run, of which the last one with a finite loss is remembered.

    Args:
        score_name: Name of the score that is measured beside the loss.
    """

    def __init__(self, score_name: str) -> None:
        self._score_name = score_name
        self.last_finite: tuple[int, float] | None = None

    def log(
        self,
        measured: Sequence[Measured],
        trainer: pl.Trainer,
        *,
        n_steps: Callable[[int], int],
        is_logged: Callable[[int], bool],
    ) -> dict[str, float]:
        """Bring measurements to the host at once, and give each logger the rows that it wants.

        Args:
            measured: Of some epochs, in order.
            trainer: Has the loggers, and the metrics that callbacks monitor.
            n_steps: Steps that had been taken at the end of an epoch.
            is_logged: Whether an epoch's row is for all loggers.

        Returns:
            Loss and score of the training part in the last epoch.

        Raises:
            NonFiniteLossError: If a training loss is not finite.
        """
        # each process holds its share of the training samples, and the same validation samples
        reduce_train = None
        if trainer.world_size > 1:
            reduce_train = lambda means: trainer.strategy.reduce(means, reduce_op="sum")  # noqa: E731
        columns = columns_of(measured, self._score_name, reduce_train=reduce_train)
        values = zip(*(column.tolist() for column in columns.values()), strict=True)
        for (epoch, lr, _, _), own in zip(measured, values, strict=True):
            row = {**dict(zip(columns, own, strict=True)), "lr": lr}
            self._check_finite(epoch, row["train/loss"])
            for logger in trainer.loggers:
                if isinstance(logger, KeepsRows):
                    logger.log_row({"epoch": epoch, "step": n_steps(epoch), **row})
                elif is_logged(epoch):
                    logger.log_metrics(row, step=epoch)
        last = {name: column[-1] for name, column in columns.items()}
        # what callbacks monitor; self.log would do the same, at about half a millisecond per name
        trainer.callback_metrics.update(last)
        return {name: value.item() for name, value in last.items() if name.startswith("train/")}

    def _check_finite(self, epoch: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise NonFiniteLossError.at(epoch, loss, self.last_finite)
        self.last_finite = (epoch, loss)
