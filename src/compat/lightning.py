"""Private parts of Lightning, and what a trainer does to Ctrl-C.

Its counters of epochs and steps have no public setter. ``fit_loop.epoch_progress`` is the bookkeeping behind
``current_epoch``, ``max_epochs`` and resuming, and this is the only place that writes to it. A loop of one's own in
place of Lightning's would lose its callbacks, loggers, checkpoints and strategies.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

import lightning.pytorch as pl


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: a trainer makes SystemExit of it, and leaves the signal ignored."""
    try:
        yield
    except SystemExit:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from None


def skip_epochs(trainer: pl.Trainer, n: int, *, n_steps: int = 0) -> None:
    """Count ``n`` epochs that a block has trained beyond the one that Lightning knows of.

    Args:
        trainer: What counts.
        n: Number of epochs.
        n_steps: Steps that no optimiser of Lightning's has counted.
    """
    steps = trainer.fit_loop.epoch_loop.manual_optimization.optim_step_progress
    for tracker in (steps.total, steps.current):
        tracker.ready += n_steps
        tracker.completed += n_steps
    progress = trainer.fit_loop.epoch_progress
    for tracker in (progress.total, progress.current):
        for stage in ("ready", "started", "processed", "completed"):
            setattr(tracker, stage, getattr(tracker, stage) + n)
