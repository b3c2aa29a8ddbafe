"""What is said of values that are wrong, and which are right."""

from pathlib import Path

import pytest

from src.config.allowed import Share
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.config.signature import typed_parameters
from src.config.values import _DECLARED, Rate, hint_of
from tests.config.tree import Run, message


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
        ("run_dir=/", "got '/'; allowed: a directory of its own"),
        ("run_dir=../..", "got '../..'; allowed: a directory of its own"),
        ("seed=[0,1,2]", "allowed: a whole number from 0 to 4294967295; for a job each: -m seed=0,1,2"),
        (
            "+trainer.val_check_interval=0",
            "got 0; allowed: null or a whole number of at least 1 or a number greater than",
        ),
        ("+trainer.val_check_interval=abc", "or a duration, DD:HH:MM:SS"),
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
    key = line.lstrip("~+").partition("=")[0]
    assert str(error.value).startswith(f"{key} (command line: {line}): ")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        *("+trainer.limit_val_batches=0", "+trainer.limit_val_batches=0.5", "trainer.devices=auto", "seed=0"),
        *(
            "+trainer.val_check_interval=0.5",
            "+trainer.val_check_interval=3",
            "+trainer.val_check_interval='00:01:00:00'",
        ),
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
