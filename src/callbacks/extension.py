"""A run that has ended goes on for longer: the checkpoint that it begins with, and what differs from one go."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from hydra.utils import get_class
from lightning.pytorch.callbacks import StochasticWeightAveraging, WeightAveraging
from omegaconf import DictConfig
from torch.optim.lr_scheduler import ReduceLROnPlateau

from src.compat.lightning import before_its_end
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.files import write_atomically
from src.run.length import follows
from src.tasks.base import Task
from src.tasks.checkpoint import CONFIGURATION, TO_GO_ON, load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

# What a run has written that a longer one appends to, or is to be made of the same data by.
_KEPT = ("metrics.csv", "logged.csv", "data.json")


def begin_extension(run: RunDir, shorter: RunDir, cfg: DictConfig, module: Any, *, n_rows: int | None = None) -> None:
    """Make of a run's last checkpoint the one that a longer run goes on from, and say what differs from one go.

    Args:
        run: Where the longer run is made; it has a configuration and nothing else.
        shorter: The run that has ended.
        cfg: Configuration of the longer one.
        module: What it trains.
        n_rows: Rows to train on; None where nobody tells.

    Raises:
        ConfigError: If there is no whole checkpoint, or callbacks have changed the weights at the end of training.
    """
    _refuse_averages(cfg)
    path = shorter.checkpoint("last")
    checkpoint = load_checkpoint(path, needs=TO_GO_ON if isinstance(module, Task) else TO_GO_ON[:-2])
    if checkpoint.get(CONFIGURATION) not in (None, shorter.digest):
        raise ConfigError(f"resume=extend: {path} is that of a run of another configuration than {shorter.config_file}")
    before, now = shorter.leaves(), run.leaves()
    checkpoint["loops"] = before_its_end(checkpoint["loops"])
    n_epochs = int(checkpoint["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"])
    if (ended := _stopped(checkpoint["callbacks"])) is not None:
        log.info("early stopping has ended this run at epoch %d: a longer one ends there, too", ended)
    if _is_cut(checkpoint, cfg, n_rows):
        log.info(
            "trainer.max_steps or max_time has ended this run within epoch %d: the longer one begins with the next, "
            "without the rest of its batches; a run in one go differs",
            n_epochs - 1,
        )
    if isinstance(module, Task):
        _say_rows(module, before, now, n_epochs)
    for key in follows(before, now):
        if not key.startswith("scheduler."):
            log.info(
                "%s follows from the length: %s up to epoch %d, %s from there on",
                key,
                before[key],
                n_epochs - 1,
                now[key],
            )
    if any(key.startswith("scheduler.") for key in follows(before, now)):
        _reschedule(checkpoint, module, n_epochs)
    checkpoint[CONFIGURATION] = run.digest
    for name in _KEPT:
        if (file := shorter.path / name).is_file():
            write_atomically(run.path / name, file.read_bytes())
    # last: with it the longer run has begun
    save_checkpoint(run.checkpoint("last"), checkpoint)


def _refuse_averages(cfg: DictConfig) -> None:
    for name, node in cfg.callbacks.items():
        kind = get_class(node._target_) if node is not None else None
        if kind is not None and issubclass(kind, (StochasticWeightAveraging, WeightAveraging)):
            raise ConfigError(
                f"resume=extend: callbacks.{name} has put averages in the place of the weights at the end of training, "
                "and nothing goes on from those; train a run of the whole length"
            )


def _stopped(callbacks: Mapping[str, Any]) -> int | None:
    """The epoch at which early stopping has ended the run, if it has."""
    found = [
        state["stopped_epoch"] for state in callbacks.values() if isinstance(state, dict) and "stopped_epoch" in state
    ]
    return max(found, default=0) or None


def _is_cut(checkpoint: Mapping[str, Any], cfg: DictConfig, n_rows: int | None) -> bool:
    """Whether a run has ended before the last batch of an epoch."""
    batches = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    n_steps = int(checkpoint["global_step"])
    if not batches.get("is_last_batch", True):
        return True
    is_limited = any(cfg.trainer.get(name) for name in ("limit_train_batches", "overfit_batches"))
    if n_rows is None or is_limited or batches["total"]["processed"] > n_steps:
        # of more batches than steps gradients are summed, which no block of epochs does
        return False
    n_whole, rest = divmod(n_rows, cfg.data.get("batch_size") or n_rows)
    return n_steps % max(1, n_whole + (rest > 0 and not cfg.data.get("drop_last"))) != 0


def _say_rows(task: Task, before: Mapping[str, Any], now: Mapping[str, Any], n_epochs: int) -> None:
    """Say which rows a run in one go would not have, or would have elsewhere."""
    every_epoch = str(now.get("scheduler._target_", "")).endswith(f".{ReduceLROnPlateau.__name__}")
    old, new = (
        task.make_schedule(epochs if isinstance(epochs, int) and epochs > 0 else None, every_epoch=every_epoch)
        for epochs in (leaves.get("trainer.max_epochs") for leaves in (before, now))
    )
    if old.log_every != new.log_every:
        log.info(
            "rows: every %d epochs up to epoch %d, every %d from there on as in a run of the whole length; "
            "task.log_every_n_epochs fixes their distance",
            *(old.log_every, n_epochs - 1, new.log_every),
        )
    elif not new.is_logged(n_epochs - 1):
        log.info(
            "rows: that of epoch %d stays, where a run of the whole length has none; it may hold the best weights",
            n_epochs - 1,
        )


def _reschedule(checkpoint: dict[str, Any], module: Any, n_epochs: int) -> None:
    """Go on at the rate that a scheduler which knows the length of the run has by now in the longer one."""
    scheduler = _scheduler_after(module, n_epochs) if isinstance(module, Task) else None
    if scheduler is None:
        log.info("the scheduler keeps the length that it began with, which its checkpoint holds")
        return
    (state,), (made,) = checkpoint["optimizer_states"], (scheduler.optimizer,)
    was = state["param_groups"][0]["lr"]
    for group, fresh in zip(state["param_groups"], made.state_dict()["param_groups"], strict=True):
        group.update({name: value for name, value in fresh.items() if name != "params"})
    checkpoint["lr_schedulers"] = [scheduler.state_dict()]
    log.info(
        "the schedule follows from the length: epochs up to %d had the rates of the shorter run, from there on they "
        "are those of the longer one (%.3g, was %.3g); a run in one go differs",
        *(n_epochs - 1, made.param_groups[0]["lr"], was),
    )


def _scheduler_after(task: Task, n_epochs: int) -> Any:
    """A new scheduler as it is after so many epochs; None for one that waits for metrics."""
    made: Any = task.configure_optimizers()
    scheduler = made["lr_scheduler"]["scheduler"]
    if isinstance(scheduler, ReduceLROnPlateau):
        return None
    with warnings.catch_warnings():
        # no step has been taken
        warnings.simplefilter("ignore")
        for _ in range(n_epochs):
            scheduler.step()
    return scheduler
