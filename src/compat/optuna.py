"""A half-private part of Optuna: the `Trial` of a trial that has been begun before.

`study.ask` gives a `Trial`, and no public call gives it again: neither to the same command after a kill, nor to a job
in another process that reports to it. `Trial` can be made from its id, which the storage knows; both are in Optuna's
reference, as "not supposed to be directly accessed by library users". What was weighed: `study.ask` and a user
attribute set after it, between which a kill leaves a trial that belongs to nobody, and `study.enqueue_trial` with the
attribute, where `study.ask` of another machine may take the trial that this one has queued.
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

    study_id = storage.get_study_id_from_name(study.study_name)
    trial_id = storage.get_trial_id_from_study_id_trial_number(study_id, number)
    # a study remembers what its sampler has seen of other trials, until `ask`; a copy remembers nothing
    return Trial(copy.copy(study), trial_id)
