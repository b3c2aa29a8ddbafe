"""A half-private part of Optuna: trials by their ids, which only its storages know.

`study.ask` gives a `Trial`, and no public call gives it again: neither to the same command after a kill, nor to a job
in another process that reports to it. The class `Trial` and the methods of a storage stand in Optuna's reference, as
not to be accessed by its users. What was weighed: `study.ask` and a user attribute set after it, between which a kill
leaves a trial that belongs to nobody; `study.enqueue_trial` with the attribute, where `study.ask` of another machine
may take the trial that this one has queued; a trial opened only to be failed, for which a grid would count a
combination as tried.
"""

import copy
import io
import pickle
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

# Where CMA-ES keeps its state in a trial, pickled, and of what that is made.
_CMA_STATES = ("cma:optimizer", "sepcma:optimizer", "cmawm:optimizer")
_CMA_PARTS = frozenset(
    {
        "cmaes._cma.CMA",
        "cmaes._cmawm.CMAwM",
        "cmaes._sepcma.SepCMA",
        "numpy.dtype",
        "numpy.ndarray",
        *(
            f"numpy.{core}.{name}"
            for core in ("core", "_core")
            for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
        ),
    }
)


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


def check_pickles(trials: "Iterable[FrozenTrial]") -> None:
    """Refuse trials whose state of CMA-ES would run something when Optuna reads it: it is a pickle.

    Raises:
        UnpicklingError: If it names anything but the few classes that it is made of.
        ValueError: If it is no pickle.
    """
    for trial in trials:
        for state in _CMA_STATES:
            # as Optuna puts it together
            n = sum(key.startswith(state) for key in trial._system_attrs)
            text = "".join(trial._system_attrs[f"{state}:{i}"] for i in range(n))
            if text:
                _CmaUnpickler(io.BytesIO(bytes.fromhex(text))).load()


class _CmaUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _CMA_PARTS:
            raise pickle.UnpicklingError(f"a stored state of CMA-ES asks for {module}.{name}")
        return super().find_class(module, name)


def _id(study: "Study", storage: "BaseStorage", number: int) -> int:
    return storage.get_trial_id_from_study_id_trial_number(storage.get_study_id_from_name(study.study_name), number)
