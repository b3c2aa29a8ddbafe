"""Ending a run that its search has given up.

Optuna's own callback for Lightning wants the trial object, which lives in the sweeper's process, and waits for
Lightning's validation loop, which a task that trains in blocks does not use.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from src.config.errors import ConfigError
from src.run.directory import PrunedError
from src.run.trial import TrialLink, make, open_storage

if TYPE_CHECKING:
    from optuna.trial import Trial


class Pruning(Callback):
    """Report the search's metric at every logged epoch, and end the run if the search's pruner says so.

    Does nothing in a run that no search with a pruner has begun. A run that goes on after a kill reports only what it
    has not reported yet.
    """

    def __init__(self) -> None:
        self._link: TrialLink | None = None
        self._trial: Trial | None = None

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Find the trial."""
        self._link = TrialLink.read(Path(trainer.default_root_dir))
        if self._link is not None and trainer.is_global_zero:
            self._trial = _trial(self._link)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Report, and ask.

        Raises:
            PrunedError: If the pruner gives the run up.
            ConfigError: If the metric is not measured during training.
        """
        if self._link is None:
            return
        monitor, metrics = self._link.monitor, trainer.callback_metrics
        if monitor not in metrics:
            raise ConfigError(
                f"hydra/sweeper/pruner: {monitor} is not measured during training; allowed objectives: "
                f"{', '.join(sorted(metrics))}"
            )
        # the first process asks, all hear the answer
        prune = self._trial is not None and _ask(self._trial, metrics[monitor].item(), epoch=trainer.current_epoch)
        if trainer.strategy.reduce_boolean_decision(prune, all=False):
            raise PrunedError({name: float(value) for name, value in metrics.items()}, epoch=trainer.current_epoch)


def _trial(link: TrialLink) -> "Trial":
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # a sampler that draws nothing: the values of the trial are decided
    study = optuna.load_study(
        study_name=link.study,
        storage=open_storage(link.storage),
        sampler=optuna.samplers.RandomSampler(),
        pruner=make("pruner", link.pruner),
    )
    (trial_id,) = (each._trial_id for each in study.get_trials(deepcopy=False) if each.number == link.number)
    return optuna.Trial(study, trial_id)


def _ask(trial: Any, value: float, *, epoch: int) -> bool:
    """Whether to prune; what has been reported before a kill was answered then."""
    if epoch in trial.storage.get_trial(trial._trial_id).intermediate_values:
        return False
    trial.report(value, epoch)
    return bool(trial.should_prune())
