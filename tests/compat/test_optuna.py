"""Trials that are opened again."""

from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from src.run.trial import open_storage
from tests.compat.parts import part_of

Opened = tuple[optuna.Study, optuna.storages.BaseStorage]


@pytest.fixture(params=["study.log", "study.db"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    scheme = {"study.log": "journal://", "study.db": "sqlite:///"}[request.param]
    storage = open_storage(f"{scheme}{tmp_path / request.param}")
    # the number of a trial differs from its id where a storage holds two studies
    optuna.create_study(study_name="other", storage=storage).ask()
    return optuna.create_study(study_name="s", storage=storage, sampler=Watching()), storage


class Watching(optuna.samplers.RandomSampler):
    """Remembers what it was shown of other trials."""

    def __init__(self) -> None:
        super().__init__(seed=0)
        self.seen: list[int] = []

    def infer_relative_search_space(
        self,
        study: optuna.Study,
        trial: FrozenTrial,  # noqa: ARG002
    ) -> dict[str, optuna.distributions.BaseDistribution]:
        done = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=True)
        self.seen.append(len(done))
        return {}


@pytest.mark.slow
def test_a_trial_opened_again_keeps_its_number_its_values_and_its_attributes(opened: Opened) -> None:
    study, storage = opened
    with part_of("optuna", "optuna"):
        from src.compat.optuna import open_trial

        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"owner": "a"}))
        first = open_trial(study, storage, 0)
        x = first.suggest_float("x", 0, 1)
        again = open_trial(study, storage, 0)
        assert (again.number, again.user_attrs) == (0, {"owner": "a"})
        assert again.suggest_float("x", 0, 1) == x
        again.report(0.25, 3)
        study.tell(again, 0.5)
    (stored,) = study.trials
    assert (stored.params, stored.value, stored.intermediate_values) == ({"x": x}, 0.5, {3: 0.25})
    assert stored.distributions == {"x": FloatDistribution(0, 1)}


@pytest.mark.slow
def test_the_sampler_sees_what_others_have_finished_in_the_meantime(opened: Opened) -> None:
    study, storage = opened
    with part_of("optuna", "optuna"):
        from src.compat.optuna import open_trial

        for number in range(3):
            study.add_trial(create_trial(state=TrialState.RUNNING))
            trial = open_trial(study, storage, number)
            trial.suggest_float("x", 0, 1)
            study.tell(trial, 1.0)
    assert isinstance(study.sampler, Watching)
    assert study.sampler.seen == [0, 1, 2]


def test_a_trial_that_is_failed_unopened_is_marked_and_no_sampler_hears_of_it(opened: Opened) -> None:
    study, storage = opened
    with part_of("optuna", "optuna"):
        from src.compat.optuna import fail_trial

        study.add_trial(create_trial(state=TrialState.RUNNING))
        fail_trial(study, storage, 0, reason="surplus")
    (stored,) = study.trials
    assert (stored.state, stored.user_attrs, stored.params) == (TrialState.FAIL, {"surplus": True}, {})
    assert isinstance(study.sampler, Watching)
    assert study.sampler.seen == []
