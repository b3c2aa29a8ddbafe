"""Options of a search, checked."""

from pathlib import Path
from typing import Any

import pytest

from src.config.errors import ConfigError
from src.search.options import SearchOptions
from tests.search.searching import given


def of(metric: str = "val/loss", **changes: Any) -> SearchOptions:
    return SearchOptions.of(
        {**given(), **changes}, optimized_metric=metric, sweep_dir=Path("outputs/sweeps/mine"), n_parallel=3
    )


def test_defaults_keep_the_study_in_the_sweeps_directory_and_optimise_the_runs_metric() -> None:
    options = of()
    assert options.storage == f"sqlite:///{Path.cwd()}/outputs/sweeps/mine/study.db"
    assert options.objectives == {"val/loss": "minimize"}
    assert of("test/accuracy").objectives == {"test/accuracy": "maximize"}
    assert (options.n_jobs, of(n_jobs=2).n_jobs) == (3, 2)
    assert not options.prunes


def test_objectives_are_a_metric_a_list_or_a_mapping() -> None:
    assert of(objectives="test/f1").objectives == {"test/f1": "maximize"}
    assert of(objectives=["val/loss", "n_parameters"]).objectives == {
        "val/loss": "minimize",
        "n_parameters": "minimize",
    }
    assert of(objectives={"val/beauty": "maximize"}).objectives == {"val/beauty": "maximize"}


MEDIAN = {"_target_": "optuna.pruners.MedianPruner"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_trial": 3}, r"hydra\.sweeper\.n_trial: unknown key; did you mean hydra\.sweeper\.n_trials\?"),
        ({"n_trials": 0}, r"hydra\.sweeper\.n_trials: got 0; allowed: a whole number from 1"),
        ({"n_jobs": True}, r"hydra\.sweeper\.n_jobs: got True"),
        ({"n_jobs": 1.5}, r"hydra\.sweeper\.n_jobs: got 1\.5"),
        ({"objectives": {"val/loss": "up"}}, r"val/loss: got 'up'; allowed: minimize or maximize"),
        ({"storage": "study.txt"}, r"hydra\.sweeper\.storage: got study\.txt; allowed: a database"),
        ({"storage": "a.db"}, r"hydra\.sweeper\.study_name: no value"),
        ({"sampler": "tpe"}, r"hydra\.sweeper\.sampler: got 'tpe'; choose one with hydra/sweeper/sampler="),
        ({"sampler": {"_target_": "os.system"}}, r"give a _target_ in optuna\.samplers"),
        (
            {"sampler": {"_target_": "optuna.samplers.TPESampler", "sed": 1}},
            r"hydra\.sweeper\.sampler\.sed: unknown key; did you mean hydra\.sweeper\.sampler\.seed\?",
        ),
        ({"params": "x"}, r"hydra\.sweeper\.params: got 'x'"),
        ({"pruner": MEDIAN, "objectives": ["val/loss", "val/mae"]}, "pruning needs one objective; .*val/loss, val/mae"),
        ({"pruner": MEDIAN, "objectives": "test/accuracy"}, "measured during training, such as val/loss; got test/acc"),
        (
            {"sampler": {"_target_": "optuna.samplers.CmaEsSampler"}, "objectives": ["val/loss", "val/mae"]},
            "CMA-ES has one objective",
        ),
    ],
)
def test_a_wrong_value_is_refused_naming_its_key(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        of(**changes)


def test_a_sampler_that_hydra_has_made_is_refused_with_the_key_that_makes_it() -> None:
    with pytest.raises(ConfigError, match=r"^hydra\.sweeper\._recursive_: got true; allowed: false"):
        of(sampler=object())
