"""Search spaces from Hydra's grammar."""

from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from src.config.errors import ConfigError
from src.search.space import read_space


@pytest.mark.parametrize(
    ("text", "distribution"),
    [
        ("interval(0,1)", FloatDistribution(0, 1)),
        ("tag(log,interval(0.001,1))", FloatDistribution(0.001, 1, log=True)),
        ("int(interval(1,64))", IntDistribution(1, 64)),
        ("tag(int,interval(0.5,3.5))", IntDistribution(1, 3)),
        ("int(tag(log,interval(1,64)))", IntDistribution(1, 64, log=True)),
        ("range(0,5)", IntDistribution(0, 4)),
        ("range(0,10,3)", IntDistribution(0, 9, step=3)),
        ("range(10,0,-5)", IntDistribution(5, 10, step=5)),
        ("range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("range(0,1,0.3)", FloatDistribution(0, 0.9, step=0.3)),
        ("range(1,0,-0.3)", FloatDistribution(0.1, 1, step=0.3)),
        ("sort(range(0,1,0.1),reverse=true)", FloatDistribution(0, 0.9, step=0.1)),
        ("float(range(0,3))", FloatDistribution(0, 2, step=1)),
        ("float(range(0,1,0.3))", FloatDistribution(0, 0.9, step=0.3)),
        ("int(range(0,3))", IntDistribution(0, 2)),
        ("shuffle(range(0,5))", IntDistribution(0, 4)),
        ("tag(log,range(1,9))", IntDistribution(1, 8, log=True)),
        ("relu,tanh", CategoricalDistribution(["relu", "tanh"])),
        ("choice(8,16)", CategoricalDistribution(["8", "16"])),
        ("[8],[16,16]", CategoricalDistribution(["[8]", "[16,16]"])),
        ("{a:1},null,true", CategoricalDistribution(["{a:1}", "null", "True"])),
    ],
)
def test_sweeps_become_distributions(text: str, distribution: BaseDistribution) -> None:
    assert read_space({}, [f"key={text}"]).searched == {"key": distribution}


@pytest.mark.parametrize("text", ["range(0,1,0.3)", "range(0,0.9,0.3)", "range(1,0,-0.3)", "range(0.1,0.75,0.05)"])
def test_a_range_of_decimals_holds_as_many_values_as_in_hydras_own_sweeper(text: str) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"key={text}"])
    points = read_space({}, [f"key={text}"]).grid()["key"]
    assert points == pytest.approx(sorted(map(float, override.sweep_string_iterator())), abs=1e-12)
    assert [str(point) for point in points] == [str(round(point, 6)) for point in points]


def test_what_is_shuffled_is_searched_in_the_order_in_which_it_was_given() -> None:
    choices = [str(i) for i in range(30)]
    space = read_space({}, [f"key=shuffle({','.join(choices)})"])
    assert space.searched == {"key": CategoricalDistribution(choices)}


@pytest.mark.parametrize(
    "text", ["range(0,10,3)", "range(10,0,-5)", "range(0,1,0.25)", "range(5)", "a,b,c", "[8],[16]"]
)
def test_a_grid_holds_what_hydras_own_sweeper_would_run(text: str) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"key={text}"])
    points = read_space({}, [f"key={text}"]).grid()["key"]
    assert sorted(map(str, points)) == sorted(override.sweep_string_iterator())


@pytest.mark.parametrize(
    "text", ["'a b',c", '"it\'s",c', "[8,[1,2]],[16]", "{a:{b:1}},{a:{b:2}}", "'1',2", "null,1e-5"]
)
def test_a_choice_means_in_a_job_what_it_means_in_the_sweep(text: str) -> None:
    (override,) = OverridesParser.create().parse_overrides([f"key={text}"])
    space = read_space({}, [f"key={text}"])
    study = optuna.create_study(sampler=optuna.samplers.GridSampler(space.grid()))
    values: list[Any] = []
    for _ in range(2):
        trial = study.ask()
        space.suggest(trial)
        (job,) = OverridesParser.create().parse_overrides(space.overrides(trial.params))
        assert space.values(trial.params) == {"key": job.value()}
        values.append(job.value())
    given = [each.text if hasattr(each, "text") else each for each in override.value().list]  # type: ignore[union-attr]
    assert sorted(values, key=str) == sorted(given, key=str)


def test_what_is_not_swept_is_fixed_and_the_command_line_wins() -> None:
    params = {"lr": "interval(0,1)", "seed": 3, "width": "8,16", "model": "mlp"}
    space = read_space(params, ["lr=0.1", "seed=range(0,5)"])
    assert space.fixed == {"lr": "0.1", "model": "mlp"}
    assert space.searched == {"seed": IntDistribution(0, 4), "width": CategoricalDistribution(["8", "16"])}
    assert space.overrides({"seed": 4, "width": "8"}) == ["lr=0.1", "model=mlp", "seed=4", "width=8"]


def test_what_is_deleted_is_deleted_whatever_its_value() -> None:
    space = read_space({}, ["~callbacks.pictures", "~model.name=x", "logger=null", "seed=1,2"])
    assert space.overrides({"seed": 2}) == ["~callbacks.pictures", "~model.name=x", "logger=null", "seed=2"]


def test_probes_hold_every_choice_once() -> None:
    space = read_space({}, ["a=x,y,z", "b=u,v", "lr=interval(0.5,1)", "seed=range(3,9)"])
    assert space.probes() == [
        ["a=x", "b=u", "lr=0.5", "seed=3"],
        ["a=y", "b=v", "lr=0.5", "seed=3"],
        ["a=z", "b=u", "lr=0.5", "seed=3"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key=interval(1,0)", r"key: cannot search interval\(1,0\): .*`low( <= high|` value)"),
        ("key=tag(log,interval(0,1))", r"key: cannot search .*`low( > 0` must hold|` value must be larger than 0)"),
        ("key=range(3,3)", r"key: cannot search range\(3,3\): the range is empty"),
        ("key=tag(log,range(1,9,2))", r"key: cannot search tag\(log,range\(1,9,2\)\)"),
        ("key=int(range(0,2,0.5))", r"key: cannot search int\(range\(0,2,0\.5\)\): "),
        ("key=range(0,1,0)", r"key: cannot search|step"),
        ("key=interval(a,b)", r"key=interval\(a,b\): .*interval"),
        ("key=3", "nothing to search; give choices, ranges or intervals"),
    ],
)
def test_a_bad_space_is_refused_naming_the_key(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_space({}, [text])
