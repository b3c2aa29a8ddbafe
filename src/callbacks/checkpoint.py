"""The best and the last weights of a run, on disk."""

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, Checkpoint, EarlyStopping
from torch import Tensor
from torch.nn.parameter import is_lazy

from src.config.allowed import NotEmpty, NotNegative, OneOf, checked
from src.config.command import interrupts
from src.config.errors import ConfigError
from src.config.metrics import mode_of
from src.run.directory import RunDir
from src.run.files import set_aside, write_atomically
from src.tasks.base import Task, is_at_row, is_measured
from src.tasks.checkpoint import (
    CONFIGURATION,
    TO_GO_ON,
    DamagedCheckpointError,
    checkpoint_of,
    copied,
    hyper_parameters,
    load_checkpoint,
    run_checkpoint,
    save_checkpoint,
)

log = logging.getLogger(__name__)


class BestAndLast(Checkpoint):
    """Keep ``best.ckpt`` and ``last.ckpt`` in the run directory.

    Lightning's ModelCheckpoint writes a file whenever the monitored metric improves, which takes longer than ten epochs
    of a small network, and improves at almost every look. This one keeps the best weights in memory and writes both
    files every few seconds and at the end. ``last.ckpt`` holds the best weights as well, so that a run that is killed
    in between goes on to the same result.

    Args:
        monitor: Metric that decides what is best.
        mode: ``min`` or ``max``; None for the better end that the metric's name tells.
        every_s: Seconds between two writes.

    Raises:
        ValueError: If a value is out of its range.
        ConfigError: If ``mode`` is None, and the name tells nothing.
    """

    content_with_blocks = True

    @checked("callbacks.checkpoint")
    def __init__(
        self, *, monitor: NotEmpty, mode: Annotated[str, OneOf("min", "max")] | None, every_s: NotNegative
    ) -> None:
        mode = mode_of(monitor, mode, key="callbacks.checkpoint")
        self.monitor, self.every_s = monitor, every_s
        self._sign = 1.0 if mode == "min" else -1.0
        self._score = math.inf
        self._best: dict[str, Any] | None = None
        self._written_at = time.monotonic()
        self._has_ended = False

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Train no longer where early stopping had ended the run before it was killed."""
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
        if any(isinstance(each, EarlyStopping) and each.stopped_epoch > 0 for each in callbacks):
            trainer.should_stop = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the weights if they are the best so far, and write if it is time."""
        # without validation nothing tells which weights are the best, so there is no best.ckpt
        has_score = is_measured(pl_module, self.monitor)
        if self.monitor.startswith("val/") and trainer.limit_val_batches == 0:
            has_score = False
        if has_score and is_at_row(pl_module):
            self._keep_if_best(trainer, pl_module)
        due = interrupts.asked() or time.monotonic() - self._written_at >= self.every_s
        # saving waits for all processes, whose clocks differ: the first one decides
        if trainer.strategy.broadcast(due):
            self.write(trainer)

    def _keep_if_best(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.monitor not in trainer.callback_metrics:
            every = trainer.check_val_every_n_epoch
            if every is None or (trainer.current_epoch + 1) % every:
                # a later epoch will validate
                return
            raise ConfigError(
                f"callbacks.checkpoint.monitor={self.monitor} is not measured during training; "
                f"allowed: {', '.join(sorted(trainer.callback_metrics))}"
            )
        score = self._sign * trainer.callback_metrics[self.monitor].item()
        if score < self._score:
            self._score = score
            best = run_checkpoint(
                epoch=trainer.current_epoch,
                n_steps=trainer.global_step,
                weights=pl_module.state_dict(),
                optimizers=[optimizer.state_dict() for optimizer in trainer.optimizers],
            )
            # averages of weights, for one, put themselves in the place of those that are trained
            for callback in trainer.callbacks:  # type: ignore[attr-defined]  # Lightning leaves it untyped
                if not isinstance(callback, Checkpoint):
                    callback.on_save_checkpoint(trainer, pl_module, best)
            if not isinstance(pl_module, Task):
                best.update(hyper_parameters(pl_module))
                pl_module.on_save_checkpoint(best)
            # last of all, since whatever is put in there goes on to be trained
            self._best = copied(best)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write both files."""
        self._has_ended = True
        self.write(trainer)

    def end(self, trainer: pl.Trainer, task: pl.LightningModule) -> None:
        """Write them where training was over before, and a kill came before this."""
        if not self._has_ended:
            self.on_train_end(trainer, task)

    def write(self, trainer: pl.Trainer) -> None:
        """Write what there is: the best weights so far, and all that the run needs to go on from here."""
        run = RunDir(Path(trainer.default_root_dir))
        # in every process: hooks for checkpoints may talk to each other
        last = {**checkpoint_of(trainer), CONFIGURATION: run.digest}
        if trainer.is_global_zero:
            if self._best is not None:
                save_checkpoint(run.checkpoint("best"), self._best)
            # after best.ckpt: what last.ckpt continues from is never ahead of it
            save_checkpoint(run.checkpoint("last"), last, keep=run.previous)
        # the other processes read these files
        trainer.strategy.barrier()
        self._written_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """The best weights and their score, for ``last.ckpt``."""
        return self.state(score=self._score, best=self._best)

    @staticmethod
    def state(*, score: float, best: dict[str, Any] | None) -> dict[str, Any]:
        """What `state_dict` gives when these are the best score, with its sign, and a checkpoint of its weights."""
        return {"score": score, "best": best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from ``last.ckpt``."""
        self._score, self._best = state_dict["score"], state_dict["best"]


def go_on_from(run: RunDir, *, is_first: bool, module: pl.LightningModule | None = None) -> Path | None:
    """The checkpoint that an interrupted run goes on from: the last whole one; None if there is none.

    Damaged ones and those of another network are named and set aside, and ``best.ckpt`` is written anew from the last
    one if it is damaged or gone.

    Args:
        run: The run.
        is_first: Whether this process keeps the records; of several the others only look.
        module: What is to be trained; None trusts that a checkpoint is one of it.
    """
    for path in (run.checkpoint("last"), run.previous):
        if not path.is_file():
            continue
        try:
            checkpoint = load_checkpoint(path, needs=TO_GO_ON)
            # earlier versions stored none
            if checkpoint.get(CONFIGURATION) not in (None, run.digest):
                raise DamagedCheckpointError(path, "it is that of a run of another configuration")
            if isinstance(module, Task):
                _refuse_other_network(path, checkpoint["state_dict"], module)
        except DamagedCheckpointError as error:
            _set_aside(error, is_first=is_first)
            continue
        if path == run.previous:
            log.warning("going on from the checkpoint before the last one, of epoch %d", checkpoint["epoch"])
        if is_first:
            if path == run.previous:
                # a training that is over writes no other
                write_atomically(run.checkpoint("last"), path.read_bytes())
            _mend_best(run, checkpoint)
            log.info("goes on from %s, after %s epochs", path.relative_to(run.path), f"{checkpoint['epoch'] + 1:,}")
        return path
    log.warning("%s: no checkpoint is whole; training starts afresh", run.path)
    return None


def _refuse_other_network(path: Path, weights: Mapping[str, Tensor], task: Task) -> None:
    """Refuse weights of other names or sizes, as those of another run's checkpoint are."""
    own = task.state_dict()
    other = [name for name in own.keys() | weights.keys() if name not in own or name not in weights]
    other += [
        name
        for name in own.keys() & weights.keys()
        # one that is made with the first batch has no size yet
        if not is_lazy(own[name]) and own[name].shape != weights[name].shape
    ]
    if other:
        raise DamagedCheckpointError(path, f"it holds weights of another network, {min(other)} for one")


def _set_aside(error: DamagedCheckpointError, *, is_first: bool) -> None:
    if is_first:
        log.warning("%s is damaged (%s): it is kept as %s", error.path, error.why, set_aside(error.path).name)


def _mend_best(run: RunDir, checkpoint: dict[str, Any]) -> None:
    best = checkpoint["callbacks"].get(BestAndLast.__qualname__, {}).get("best")
    if best is None:
        return
    path = run.checkpoint("best")
    try:
        load_checkpoint(path)
    except DamagedCheckpointError as error:
        _set_aside(error, is_first=True)
    except ConfigError:
        # it is not there
        pass
    else:
        return
    save_checkpoint(path, best)
