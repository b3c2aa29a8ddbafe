"""The jobs that a sweep's command stands for."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.keys import flatten
from src.config.origins import hydra_at
from src.sweep.jobs import _parse, _parsed, compose_jobs, hydra_config, representatives
from src.sweep.values import expand, first_values, sampled_values


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


def test_a_shuffled_sweep_has_one_order_for_its_directory(tmp_path: Path) -> None:
    def order(name: str, values: str) -> list[str]:
        jobs = expand(composed(f"seed=shuffle({values})", f"hydra.sweep.dir={tmp_path / name}"))
        assert jobs is not None
        return [line for (line,) in jobs]

    given = [f"seed={i}" for i in range(12)]
    for values in ("range(0,12)", ",".join(map(str, range(12)))):
        assert sorted(order("one", values)) == sorted(given)
        assert order("one", values) == order("one", values) != given
        assert order("one", values) != order("other", values)


def test_hydra_launches_a_shuffled_sweep_in_the_order_that_was_looked_at(tmp_path: Path) -> None:
    config = composed("seed=shuffle(range(0,12))", f"hydra.sweep.dir={tmp_path}")
    # not the class that is imported here: Hydra loads the modules of plugins anew
    sweeper: Any = Plugins.instance()._instantiate(config.hydra.sweeper)
    sweeper.config = config
    batches = sweeper.split_arguments(OverridesParser.create().parse_overrides(["seed=shuffle(range(0,12))"]), 5)
    assert [len(batch) for batch in batches] == [5, 5, 2]
    assert [job for batch in batches for job in batch] == expand(config)


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ("float(range(0,3))", ["0.0", "1.0", "2.0"]),
        ("int(range(0,3))", ["0", "1", "2"]),
        ("range(0,1,0.3)", ["0.0", "0.3", "0.6", "0.9"]),
    ],
)
def test_a_range_is_of_the_kind_that_was_asked_for(values: str, given: list[str]) -> None:
    jobs = expand(composed(f"optimizer.weight_decay={values}"))
    assert jobs == [[f"optimizer.weight_decay={value}"] for value in given]


def test_a_sample_of_a_search_holds_all_choices_both_ends_and_the_same_draws() -> None:
    swept = ("optimizer.lr=tag(log,interval(0.001,1))", "seed=int(interval(1,9))", "data.noise=range(0,1,0.3)")
    config = composed(*swept, "model=shuffle(mlp,circle_v0,circle_v1)", "trainer.max_epochs=3")
    sample = sampled_values(config, 20)
    assert sample == sampled_values(config, 20)
    assert len(sample) == 23
    assert [job[3] for job in sample[:3]] == ["model=mlp", "model=circle_v0", "model=circle_v1"]
    assert [job[0] for job in sample[:2]] == ["optimizer.lr=0.001", "optimizer.lr=1.0"]
    assert [job[2] for job in sample[:2]] == ["data.noise=0.0", "data.noise=0.9"]
    rates = [float(job[0].split("=")[1]) for job in sample[3:]]
    assert all(0.001 <= rate <= 1 for rate in rates)
    # of each order of magnitude some
    assert {math.floor(math.log10(rate)) for rate in rates} == {-3, -2, -1}
    assert {job[1] for job in sample} <= {f"seed={i}" for i in range(1, 10)}
    assert {job[4] for job in sample} == {"trainer.max_epochs=3"}


def test_first_and_sampled_values_delete_what_is_deleted() -> None:
    config = composed("~callbacks.pictures", "seed=1,2")
    assert first_values(config) == ["~callbacks.pictures", "seed=1"]
    assert {line for job in sampled_values(config, 3) for line in job} == {"~callbacks.pictures", "seed=1", "seed=2"}


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


@pytest.mark.parametrize(
    "given",
    [
        ("seed=1,2", "model=circle_v1,mlp", "optimizer.lr=0.1,0.2"),
        ("run_dir=elsewhere/${seed}", "seed=1,2", "+tags.mine=[a,b]", "~scheduler"),
        ("seed=1,2", "hydra.job.name=x", "hydra.verbose=true", "+hydra.job.env_set.A=b", "hydra.sweep.subdir=${seed}"),
        ("data=blobs", "model=mlp", "seed=1,2", "callbacks=none", "+model.extra={a: 1}", "optimized_metric='val/f1'"),
        ("seed=1,2", "hydra.job_logging.root.level=DEBUG"),
    ],
)
def test_what_jobs_share_is_written_as_if_each_were_written_alone(given: tuple[str, ...]) -> None:
    config = composed(*given)
    for job in compose_jobs(config, expand(config) or []):
        alone = replace(job, parts=None)
        assert alone.asked == job.asked
        assert list(alone.asked) == list(job.asked)
        assert alone.hydra == job.hydra
        assert alone.texts() == job.texts()
        assert alone.log_files == job.log_files
        assert alone.resolved == job.resolved
        assert job.log_files
        with hydra_config(job.hydra_cfg):
            assert alone.log_files[0].path == str(
                OmegaConf.select(job.hydra_cfg, "hydra.job_logging.handlers.file.filename")
            )


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


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("range(0.1,0.5,0.1)", ["0.1", "0.2", "0.3", "0.4"]),
        ("range(0.3,0,-0.1)", ["0.3", "0.2", "0.1"]),
        ("range(0,1,0.3)", ["0.0", "0.3", "0.6", "0.9"]),
    ],
)
def test_a_range_of_decimals_has_the_digits_that_were_typed(given: str, values: list[str], tmp_path: Path) -> None:
    config = composed(f"optimizer.lr={given}", f"hydra.sweep.dir={tmp_path}")
    expected = [[f"optimizer.lr={value}"] for value in values]
    assert expand(config) == expected
    # not the class that is imported here: Hydra loads the modules of plugins anew
    sweeper: Any = Plugins.instance()._instantiate(config.hydra.sweeper)
    sweeper.config = config
    parsed = OverridesParser.create().parse_overrides([f"optimizer.lr={given}"])
    assert sweeper.split_arguments(parsed, None) == [expected]


@pytest.mark.parametrize(
    "line", ["seed=-3", "+data.seed=7", "a=0.25", "a=1e-05", "a=1.5e+3", "a=-0", "a=1_0", "a=007", "a@b=4", "~seed=1"]
)
def test_a_number_is_what_hydra_makes_of_it(line: str) -> None:
    found, expected = _parse(line), OverridesParser.create().parse_override(line)
    assert found == expected
    assert type(found.value()) is type(expected.value())


def test_hydra_parses_no_line_for_each_seed() -> None:
    config = composed("seed=range(3000,3200)", "optimizer.lr=0.1,0.2")
    before = _parsed.cache_info().misses
    (*_, last) = compose_jobs(config, expand(config) or [])
    assert (last.cfg.seed, last.cfg.optimizer.lr) == (3199, 0.2)
    assert _parsed.cache_info().misses - before <= 2
