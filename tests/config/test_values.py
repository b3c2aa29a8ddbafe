"""Whatever a command line gives a key: it is refused in words, or a run can be built of it."""

import functools
import pickle
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import DictConfig

from src.compat.hydra import apply_overrides
from src.config.allowed import Share
from src.config.compose import CONF_DIR, compose_train
from src.config.errors import ConfigError
from src.config.explain import Source, parse
from src.config.keys import flatten
from src.config.schema import problems
from src.config.signature import typed_parameters
from src.config.values import _DECLARED, Rate, hint_of
from tests.config.tree import Run, message

# Choices of options whose keys are tried; together all that are shipped and need no further package.
CHOICES: tuple[tuple[str, ...], ...] = (
    (),
    ("model=mlp", "optimizer=adam", "scheduler=step", "callbacks=early_stopping"),
    ("data=blobs", "model=blob", "optimizer=lbfgs", "scheduler=cosine", "callbacks=histograms"),
    ("data=line", "model=line", "loss=huber", "optimizer=rmsprop", "scheduler=plateau", "debug=limit"),
    ("loss=brier", "optimizer=adamw", "scheduler=warmup_cosine", "debug=profiler"),
)

# What people write, and what nobody means.
WORDS = (
    *(
        "0",
        "1",
        "-1",
        "2",
        "3",
        "0.5",
        "1.0",
        "1.5",
        "-0.1",
        "1e-3",
        "1e12",
        "1e39",
        "100000000000000000000",
        "9" * 400,
    ),
    *("nan", "inf", "-inf", "null", "true", "false", "True", "abc", "''", "'1e-3'", "'3'", "None", "auto", "val/loss"),
    *("val/accuracy", "max", "relu", "[]", "[1]", "[0]", "[8,8]", "[0.9,0.99]", "[a,b]", "[[1]]", "[null]", "{}"),
    *("{a: 1}", "{_target_: nowhere.Thing}", "${seed}", "${nowhere}", "${suggested.lr}", "???", "'a b'", "é"),
)
values = (
    st.sampled_from(WORDS)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.integers(-2, 2000).map(str)
    | st.floats(0, 1).map(str)
    | st.lists(st.integers(-1, 20), max_size=3).map(lambda numbers: str(numbers).replace(" ", ""))
)


@functools.cache
def tree(choices: tuple[str, ...]) -> tuple[bytes, list[str], dict[str, Any]]:
    """A configuration, pickled; its keys, with parameters that the YAML leaves out; and its values by key."""
    cfg = compose_train(choices, run_dir="somewhere")
    more = ["+trainer.limit_val_batches", "+trainer.overfit_batches", "+trainer.deterministic", "+trainer.max_steps"]
    return pickle.dumps(cfg), [*flatten(cfg), *more, "model.net", "data", "suggested"], flatten(cfg, resolve=True)


@st.composite
def lines(draw: st.DrawFn) -> tuple[tuple[str, ...], list[str]]:
    """Choices of options, and values for a few keys."""
    choices = draw(st.sampled_from(CHOICES))
    keys = draw(st.lists(st.sampled_from(tree(choices)[1]), min_size=1, max_size=2, unique=True))
    if draw(st.integers(0, 19)) == 0:
        return choices, [f"~{key.lstrip('+')}" for key in keys]
    return choices, [f"{key}={draw(values | neighbours(tree(choices)[2].get(key)))}" for key in keys]


def neighbours(value: Any) -> st.SearchStrategy[str]:
    """What one may well give instead of a value."""
    if isinstance(value, bool):
        return st.sampled_from(["true", "false"])
    if isinstance(value, int):
        return st.integers(1, 2 * value + 1).map(str)
    if isinstance(value, float):
        return st.floats(0.001, 0.999).map(str)
    if isinstance(value, str):
        return st.just(f"'{value}'")
    return st.just(str(value).replace(" ", "").replace("None", "null"))


def changed(choices: tuple[str, ...], overrides: Sequence[str]) -> DictConfig:
    """What they compose to, a hundred times faster than Hydra composes it."""
    cfg: DictConfig = pickle.loads(tree(choices)[0])
    apply_overrides(cfg, parse(overrides))
    return cfg


def refused(choices: tuple[str, ...], overrides: list[str]) -> str | None:
    """What a user reads, after looking at the values and after building; None if a run can begin."""
    try:
        cfg = changed(choices, overrides)
    # what Hydra's grammar makes of it, or an option of a group that is none
    except Exception as error:
        message = Source("train", CONF_DIR).explain(error, overrides)
        assert message is not None
        return message
    # without the places where they stand, which take ten times as long to find
    for key, text in problems(cfg, choices={}, conf_dir=CONF_DIR).items():
        says_all = r"got .*; allowed: |unknown key|leads nowhere|no value; give|does not exist|no _target_"
        assert re.fullmatch(r"[a-z_A-Z.\d\[\]]+", key), key
        assert re.search(says_all, text), text
        return f"{key}: {text}"
    said = _built(cfg)
    assert said is None or re.match(r"[a-z]+[.=:_]\w*|hydra", said), said
    return said


