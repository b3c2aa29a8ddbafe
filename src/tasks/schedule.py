"""Which epochs are measured, logged, and run together before control returns to Lightning."""

from dataclasses import dataclass

# Rows of metrics that a run leaves when the configuration does not say how many it wants.
DEFAULT_ROWS = 100


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Epochs cut into blocks that each end with a logged epoch.

    Epoch 0 and every ``log_every``-th after it are logged, and so is the last one.

    Attributes:
        max_epochs: Number of epochs of the run; None for no end.
        log_every: Epochs from one logged epoch to the next.
        eval_every: Epochs from one measured epoch to the next; divides ``log_every``.
    """

    max_epochs: int | None
    log_every: int
    eval_every: int

    @classmethod
    def of(cls, *, max_epochs: int | None, log_every: int | None, eval_every: int | None) -> "Schedule":
        """Fill what the configuration leaves open: about a hundred rows, measured where logged.

        Raises:
            ValueError: If a number is smaller than 1 or ``eval_every`` does not divide ``log_every``.
        """
        for key, value in [("log_every_n_epochs", log_every), ("eval_every_n_epochs", eval_every)]:
            if value is not None and value < 1:
                raise ValueError(f"task.{key} must be null or at least 1, got {value}")
        if log_every is None:
            log_every = max(1, max_epochs // DEFAULT_ROWS) if max_epochs else eval_every or 1
            log_every = max(log_every // eval_every, 1) * eval_every if eval_every else log_every
        if log_every % (eval_every or 1):
            raise ValueError(f"task.eval_every_n_epochs={eval_every} must divide task.log_every_n_epochs={log_every}")
        return cls(max_epochs=max_epochs, log_every=log_every, eval_every=eval_every or log_every)

    def block(self, first: int) -> range:
        """Epochs from ``first`` to the next logged one."""
        stop = -(-first // self.log_every) * self.log_every + 1
        return range(first, stop if self.max_epochs is None else min(stop, self.max_epochs))

    def is_measured(self, epoch: int) -> bool:
        """Whether losses and scores of both splits are taken at this epoch."""
        return epoch % self.eval_every == 0 or epoch + 1 == self.max_epochs

    def is_logged(self, epoch: int) -> bool:
        """Whether every logger gets this epoch's row."""
        return epoch % self.log_every == 0 or epoch + 1 == self.max_epochs
