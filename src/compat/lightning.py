"""Private parts of Lightning, and what a trainer does to Ctrl-C.

Its counters of epochs and steps have no public setter. ``fit_loop.epoch_progress`` is the bookkeeping behind
``current_epoch``, ``max_epochs`` and resuming, and this is the only place that writes to it. A loop of one's own in
place of Lightning's would lose its callbacks, loggers, checkpoints and strategies.

Early stopping asks a trainer for metrics and stops it; here it gets something that looks like one.
"""

import copy
import signal
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loops.loop import _Loop
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: a trainer makes SystemExit of it, and leaves the signal ignored."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)
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


def complete_epoch(trainer: pl.Trainer) -> None:
    """Count the epoch as over in whose last hook the checkpoint was written that a trainer has gone on from."""
    progress = trainer.fit_loop.epoch_progress
    for tracker in (progress.total, progress.current):
        # of a class whose annotation in Lightning is that of its base
        tracker.completed = vars(tracker)["processed"]


def uncount_block(trainer: pl.Trainer) -> None:
    """Count a block that was cut short as none: its rest will count for the whole."""
    loop = trainer.fit_loop.epoch_loop
    loop._batches_that_stepped -= 1
    for stage in ("ready", "started", "processed", "completed"):
        setattr(loop.batch_progress.total, stage, getattr(loop.batch_progress.total, stage) - 1)


def completed(loops: Mapping[str, Any]) -> dict[str, Any]:
    """State of a trainer's loops once the epoch is over, from their state in the hooks at its end."""
    after = copy.deepcopy(dict(loops))
    for progress in after["fit_loop"]["epoch_progress"].values():
        progress["completed"] = progress["processed"]
    return after


def go_on_between_epochs(trainer: pl.Trainer) -> None:
    """Let a trainer with ``max_steps`` begin the next epoch where the last one is over, as any other trainer does.

    It would take itself to be in the middle of that one, and end it again with nothing measured.
    """
    loop = trainer.fit_loop
    reset = loop.reset

    def between() -> None:
        # of a class whose annotation in Lightning is that of its base
        progress = vars(loop.epoch_progress.current)
        if progress["ready"] == progress["started"] == progress["processed"]:
            # past the setter of its own, which decides otherwise
            vars(_Loop)["restarting"].fset(loop, restarting=False)
        reset()

    loop.reset = between  # type: ignore[method-assign]


def before_its_end(loops: Mapping[str, Any]) -> dict[str, Any]:
    """State of a trainer's loops in the hooks at the end of their last epoch, from which a trainer goes on."""
    before = copy.deepcopy(dict(loops))
    for progress in before["fit_loop"]["epoch_progress"].values():
        progress["completed"] = progress["processed"] - 1
    return before


def raised_by_lightning(error: BaseException) -> bool:
    """Whether an error is Lightning's own word on how it is used, and not that of something that it has called."""
    name = ""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__"))
    return name.startswith("lightning.")


def would_stop(callback: EarlyStopping, metrics: Mapping[str, Tensor], *, epoch: int) -> bool:
    """Let early stopping look at metrics, as it does at the end of an epoch of a trainer with one process.

    Args:
        callback: What looks; it remembers what it has seen.
        metrics: What has been measured, by name.
        epoch: Number of the epoch.

    Returns:
        Whether it would stop the trainer.
    """
    trainer: Any = SimpleNamespace(
        callback_metrics=metrics,
        current_epoch=epoch,
        fast_dev_run=False,
        sanity_checking=False,
        state=SimpleNamespace(fn=TrainerFn.FITTING),
        strategy=SimpleNamespace(reduce_boolean_decision=lambda decision, **_: decision),
        should_stop=False,
        val_check_interval=1.0,
        check_val_every_n_epoch=1,
        world_size=1,
        global_rank=0,
    )
    module: Any = None
    callback.setup(trainer, module, "fit")
    callback.on_train_epoch_end(trainer, module)
    stops: bool = trainer.should_stop
    return stops
