"""Hints: which facts ask for one, what it says, and the command that it gives."""

import shlex
from dataclasses import replace
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.config.errors import ConfigError
from src.hints.rules import Facts, ReluLayer, as_record, command, hints, of_error
from src.tasks.finite import NonFiniteLossError

FINE = Facts(
    n_steps=1000,
    lr=0.1,
    suggested_lr=0.1,
    weight_decay=0.0,
    first_loss=0.7,
    last_loss=0.1,
    moved=0.9,
    train_score=0.98,
    val_score=0.97,
    n_val=200,
    guessing=0.5,
    balanced_accuracy=None,
    n_classes=2,
    weighs_classes=False,
    line_accuracy=None,
    target_std=None,
    target_mean=None,
    relus=(ReluLayer("layers.1", 5, 16),),
    activation_is_a_key=True,
    n_epochs=1000,
    tenths=(0.101, 0.1),
    squashed=None,
)
LINEAR: dict[str, Any] = {
    "relus": (),
    "line_accuracy": 0.51,
    "train_score": 0.52,
    "val_score": 0.5,
    "last_loss": 0.69,
    "moved": 0.04,
}
SLOW: dict[str, Any] = {"last_loss": 0.6999, "moved": 3e-5, "train_score": 0.5, "val_score": 0.5, "lr": 1e-6}
FALLING: dict[str, Any] = {"tenths": (0.5, 0.4), "train_score": 0.86, "val_score": 0.86}
CHANCE: dict[str, Any] = {"train_score": 0.5, "val_score": 0.5, "balanced_accuracy": 0.5}
RARE: dict[str, Any] = {"guessing": 0.99, "train_score": 0.99, "val_score": 0.99, "balanced_accuracy": 0.5}
REGRESSION: dict[str, Any] = {"guessing": None, "target_std": 2.0, "target_mean": 1.0, "train_score": 0.1}
LARGE: dict[str, Any] = {**REGRESSION, "target_std": 1e9, "target_mean": 5e9, "train_score": 4.9e9, "val_score": 5.1e9}


@pytest.mark.parametrize(
    ("kind", "changes", "seen", "tried"),
    [
        ("exploding", {"last_loss": 1.5}, "from 0.7 to 1.5", ("optimizer.lr=0.01",)),
        ("exploding", {"last_loss": 1e30, "lr": 50.0}, "from 0.7 to 1e+30", ("optimizer.lr=0.1",)),
        (
            "dead_relus",
            {"relus": (ReluLayer("a", 15, 16), ReluLayer("b", 9, 16))},
            "24 of 32 ReLU units (75%) never fire on the training data, so that no gradient reaches them "
            "(a: 15 of 16, b: 9 of 16)",
            ("optimizer.lr=0.01",),
        ),
        ("dead_relus", {"relus": (ReluLayer("a", 0, 16), ReluLayer("b", 2, 2))}, "2 of 18", ("optimizer.lr=0.01",)),
        ("linear_at_chance", LINEAR, "gets 52.0%", ("model.net.activation=relu",)),
        ("linear_at_chance", {**LINEAR, "activation_is_a_key": False}, "least squares 51.0%", ("model=mlp",)),
        (
            "at_chance",
            RARE,
            "gets 99.0% of the training points right, no more than the answer that is always the largest class, 99.0%; "
            "on average over classes it is 50.0%",
            ("loss=of_data", "loss.class_weights=balanced"),
        ),
        # also while its loss is falling
        ("at_chance", {**RARE, "tenths": (0.5, 0.4)}, "50.0%", ("loss=of_data", "loss.class_weights=balanced")),
        ("at_chance", {**RARE, "weighs_classes": True}, "50.0%", ("model.net.hidden=[32,32]",)),
        # the rate and the length come before the network
        ("at_chance", {**CHANCE, "lr": 10.0, "suggested_lr": 0.1}, "50.0%", ("optimizer.lr=0.1",)),
        ("at_chance", {**CHANCE, "n_steps": 200, "n_epochs": 100}, "50.0%", ("trainer.max_epochs=1000",)),
        ("at_chance", CHANCE, "50.0%", ("model.net.hidden=[32,32]",)),
        (
            "at_chance",
            {"train_score": 0.5, "val_score": 0.5, "balanced_accuracy": 0.5, "activation_is_a_key": False},
            "50.0%",
            ("model=mlp",),
        ),
        ("too_slow", SLOW, "1,000 steps moved the weights by 3e-05", ("optimizer.lr=0.01",)),
        ("too_slow", {**SLOW, "moved": 1e-9}, "optimizer.lr=1e-06 hardly moves anything", ("optimizer.lr=0.1",)),
        ("too_slow", {**SLOW, "lr": 0.2}, "optimizer.lr=0.2", ("optimizer.lr=2",)),
        (
            "overfitting",
            {"val_score": 0.8},
            "98.0% on the training points and 80.0%",
            ("callbacks=early_stopping", "optimizer.weight_decay=0.01"),
        ),
        (
            "overfitting",
            {**REGRESSION, "val_score": 0.7, "weight_decay": 0.02},
            "0.1 in training and 0.7 on validation",
            ("callbacks=early_stopping", "optimizer.weight_decay=0.2"),
        ),
        ("overfitting", {"val_score": 0.8, "weight_decay": None}, "by heart", ("callbacks=early_stopping",)),
        (
            "worse_than_mean",
            LARGE,
            "mean absolute error is 4.9e+09 in training, worse than answering the mean of the training part: the "
            "target's mean is 5e+09, its spread 1e+09, and it goes in as it is; a column of (target - 5e+09) / 1e+09",
            ("optimizer=adam", "optimizer.lr=170", "trainer.max_epochs=2000"),
        ),
        # also while its loss is falling
        (
            "worse_than_mean",
            {**LARGE, "tenths": (0.5, 0.4), "n_epochs": 3000},
            "5e+09",
            ("optimizer=adam", "optimizer.lr=170", "trainer.max_epochs=6000"),
        ),
        ("worse_than_mean", {**LARGE, "target_std": 1e-6, "target_mean": 0.0}, "no key does that", ()),
        ("squashed", {"squashed": "sigmoid"}, "ends in a sigmoid, but loss and metrics take logits", ("model=mlp",)),
        ("squashed", {"squashed": "softmax", "val_score": 0.5}, "leave the softmax out", ("model=mlp",)),
        (
            "still_falling",
            FALLING,
            "from 0.5 to 0.4, 20% less, in the last tenth of 1,000 epochs",
            ("trainer.max_epochs=2000",),
        ),
        (
            "still_falling",
            {**REGRESSION, **FALLING, "train_score": 0.5, "val_score": 0.5},
            "from 0.5 to 0.4",
            ("trainer.max_epochs=2000",),
        ),
    ],
)
def test_each_asks_for_its_own_change(kind: str, changes: dict[str, Any], seen: str, tried: tuple[str, ...]) -> None:
    (hint,) = hints(replace(FINE, **changes))
    assert hint.kind == kind
    assert seen in hint.seen
    assert hint.changes == tried


