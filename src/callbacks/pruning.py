"""Ending a run that its search has given up.

Optuna's own callback for Lightning wants the trial object, which lives in the sweeper's process, and waits for
Lightning's validation loop, which a task that trains in blocks does not use.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from src.compat.optuna import open_trial
from src.config.errors import ConfigError
from src.run.reading import UnreadableError
from src.run.trial import PrunedError, TrialLink, make, open_storage
from src.tasks.base import is_at_row, is_measured

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, Trial


class Pruning(Callback):
    """Report the search's metric at every logged epoch, and end the run if the search's pruner says so.

    Does nothing in a run that no search with a pruner has begun. A run that goes on after a kill reports only what it
    has not reported yet.
    """

    content_with_blocks = True

    def __init__(self) -> None:
        self._link: TrialLink | None = None
        self._trial: Trial | None = None
        self._reported: frozenset[int] = frozenset()

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Find the trial."""
        self._link = TrialLink.read(Path(trainer.default_root_dir))
        if self._link is not None and trainer.is_global_zero:
            self._trial = _trial(self._link, Path(trainer.default_root_dir) / "trial.json")
            # what was reported before a kill was answered then
            self._reported = frozenset(_frozen(self._trial).intermediate_values)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report, and ask.

        Raises:
            PrunedError: If the pruner gives the run up.
            ConfigError: If the metric is not measured during training.
        """
        if self._link is None or not is_at_row(pl_module) or not is_measured(pl_module, self._link.monitor):
            return
        monitor, metrics = self._link.monitor, trainer.callback_metrics
        if monitor not in metrics:
            raise ConfigError(
                f"hydra/sweeper/pruner: {monitor} is not measured during training; allowed objectives: "
                f"{', '.join(sorted(metrics))}"
            )
        # the first process asks, all hear the answer
        epoch, trial = trainer.current_epoch, self._trial
        prune = trial is not None and epoch not in self._reported and _ask(trial, metrics[monitor].item(), epoch=epoch)
        if trainer.strategy.reduce_boolean_decision(prune, all=False):
            raise PrunedError({name: float(value) for name, value in metrics.items()}, epoch=trainer.current_epoch)


def _trial(link: TrialLink, file: Path) -> "Trial":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = open_storage(link.storage, is_new=False)
    pruner = make("pruner", link.pruner)
    try:
        # a sampler that draws nothing: the values of the trial are decided
        study = optuna.load_study(
            study_name=link.study, storage=storage, sampler=optuna.samplers.RandomSampler(), pruner=pruner
        )
        return open_trial(study, storage, link.number)
    # no such study, no such trial
    except KeyError as error:
        why = f"{link.storage} holds no trial {link.number} of study {link.study}"
        raise UnreadableError(file, why, "remove it, and the run reports to no search") from error


def _frozen(trial: "Trial") -> "FrozenTrial":
    return next(each for each in trial.study.get_trials(deepcopy=False) if each.number == trial.number)


def _ask(trial: "Trial", value: float, *, epoch: int) -> bool:
    trial.report(value, epoch)
    return trial.should_prune()
