"""A half-private part of Optuna: trials by their ids, which only its storages know.

`study.ask` gives a `Trial`, and no public call gives it again: neither to the same command after a kill, nor to a job
in another process that reports to it. The class `Trial` and the methods of a storage stand in Optuna's reference, as
not to be accessed by its users. What was weighed: `study.ask` and a user attribute set after it, between which a kill
leaves a trial that belongs to nobody; `study.enqueue_trial` with the attribute, where `study.ask` of another machine
may take the trial that this one has queued; a trial opened only to be failed, for which a grid would count a
combination as tried.
"""

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import Trial


def open_trial(study: "Study", storage: "BaseStorage", number: int) -> "Trial":
    """The trial of this number, as `study.ask` gave it or would have: to draw its values, or to report to it.

    Args:
        study: The study.
        storage: Where the study lies.
        number: Number of the trial.
    """
    from optuna.trial import Trial

    # a study remembers what its sampler has seen of other trials, until `ask`; a copy remembers nothing
    return Trial(copy.copy(study), _id(study, storage, number))


def fail_trial(study: "Study", storage: "BaseStorage", number: int, *, reason: str) -> None:
    """Store a trial as failed of which nothing has been drawn; no sampler hears of it.

    Args:
        study: The study.
        storage: Where the study lies.
        number: Number of the trial.
        reason: User attribute that is set to true.
    """
    from optuna.trial import TrialState

    trial_id = _id(study, storage, number)
    storage.set_trial_user_attr(trial_id, reason, value=True)
    storage.set_trial_state_values(trial_id, TrialState.FAIL)


def _id(study: "Study", storage: "BaseStorage", number: int) -> int:
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)