@pytest.mark.parametrize(
    "changes",
    [
        {},
        # worse than at the beginning, but no worse than the noise of a batch
        {"last_loss": 1.3},
        {"relus": (ReluLayer("a", 10, 16), ReluLayer("b", 9, 16))},
        {"relus": ()},
        # a linear network that is good enough, and one that could be but has not learnt long enough
        {**LINEAR, "train_score": 0.98, "val_score": 0.97, "line_accuracy": 0.97},
        {**LINEAR, "line_accuracy": 0.9},
        # two classes, of which one is rare: 0.9 is what guessing gets, and 0.94 is better
        {**LINEAR, "guessing": 0.9, "train_score": 0.94, "val_score": 0.94, "line_accuracy": 0.94},
        # at chance, but not linear
        {"train_score": 0.5, "val_score": 0.5},
        # hardly a step, and one that stands still since it has arrived
        {**SLOW, "n_steps": 50},
        {"moved": 0.003, "last_loss": 0.3},
        # ten of a hundred points are noise where there are twenty
        {"val_score": 0.8, "n_val": 20},
        {"val_score": None},
        {**REGRESSION, "val_score": 0.25},
        # no worse than the mean, hardly a step, and nothing to be told apart
        {**LARGE, "train_score": 9e8, "val_score": 9e8},
        {**LARGE, "n_steps": 50, "val_score": 4.9e9},
        {**LARGE, "target_std": 0.0, "val_score": 4.9e9},
        # what falls no more, or too little, or from nothing; and what is all right while it falls
        {**FALLING, "tenths": (0.5, 0.49)},
        {**FALLING, "tenths": (0.4, 0.5)},
        {**FALLING, "tenths": (0.0, 0.0)},
        {**FALLING, "train_score": 0.98, "val_score": 0.97},
        {**REGRESSION, "tenths": (0.5, 0.4), "val_score": 0.1},
    ],
)
def test_what_is_fine_is_passed_over_in_silence(changes: dict[str, Any]) -> None:
    assert hints(replace(FINE, **changes)) == []


