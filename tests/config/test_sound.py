"""What is told of thousands of alike configurations without looking at each: never more than a look would find."""

from typing import Any

import pytest
from omegaconf import OmegaConf

from src.config.compose import CONF_DIR, compose_train
from src.config.schema import problems
from src.config.sound import Sound

LINE = ("model=mlp", "data=breast_cancer", "optimizer=adam", "scheduler=step")

ALLOWED: list[tuple[str, Any]] = [
    ("seed", 7),
    ("optimizer.lr", 0.5),
    ("optimizer.betas", [0.5, 0.9]),
    ("model.net.hidden", [3, 4]),
    ("model.net.activation", "tanh"),
    ("data.fold", 3),
    ("trainer.max_epochs", 7),
    ("optimized_metric", "val/f1"),
    ("run_dir", "/somewhere/else"),
]

REFUSED: list[tuple[str, Any]] = [
    ("seed", -1),
    ("seed", 1.0),
    ("seed", True),
    ("seed", None),
    ("seed", "???"),
    ("optimizer.lr", -0.1),
    ("optimizer.lr", "0.1"),
    ("optimizer.betas", [0.5, 1.5]),
    ("model.net.hidden", [0]),
    ("data.batch_size", 0),
    ("data.fold", -1),
    ("trainer.max_epochs", 0),
    ("optimized_metric", "accuracy"),
    ("run_dir", "."),
]

# Right, but not for an answer that looks at the value alone.
UNDECIDED: list[tuple[str, Any]] = [
    ("model.net._target_", "torch.nn.Linear"),
    ("trainer.max_steps", 3),
    ("never.heard", 1),
    ("model.net.hidden.0", 3),
    ("model", "mlp"),
]


@pytest.mark.parametrize(("key", "value"), ALLOWED)
def test_what_is_allowed_is_no_mistake(key: str, value: Any) -> None:
    cfg = compose_train(LINE)
    assert Sound(cfg).allows({"seed": 3, key: value})
    OmegaConf.update(cfg, key, value)
    assert not problems(cfg, choices={}, conf_dir=CONF_DIR)


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_a_mistake_is_never_allowed(key: str, value: Any) -> None:
    cfg = compose_train(LINE)
    assert not Sound(cfg).allows({"optimizer.weight_decay": 0.1, key: value})
    OmegaConf.update(cfg, key, value)
    assert problems(cfg, choices={}, conf_dir=CONF_DIR)


@pytest.mark.parametrize(("key", "value"), UNDECIDED)
def test_what_other_keys_decide_is_left_to_the_check(key: str, value: Any) -> None:
    assert not Sound(compose_train(LINE)).allows({key: value})


def test_training_without_an_end_is_allowed_where_something_else_ends_it() -> None:
    assert not Sound(compose_train(LINE)).allows({"trainer.max_epochs": -1})
    assert Sound(compose_train([*LINE, "+trainer.max_steps=9"])).allows({"trainer.max_epochs": -1})
