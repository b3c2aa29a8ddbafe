"""Changes of a stored configuration, and command lines that hold them."""

from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from src.config.command.entry import split_argv
from src.config.compose import override
from src.config.errors import ConfigError
from tests.config.tree import Run


@pytest.fixture
def stored(conf: Path) -> DictConfig:
    assert conf.is_dir()
    thing = {"_target_": "thing.Thing", "size": 1}
    return OmegaConf.create({"seed": 1, "data": thing, "layers": [1, 2], "nested": {"a": 1}, "scheduler": {}})


def test_override_changes_a_copy(stored: DictConfig) -> None:
    lines = [
        "data.size=3",
        "seed=7",
        "layers=[4]",
        "nested={a: 2}",
        "data.lr=1e-3",
        "scheduler=null",
        "data._target_='a=b'",
    ]
    changed = override(stored, lines)
    assert changed.data == {"_target_": "a=b", "size": 3, "lr": 1e-3}
    assert (changed.seed, changed.layers, changed.nested, changed.scheduler) == (7, [4], {"a": 2}, None)
    assert stored.data.size == 1


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("data.siez=3", r"data.siez \(command line: data.siez=3\): unknown key; did you mean data.size\?"),
        ("data={siez: 3}", r"data.siez \(command line: data=\{siez: 3\}\): unknown key"),
        ("dta.size=3", r"unknown key; did you mean data\?"),
        ("data=large", "data=large: data is a group, whose choice is stored; change values below it"),
        ("+data.lr=3", r"\+data.lr=3: only key=value can change a stored configuration"),
        ("++data.lr=3", "only key=value"),
        ("~data", "only key=value"),
        ("data@x=3", "only key=value"),
        ("seed=1,2", "only key=value"),
        ("seed=range(3)", "only key=value"),
        ("seed=[", r"seed=\[: no viable alternative"),
        ("seed=-1", r"seed \(command line: seed=-1\): got -1; allowed: a whole number from 0 to 4294967295"),
    ],
)
def test_override_refuses(line: str, match: str, stored: DictConfig) -> None:
    with pytest.raises(ConfigError, match=match):
        override(stored, [line])


LINES = [
    "a.b=1",
    "c='x, \"y\"'",
    "d=[1,{e: f}]",
    "g=h=i",
    r"w=a\b\\",
    "q=${seed}",
    "~data.x",
    "+z=1",
    "model@k=v",
    "p=é",
]


def test_split_argv_keeps_own_keys_and_flags() -> None:
    argv = ["run=x", "--cfg", "job", "hydra.job.name=y", "hydra/launcher=basic", "-m", "checkpoint=last", "--package=a"]
    assert split_argv(argv, ["run", "checkpoint"]) == argv
    assert split_argv(["run=x", "runs=y"], ["run"]) == ["run=x", "overrides=['runs=y']"]


def test_split_argv_gives_every_string_back(start: Run) -> None:
    line = split_argv(LINES, ["run"])[-1]
    assert OverridesParser.create().parse_override(line).is_sweep_override() is False
    seen: list[list[str]] = []
    start("run=x", *LINES, function=lambda cfg: seen.append(list(cfg.overrides)), name="eval")
    assert seen == [LINES]
