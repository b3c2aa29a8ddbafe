"""The jobs that a sweep's command stands for."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.config.origins import hydra_at
from src.sweep.jobs import compose_jobs, expand, first_values, hydra_config, representatives


@pytest.fixture(autouse=True)
def hydra() -> Iterator[None]:
    with hydra_at(CONF_DIR):
        yield


def composed(*overrides: str) -> DictConfig:
    return GlobalHydra.instance().hydra.compose_config("train", list(overrides), run_mode=RunMode.MULTIRUN)  # type: ignore[union-attr] # initialised


def test_jobs_are_all_combinations_in_order() -> None:
    jobs = expand(composed("seed=1,2", "model=circle_v1,mlp", "trainer.max_epochs=3"))
    assert jobs == [
        [f"seed={seed}", f"model={model}", "trainer.max_epochs=3"] for seed in (1, 2) for model in ("circle_v1", "mlp")
    ]


def test_values_of_an_experiment_file_are_swept_and_those_of_the_command_line_win() -> None:
    jobs = expand(composed("experiment=linear_vs_relu", "seed=7"))
    assert jobs == [[f"model={model}", "seed=7", "experiment=linear_vs_relu"] for model in ("circle_v1", "circle_v2")]


def test_an_interval_needs_a_search() -> None:
    with pytest.raises(ConfigError, match=r"optimizer.lr=interval\(0.1,1\).*hydra/sweeper=optuna"):
        expand(composed("optimizer.lr=interval(0.1,1)"))


def test_first_values_take_the_lower_end_of_everything() -> None:
    config = composed("optimizer.lr=interval(0.1,1)", "seed=range(3,9)", "model=mlp,circle_v1", "trainer.max_epochs=3")
    assert first_values(config) == ["optimizer.lr=0.1", "seed=3", "model=mlp", "trainer.max_epochs=3"]


SWEEP = (
    "model=circle_v1,mlp",
    "optimizer.lr=0.1,0.2",
    "data=blobs,circles",
    "+optimizer.dampening=0,0.5",
    "~callbacks.pictures",
    "trainer={max_epochs:3}",
    "hydra.sweep.subdir=${hydra.job.num}_${hydra.job.override_dirname}",
)


@pytest.mark.slow
def test_a_job_is_composed_as_hydra_composes_it() -> None:
    config = composed(*SWEEP)
    overrides = expand(config)
    assert overrides is not None
    loader = GlobalHydra.instance().config_loader()
    # as a search adds it
    overrides[-1].append("hydra.job.name=other")
    for job in compose_jobs(config, overrides):
        expected = loader.load_sweep_config(config, list(job.overrides))
        hydra = expected.hydra
        theirs = {key: value for key, value in flatten(expected).items() if not key.startswith("hydra.")}
        assert {**theirs, "run_dir": str(job.run_dir)} == flatten(job.cfg)
        assert job.hydra_cfg.hydra.job.override_dirname == hydra.job.override_dirname
        assert job.hydra_cfg.hydra.overrides == hydra.overrides
        assert job.own_overrides == hydra.overrides.task
        assert job.hydra_cfg.hydra.runtime.choices == hydra.runtime.choices


def test_each_job_has_the_directory_that_hydra_gives_it() -> None:
    config = composed("seed=1,2", "hydra.sweep.dir=some/where_${unique:}", "hydra.sweep.subdir=job_${hydra.job.num}")
    jobs = expand(config)
    assert jobs is not None
    paths = [job.run_dir for job in compose_jobs(config, jobs, (5, 6))]
    assert paths == [Path(config.hydra.sweep.dir).absolute() / f"job_{number}" for number in (5, 6)]


def test_jobs_do_not_share_their_values() -> None:
    config = composed("seed=1,2", "trainer.max_epochs=3,4")
    jobs = list(compose_jobs(config, expand(config) or []))
    assert [(job.cfg.seed, job.cfg.trainer.max_epochs) for job in jobs] == [(1, 3), (1, 4), (2, 3), (2, 4)]


def test_hydra_values_can_be_read_while_a_job_is_looked_at() -> None:
    cfg = OmegaConf.create({"name": "job ${hydra:job.num}"})
    config = composed("seed=1,2")
    (_, job) = compose_jobs(config, expand(config) or [])
    with hydra_config(job.hydra_cfg):
        assert cfg.name == "job 1"


def test_one_job_for_each_choice_of_options_stands_for_all() -> None:
    jobs = expand(composed("seed=range(0,50)", "model=circle_v1,mlp", "optimizer=sgd,adam", "optimizer.lr=0.1,0.2"))
    assert jobs is not None
    assert len(jobs) == 400
    options = [(model, optimizer) for model in ("circle_v1", "mlp") for optimizer in ("sgd", "adam")]
    assert representatives(jobs) == [
        ["seed=0", f"model={model}", f"optimizer={optimizer}", "optimizer.lr=0.1"] for model, optimizer in options
    ]