def test_a_linear_network_that_has_arrived_is_not_called_slow() -> None:
    assert [hint.kind for hint in hints(replace(FINE, **LINEAR, n_steps=1001))] == ["linear_at_chance"]
    assert [hint.kind for hint in hints(replace(FINE, **{**LINEAR, "moved": 1e-4}))] == ["linear_at_chance"]


@pytest.mark.parametrize(
    ("overrides", "changes", "expected"),
    [
        ([], ["optimizer.lr=0.1"], "optimizer.lr=0.1"),
        (["model=mlp", "optimizer.lr=1", "seed=3"], ["optimizer.lr=0.1"], "model=mlp seed=3 optimizer.lr=0.1"),
        (["+optimizer.lr=1", "callbacks=none"], ["optimizer.lr=2", "callbacks=a"], "optimizer.lr=2 callbacks=a"),
        (["optimizer=sgd", "optimizer.momentum=0.9"], ["optimizer=adam"], "optimizer=adam"),
        (["model.net.hidden=[8, 8]"], ["model=mlp"], "'model.net.hidden=[8, 8]' model=mlp"),
    ],
)
def test_the_command_is_the_runs_own_with_some_values_changed(
    overrides: list[str], changes: list[str], expected: str
) -> None:
    line = command(overrides, changes)
    assert line == f"python -m src.train {expected}"
    assert len(shlex.split(line)) == 3 + len(shlex.split(expected))


def test_a_record_holds_the_kind_what_was_seen_and_what_to_try() -> None:
    (hint,) = hints(replace(FINE, val_score=0.7))
    assert as_record(hint, ["seed=1"]) == {
        "kind": "overfitting",
        "seen": hint.seen,
        "try": "python -m src.train seed=1 callbacks=early_stopping optimizer.weight_decay=0.01",
    }


CFG = OmegaConf.create({"optimizer": {"lr": 3.0}, "suggested": {"lr": 0.1}})
LOST = NonFiniteLossError("train/loss is nan at epoch 3; last finite value: 7.1 at epoch 2. Try a smaller optimizer.lr")


def test_a_loss_that_is_not_finite_asks_for_smaller_steps() -> None:
    (hint,) = of_error(LOST, CFG)
    assert hint.kind == "not_finite"
    assert hint.seen == "train/loss is nan at epoch 3; last finite value: 7.1 at epoch 2"
    assert hint.changes == ("optimizer.lr=0.1",)
    (hint,) = of_error(LOST, OmegaConf.create({"optimizer": {}, "suggested": {"lr": 0.1}}))
    assert hint.changes == ("task.gradient_clip_val=1",)


SINGLE = ValueError("Expected more than 1 value per channel when training, got input size torch.Size([1, 10])")


@pytest.mark.parametrize(
    ("data", "seen", "tried"),
    [
        ({"batch_size": 64, "drop_last": False}, "the last batch of an epoch", "data.drop_last=true"),
        ({"batch_size": 64}, "one sample", "data.batch_size=65"),
        ({"batch_size": 1, "drop_last": False}, "one sample", "data.batch_size=2"),
        ({"batch_size": None, "drop_last": False}, "one sample", "data.batch_size=null"),
    ],
)
def test_a_batch_of_one_sample_that_cannot_be_normalised_asks_for_another_size(
    data: dict[str, Any], seen: str, tried: str
) -> None:
    (hint,) = of_error(SINGLE, OmegaConf.create({"data": data}))
    assert hint.kind == "single_sample"
    assert seen in hint.seen
    assert hint.changes == (tried,)


@pytest.mark.parametrize("error", [ConfigError("a typo"), SystemExit(1), ZeroDivisionError()])
def test_other_errors_speak_for_themselves(error: BaseException) -> None:
    assert of_error(error, CFG) == []


@pytest.mark.parametrize(
    "changes",
    [
        # classes that are told apart, though guessing is right more often
        {**RARE, "train_score": 0.9, "val_score": 0.9, "balanced_accuracy": 0.9},
        {**RARE, "n_classes": 0, "balanced_accuracy": None},
        {**RARE, "n_steps": 20},
    ],
)
def test_what_tells_classes_apart_or_has_hardly_begun_is_not_at_chance(changes: dict[str, Any]) -> None:
    assert hints(replace(FINE, **changes)) == []


def test_equal_classes_are_given_time_where_the_loss_is_falling() -> None:
    changes = {**FALLING, "train_score": 0.5, "val_score": 0.5, "balanced_accuracy": 0.5}
    assert [hint.kind for hint in hints(replace(FINE, **changes))] == ["still_falling"]
