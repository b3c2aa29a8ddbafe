"""Every option can be built, and a value out of its range is refused with its key."""

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn

from src.build import Built, build, build_optimizer
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.data.base import InMemoryDataModule
from src.tasks.base import Task
from tests.shipped import DATA_OF, shipped, stored
from tests.slow import slow
from tests.tasks.runs import circle_v2, linears, small, weights


def data_for_model(option: str) -> str:
    return DATA_OF[stored("model", option).task or "binary"]


def data_for_loss(option: str) -> str:
    return {"bce": "circles", "cross_entropy": "blobs"}.get(option, "line")


def fresh_weights(net: nn.Module) -> bool:
    return all(torch.isfinite(p).all() for p in net.parameters())


def test_an_optimiser_gets_plain_lists(tmp_path: Path) -> None:
    cfg = small(run_dir=tmp_path)
    cfg.optimizer = {"_target_": "torch.optim.nadam.NAdam", "_partial_": True, "lr": 0.1, "betas": [0.5, 0.9]}
    make, _ = build_optimizer(cfg)
    # NAdam keeps what it is given, and a checkpoint may hold no classes of OmegaConf's
    assert type(make([nn.Parameter(torch.zeros(1))]).param_groups[0]["betas"]) is list


# Every option that a run can choose


def choices() -> Iterator[tuple[str, ...]]:
    for option in shipped("data"):
        # a table of one's own needs a file: tests/test_tables.py
        if option != "table":
            yield (f"data={option}", "model=mlp")
    for option in shipped("model"):
        yield (f"data={data_for_model(option)}", f"model={option}")
    for option in shipped("loss"):
        yield (f"data={data_for_loss(option)}", f"loss={option}", "model=mlp")
    for task, data in DATA_OF.items():
        yield (f"data={data}", f"task={task}", "model=mlp")
    for group in ("optimizer", "scheduler"):
        for option in shipped(group):
            yield (f"{group}={option}",)


def more_choices() -> Iterator[tuple[str, ...]]:
    elsewhere = {"logger": ("wandb", "mlflow"), "trainer": ("gpu", "mps")}
    for group in ("callbacks", "debug", "logger", "trainer", "experiment"):
        for option in shipped(group):
            if option not in elsewhere.get(group, ()):
                # one that sweeps over folds leaves open which
                yield (f"{group}={option}", *(("data.fold=0",) if option == "cross_validation" else ()))


@pytest.mark.parametrize("overrides", [*choices(), *slow(*((case,) for case in more_choices()))], ids=" ".join)
def test_every_option_composes_and_builds(overrides: tuple[str, ...], tmp_path: Path) -> None:
    cfg = small(*overrides, run_dir=tmp_path)
    built = build(cfg)
    assert isinstance(built.task, Task)
    assert isinstance(built.datamodule, InMemoryDataModule)
    assert built.task.task_name == built.datamodule.spec.task
    assert fresh_weights(built.task.net)
    out = built.task(built.datamodule.parts.train.x[:3])
    assert out.shape == (3, built.datamodule.spec.n_outputs)
    assert built.loggers == built.trainer.loggers or cfg.trainer.get("fast_dev_run")
    assert built.trainer.default_root_dir == str(tmp_path)
    # nothing is written before training
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("option", ["wandb", "mlflow"])
def test_a_logger_that_is_not_installed_is_refused_with_what_to_install(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == option else find_spec(name))
    message = rf"logger={option} needs the package {option}: pip install -e \.\[{option}\]"
    with pytest.raises(ConfigError, match=message):
        compose_train([f"logger={option}"], run_dir=tmp_path)