def _built(cfg: DictConfig) -> str | None:
    from src.build import build

    # has tests of its own, and takes seconds
    cfg.compile = False
    try:
        # Lightning warns of much that it does
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            build(cfg)
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.slow
@settings(max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(lines())
def test_any_line_is_refused_in_words_or_can_be_built(line: tuple[tuple[str, ...], list[str]]) -> None:
    refused(*line)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(lines())
def test_any_of_two_thousand_lines_is_refused_in_words_or_can_be_built(line: tuple[tuple[str, ...], list[str]]) -> None:
    refused(*line)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "model.net.hidden=32",
            "got 32; allowed: a list of whole numbers from 1 to 10000000; write model.net.hidden=[32]",
        ),
        ("callbacks.checkpoint.every_s=nan", "got nan; allowed: a number of at least 0, and finite"),
        ("callbacks.boundary_frames.every_n_epochs=1.5", "got 1.5; allowed: null or a whole number of at least 0"),
        ("optimizer.lr=inf", "got inf; allowed: a number greater than 0 and of at most 1e+30, and finite"),
        ("trainer.max_epochs=-1", "got -1; allowed: null or a whole number from 1 to 10000000"),
        ("trainer.max_epochs=100000000000000000000", "allowed: null or a whole number from 1 to 10000000"),
        ("run_dir=''", "got ''; allowed: a directory of its own"),
        ("run_dir=./", "got './'; allowed: a directory of its own"),
        ("seed=[0,1,2]", "allowed: a whole number from 0 to 4294967295; for a job each: -m seed=0,1,2"),
        ("callbacks.checkpoint=5", "got 5; allowed: null or a mapping with a _target_"),
        ("callbacks.hints._target_=3", "got 3; allowed: the full dotted path of a class or function"),
        (
            "callbacks.hints._target_=nowhere.Thing",
            "got 'nowhere.Thing'; allowed: the full dotted path of a class or func",
        ),
        ("optimizer._partial_=1", "got 1; allowed: true or false"),
        ("~data.noise", "no value; give +data.noise=..."),
        ("~seed", "no value; give +seed=..."),
        ("~trainer.precision", "no value; give +trainer.precision=..."),
    ],
)
def test_a_wrong_value_is_told_with_what_is_allowed(line: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        compose_train([line])
    key = line.lstrip("~").partition("=")[0]
    assert str(error.value).startswith(f"{key} (command line: {line}): ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        *("+trainer.limit_val_batches=0", "+trainer.limit_val_batches=0.5", "trainer.devices=auto", "seed=0"),
        *("task.log_every_n_epochs=null", "data.noise=0", "callbacks.checkpoint.mode=max", "model.name='a b'"),
    ],
)
def test_a_right_value_is_taken(line: str) -> None:
    compose_train([line])


def test_a_run_without_an_end_needs_another_one() -> None:
    with pytest.raises(ConfigError, match=r"trainer\.max_epochs .*: got -1"):
        compose_train(["trainer.max_epochs=-1"])
    for end in ("+trainer.max_steps=10", "+trainer.max_time='00:00:10:00'"):
        assert compose_train(["trainer.max_epochs=-1", end]).trainer.max_epochs == -1


def test_a_value_that_others_refer_to_is_refused_once_under_its_own_key() -> None:
    with pytest.raises(ConfigError) as error:
        compose_train(["suggested.max_epochs=0", "seed=-1", "scheduler=cosine"])
    assert [line.split(" ")[0] for line in str(error.value).splitlines()] == ["suggested.max_epochs", "seed"]


def test_a_wrong_value_of_a_file_is_told_with_its_line(
    conf: Path, start: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (conf / "experiment" / "wrong.yaml").write_text("# @package _global_\nseed: -1\nevaluate: 3\n")
    said = message(start, capsys, "experiment=wrong").splitlines()
    assert said[0] == "seed (conf/experiment/wrong.yaml, line 2): got -1; allowed: a whole number from 0 to 4294967295"
    assert said[1] == "evaluate (conf/experiment/wrong.yaml, line 3): got 3; allowed: best or last"


def test_every_declared_argument_is_one() -> None:
    """Of the shipped options: a name that a later version of a library changes would go unchecked."""
    assert hint_of("torch.optim.SGD", "lr") == Rate
    assert hint_of("torch.optim.lr_scheduler.ConstantLR", "factor") == Share
    assert hint_of("torch.optim.lr_scheduler.ReduceLROnPlateau", "factor") != Share
    known = set(typed_parameters("lightning.pytorch.trainer.trainer.Trainer"))
    assert set(_DECLARED["lightning.pytorch.trainer.trainer.Trainer"]) <= known
    known = set(typed_parameters("lightning.pytorch.callbacks.early_stopping.EarlyStopping"))
    assert set(_DECLARED["lightning.pytorch.callbacks.early_stopping.EarlyStopping"]) <= known
