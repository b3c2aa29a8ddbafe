"""Nothing of OmegaConf is in what a configuration makes, nor in its checkpoints."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf.base import Node
from torch import Tensor

from src.build import build
from src.config.compose import compose_train
from tests.tasks.runs import QUIET, fit, small

PLAIN = {dict, OrderedDict, Counter, list, tuple, set, str, int, float, bool, type(None), Tensor}

RUNS = [
    ("optimizer=adam", "scheduler=step"),
    ("optimizer=adamw", "scheduler=cosine"),
    ("optimizer=rmsprop", "scheduler=plateau"),
    ("optimizer=sgd", "scheduler=warmup_cosine"),
    ("optimizer=lbfgs", "scheduler=none"),
    ("optimizer=adam", "optimizer._target_=torch.optim.NAdam", "optimizer.betas=[0.8,0.99]"),
    (
        "scheduler=step",
        "~scheduler.step_size",
        "scheduler._target_=torch.optim.lr_scheduler.MultiStepLR",
        "+scheduler.milestones=[1,2]",
    ),
    # loggers, and callbacks that keep something
    (
        "logger=default",
        "+callbacks.rate={_target_: lightning.pytorch.callbacks.LearningRateMonitor, logging_interval: epoch}",
        "+callbacks.ema={_target_: lightning.pytorch.callbacks.EMAWeightAveraging, decay: 0.9}",
        "+callbacks.kept={_target_: lightning.pytorch.callbacks.ModelCheckpoint, save_top_k: -1, filename: '{epoch}'}",
    ),
    (
        "logger=csv",
        "+callbacks.grow={_target_: lightning.pytorch.callbacks.GradientAccumulationScheduler, scheduling: {1: 2}}",
        "+callbacks.early={_target_: lightning.pytorch.callbacks.EarlyStopping, monitor: val/loss}",
    ),
    ("data=iris", "loss.class_weights=balanced", "features=polynomial", "model.net.norm=batch"),
]


def inside(found: Any, where: str, seen: dict[int, Any]) -> Iterator[tuple[str, Any]]:
    """Everything that is reached through containers, partial functions and objects of this project and libraries."""
    if id(found) in seen:
        return
    seen[id(found)] = found
    yield where, found
    parts: dict[Any, Any] = {}
    if isinstance(found, dict):
        parts = found
    elif isinstance(found, (list, tuple, set, frozenset)):
        parts = dict(enumerate(found))
    elif type(found).__module__.split(".")[0] in ("src", "torch", "lightning", "functools"):
        parts = {**getattr(found, "__dict__", {})}
        parts |= {name: getattr(found, name) for name in ("func", "args", "keywords") if hasattr(found, name)}
    for name, part in parts.items():
        yield from inside(part, f"{where}.{name}", seen)


@pytest.mark.parametrize("choices", RUNS, ids=lambda choices: choices[-1].split(",")[0])
def test_what_is_made_and_its_checkpoints_hold_plain_values(choices: tuple[str, ...], tmp_path: Path) -> None:
    fixed = (*QUIET, "callbacks=checkpoint", "data=blobs", "model=mlp", "trainer.max_epochs=3")
    given = {line.partition("=")[0]: line for line in (*fixed, *choices)}
    built = fit(compose_train(list(given.values()), run_dir=tmp_path))
    for name, part in (("task", built.task), ("data", built.datamodule), ("trainer", built.trainer)):
        assert [where for where, each in inside(part, name, {}) if isinstance(each, Node)] == []
    checkpoints = sorted(tmp_path.rglob("*.ckpt"))
    assert checkpoints
    for path in checkpoints:
        state = torch.load(path, weights_only=True)
        assert {where: type(each) for where, each in inside(state, "", {}) if type(each) not in PLAIN} == {}


def test_what_is_handed_over_stays_what_it_is(tmp_path: Path) -> None:
    built = build(small("data=blobs", "model=mlp", run_dir=tmp_path))
    assert built.task.spec == built.datamodule.spec
    assert type(built.task.spec) is type(built.datamodule.spec)