# Values out of their range


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=-0.1", r"^optimizer\.lr .*: got -0\.1; allowed: a number greater than 0"),
        ("optimizer.momentum=-1", r"^optimizer\.momentum .*: got -1; allowed: a number of at least 0"),
        ("optimizer.nesterov=true", r"^optimizer: .*optimizer\.nesterov=True"),
        ("model.net.hidden=[0]", r"^model\.net\.hidden .*: got \[0\]; allowed: a list of whole numbers from 1"),
        ("model.net.hidden=3", r"^model\.net\.hidden .*: got 3; .*; write model\.net\.hidden=\[3\]"),
        ("model.net.activation=swish", r"^model\.net\.activation .*: got 'swish'; allowed: identity, relu"),
        ("data.noise=-1", r"^data\.noise .*: got -1; allowed: a number of at least 0"),
        ("data.noise=much", r"^data\.noise .*: got 'much'; allowed: a number of at least 0"),
        ("data.batch_size=0", r"^data\.batch_size .*: got 0; allowed: null or a whole number of at least 1"),
        ("task.gradient_clip_val=0", r"^task\.gradient_clip_val .*: got 0; allowed: null or a number greater than 0"),
        ("task.log_every_n_epochs=0", r"^task\.log_every_n_epochs .*: got 0; allowed: null or a whole number of at"),
        ("task.eval_every_n_epochs=0", r"^task\.eval_every_n_epochs .*: got 0; allowed: null or a whole number of"),
        ("callbacks.checkpoint.mode=up", r"^callbacks\.checkpoint\.mode .*: got 'up'; allowed: null or min or max"),
        ("trainer.max_epochs=-7", r"^trainer\.max_epochs .*: got -7; allowed: null or a whole number from 1"),
        ("trainer.precision=11", r"^trainer\.precision .*: got 11; allowed: null or 64, 32"),
    ],
)
def test_a_value_out_of_its_range_is_refused_with_its_key(override: str, message: str, tmp_path: Path) -> None:
    activation = ["model=mlp"] if override.startswith("model") else []
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        build(small(*activation, override, run_dir=tmp_path))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ("scheduler=plateau", "scheduler.factor=2"),
            r"^scheduler\.factor .*: got 2; allowed: a number of at least 0 and below 1",
        ),
        (("scheduler=plateau", "task.eval_every_n_epochs=0"), r"^task\.eval_every_n_epochs .*: got 0"),
    ],
)
def test_a_scheduler_out_of_its_range_is_refused(overrides: tuple[str, ...], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        build(small(*overrides, run_dir=tmp_path))


# Seeds


@pytest.mark.parametrize("seed", [0, 1, 42, 2**32 - 1])
def test_a_seed_gives_the_weights_that_it_gives_in_plain_pytorch(seed: int, tmp_path: Path) -> None:
    built = build(small(f"seed={seed}", run_dir=tmp_path))
    expected = weights(circle_v2(seed))
    assert all(torch.equal(a, b) for a, b in zip(weights(built.task.net), expected, strict=True))


@pytest.mark.parametrize("overrides", [("optimizer=adam", "scheduler=cosine"), ("callbacks=default", "logger=default")])
def test_weights_depend_on_nothing_but_the_seed(overrides: tuple[str, ...], tmp_path: Path) -> None:
    built = build(small(*overrides, run_dir=tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(weights(built.task.net), weights(circle_v2()), strict=True))


def test_sizes_that_a_network_leaves_open_come_from_the_data(tmp_path: Path) -> None:
    overrides = ["data=blobs", "model=mlp", "data.n_features=5", "data.centers=7", "model.net.hidden=[3]"]
    built = build(small(*overrides, run_dir=tmp_path))
    expected = [p for layer in linears(5, 3, 7, seed=42) for p in layer.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(built.task.net.parameters(), expected, strict=True))


def test_all_generators_are_seeded_and_building_takes_only_weights(tmp_path: Path) -> None:
    cfg = small("seed=5", run_dir=tmp_path)
    build(cfg).datamodule.make_parts()
    numbers = torch.rand(3), np.random.rand(3), random.random()
    circle_v2(5)
    assert torch.equal(numbers[0], torch.rand(3))
    assert np.array_equal(numbers[1], np.random.RandomState(5).rand(3))
    assert numbers[2] == random.Random(5).random()


def test_training_takes_nothing_from_the_global_generator(tmp_path: Path) -> None:
    cfg = small("data.n_samples=50", "data.batch_size=16", "trainer.max_epochs=2", run_dir=tmp_path)
    built = build(cfg)
    before = torch.get_rng_state()
    built.fit()
    assert torch.equal(before, torch.get_rng_state())


# What a run is made of


def names(things: list[Any]) -> set[str]:
    return {type(thing).__name__ for thing in things}


def callbacks(built: Built) -> set[str]:
    found: list[pl.Callback] = built.trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
    return names(found)


def test_a_run_records_what_is_listed_and_nothing_else(tmp_path: Path) -> None:
    bare = build(small(run_dir=tmp_path))
    assert callbacks(bare) == {"BestAndLast"}
    assert bare.trainer.loggers == []
    full = build(small("callbacks=default", "logger=default", run_dir=tmp_path))
    shown = {"FinalPictures", "Frames", "PrecisionRecallCurves", "ModelGraph", "Hints", "Pruning"}
    assert callbacks(full) == {"BestAndLast", "EpochBar", "RichModelSummary", *shown}
    assert names(full.trainer.loggers) == {"MetricsCSV", "TensorBoardLogger"}


def test_evaluation_records_nothing(tmp_path: Path) -> None:
    built = build(small("callbacks=default", "logger=default", run_dir=tmp_path), evaluate_only=True)
    assert callbacks(built) == set()
    assert built.trainer.loggers == built.loggers == []


# importing TorchDynamo makes PyTorch call what it has deprecated itself
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")
@pytest.mark.slow
def test_compiling_keeps_the_names_of_the_weights(tmp_path: Path) -> None:
    compiled = build(small("compile=true", run_dir=tmp_path))
    assert compiled.task.net._compiled_call_impl is not None
    assert compiled.task.state_dict().keys() == build(small(run_dir=tmp_path)).task.state_dict().keys()


@pytest.mark.parametrize(
    ("limit", "batch_size", "expected"), [("0.5", "100", 4), ("0.01", "100", 1), ("0.5", "null", 1), ("3", "100", 3)]
)
def test_a_share_of_the_batches_becomes_their_number(
    limit: str, batch_size: str, expected: int, tmp_path: Path
) -> None:
    overrides = [f"trainer.limit_train_batches={limit}", f"data.batch_size={batch_size}"]
    built = build(small(*overrides, run_dir=tmp_path))
    assert built.trainer.limit_train_batches == expected


@pytest.mark.parametrize("limit", [None, "1.0"])
def test_all_batches_stay_all(limit: str | None, tmp_path: Path) -> None:
    overrides = [f"trainer.limit_train_batches={limit}"] if limit else []
    assert build(small(*overrides, run_dir=tmp_path)).trainer.limit_train_batches == 1.0


# What callbacks watch


@pytest.mark.parametrize(
    ("given", "mode", "warns"),
    [
        (("monitor=val/accuracy",), "max", 0),
        (("monitor=val/loss",), "min", 0),
        (("monitor=val/accuracy", "mode=min"), "min", 1),
        (("monitor=val/accuracy", "mode=max"), "max", 0),
    ],
)
def test_early_stopping_takes_the_better_end_from_the_name(
    given: tuple[str, ...], mode: str, warns: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [f"callbacks.early_stopping.{line}" for line in given]
    cfg = compose_train(["logger=none", "callbacks=early_stopping", *lines], run_dir=tmp_path)
    callbacks: list[Any] = build(cfg).trainer.callbacks  # type: ignore[attr-defined]  # Lightning leaves it untyped
    (stopping,) = [each for each in callbacks if isinstance(each, EarlyStopping)]
    assert stopping.mode == mode
    assert caplog.text.count("takes the worse end") == warns
