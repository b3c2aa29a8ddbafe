"""Schedulers that are made of others, against those that are put together by hand."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import nn
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LinearLR,
    LRScheduler,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from src.build import build
from src.config.errors import ConfigError
from src.tasks.schedulers import chained, sequential, warmup_cosine
from src.tasks.training.network import OneNetwork
from src.train import train
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.tasks.by_hand import rows_of
from tests.tasks.runs import small
from tests.tasks.test_resuming import identical, states
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, result_of, train_alone

N_EPOCHS = 12
SHORT = (
    "data.n_samples=50",
    "data.n_val=30",
    "data.batch_size=16",
    "logger=csv",
    f"trainer.max_epochs={N_EPOCHS}",
    "task.log_every_n_epochs=1",
)
MODULE = "torch.optim.lr_scheduler"
LINEAR = {"_target_": f"{MODULE}.LinearLR", "_partial_": True, "start_factor": 0.25, "total_iters": 4}
EXPONENTIAL = {"_target_": f"{MODULE}.ExponentialLR", "_partial_": True, "gamma": 0.8}
STEP = {"_target_": f"{MODULE}.StepLR", "_partial_": True, "step_size": 2, "gamma": 0.5}
COMPOSED: dict[str, dict[str, Any]] = {
    "sequential": {"schedulers": [LINEAR, EXPONENTIAL, STEP], "milestones": [4, 7]},
    "chained": {"schedulers": [LINEAR, EXPONENTIAL]},
}


def rates(make: Callable[[Optimizer], LRScheduler], *, lr: float, n: int = N_EPOCHS) -> list[float]:
    optimizer = SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = make(optimizer)
    found = []
    for _ in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def warmup_cosine_by_hand(optimizer: Optimizer) -> LRScheduler:
    up = LinearLR(optimizer, start_factor=0.2, total_iters=3)
    return SequentialLR(optimizer, [up, CosineAnnealingLR(optimizer, T_max=9, eta_min=0.01)], milestones=[3])


def sequential_by_hand(optimizer: Optimizer) -> LRScheduler:
    parts: list[LRScheduler] = [
        LinearLR(optimizer, start_factor=0.25, total_iters=4),
        ExponentialLR(optimizer, gamma=0.8),
        StepLR(optimizer, step_size=2, gamma=0.5),
    ]
    return SequentialLR(optimizer, parts, milestones=[4, 7])


def chained_by_hand(optimizer: Optimizer) -> LRScheduler:
    return ChainedScheduler(
        [LinearLR(optimizer, start_factor=0.25, total_iters=4), ExponentialLR(optimizer, gamma=0.8)]
    )


BY_HAND: dict[str, Callable[[Optimizer], LRScheduler]] = {
    "warmup_cosine": warmup_cosine_by_hand,
    "sequential": sequential_by_hand,
    "chained": chained_by_hand,
}


def config(name: str, *overrides: str, run_dir: Path) -> DictConfig:
    """A run with one of these schedulers."""
    if name == "warmup_cosine":
        own = ("scheduler.warmup_epochs=3", "scheduler.start_factor=0.2", "scheduler.eta_min=0.01")
        return small(*SHORT, "scheduler=warmup_cosine", *own, *overrides, run_dir=run_dir)
    cfg = small(*SHORT, *overrides, run_dir=run_dir)
    cfg.scheduler = composed(name)
    return cfg


def composed(name: str) -> DictConfig:
    return OmegaConf.create({"_target_": f"src.tasks.schedulers.{name}", "_partial_": True, **COMPOSED[name]})


@pytest.mark.parametrize("name", BY_HAND)
def test_the_rates_of_a_run_are_those_by_hand(name: str, tmp_path: Path) -> None:
    train(config(name, "optimizer.lr=0.4", run_dir=tmp_path))
    expected = rates(BY_HAND[name], lr=0.4)
    assert len(set(expected)) > 4
    assert [row["lr"] for row in rows_of(tmp_path).values()] == [pytest.approx(rate, rel=1e-12) for rate in expected]


def test_warming_up_goes_up_in_a_line_and_the_cosine_takes_the_rest() -> None:
    make = partial(warmup_cosine, warmup_epochs=4, max_epochs=12, start_factor=0.2, eta_min=0.0)
    found = rates(make, lr=1.0, n=13)
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    # half way down in the middle of the rest, and at the bottom after the last epoch
    assert [found[8], found[12]] == pytest.approx([0.5, 0.0], abs=1e-12)


@pytest.mark.parametrize("max_epochs", [1, 2, 3, 4])
def test_a_run_that_ends_while_it_warms_up_never_sees_the_cosine(max_epochs: int, tmp_path: Path) -> None:
    train(config("warmup_cosine", f"trainer.max_epochs={max_epochs}", "optimizer.lr=1", run_dir=tmp_path))
    assert [row["lr"] for row in rows_of(tmp_path).values()] == pytest.approx(
        [0.2, 0.2 + 0.8 / 3, 0.2 + 1.6 / 3, 1.0][:max_epochs]
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_HAND)
def test_an_interrupted_run_goes_on_to_the_same_bits(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(config(name, run_dir=tmp_path / "whole"))
    start_epoch = OneNetwork.start_epoch
    for at in (2, 4, 9):

        def interrupt(self: OneNetwork, epoch: int, at: int = at) -> None:
            if epoch == at:
                raise KeyboardInterrupt
            start_epoch(self, epoch)

        monkeypatch.setattr(OneNetwork, "start_epoch", interrupt)
        cfg = config(name, "callbacks.checkpoint.every_s=0", run_dir=tmp_path / "often")
        with pytest.raises(KeyboardInterrupt):
            train(cfg)
    monkeypatch.setattr(OneNetwork, "start_epoch", start_epoch)
    train(cfg)
    for mine, whole in zip(states(tmp_path / "often"), states(tmp_path / "whole"), strict=True):
        for key in ("state_dict", "optimizer_states", "epoch", "global_step"):
            assert identical(mine[key], whole[key]), key
    assert identical(*(states(tmp_path / run)[0]["lr_schedulers"] for run in ("often", "whole")))
    assert rows_of(tmp_path / "often") == rows_of(tmp_path / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_HAND)
def test_stacked_models_take_the_rates_of_their_single_runs(name: str, tmp_path: Path) -> None:
    jobs = make_jobs([*SHORT, "scheduler=warmup_cosine"], [("seed=1",), ("optimizer.lr=0.3",)], tmp_path / "together")
    if name != "warmup_cosine":
        for job in jobs:
            job.cfg.scheduler = composed(name)
    (stack,) = plan(jobs).stacks
    train_stack(stack.jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        alone = tmp_path / "alone" / str(job.number)
        assert_near(rows_of(job.run_dir), rows_of(alone), atol=1e-5)
        assert_near(result_of(job.run_dir)["metrics"], result_of(alone)["metrics"], atol=1e-5)
        found, expected = (checkpoint_of(path, "last")["lr_schedulers"] for path in (job.run_dir, alone))
        assert_near(found, expected, atol=0)


def test_numbers_of_a_scheduler_and_schedulers_may_differ_in_a_stack(tmp_path: Path) -> None:
    each = [("scheduler.warmup_epochs=2",), ("scheduler.warmup_epochs=5", "scheduler.eta_min=0.01"), ("seed=3",)]
    jobs = make_jobs([*SHORT, "scheduler=warmup_cosine"], each, tmp_path)
    jobs[2].cfg.scheduler = composed("chained")
    assert [[job.number for job in stack.jobs] for stack in plan(jobs).stacks] == [[0, 1, 2]]


def plateau(optimizer: Optimizer) -> ReduceLROnPlateau:
    return ReduceLROnPlateau(optimizer)


class Own(LRScheduler):
    def get_lr(self) -> list[float | torch.Tensor]:
        return [group["lr"] for group in self.optimizer.param_groups]


def own(optimizer: Optimizer) -> LRScheduler:
    return Own(optimizer)


CYCLE = {"_target_": f"{MODULE}.OneCycleLR", "_partial_": True, "max_lr": 1.0, "total_steps": 50}


@pytest.mark.parametrize(
    "node",
    [
        {"_target_": "src.tasks.schedulers.chained", "schedulers": [CYCLE, EXPONENTIAL]},
        {"_target_": "src.tasks.schedulers.sequential", "schedulers": [LINEAR, CYCLE], "milestones": [3]},
        {"_target_": f"{__name__}.plateau"},
        {"_target_": f"{__name__}.own"},
        {"_target_": f"{__name__}.Own"},
    ],
    ids=["chained cycle", "sequential cycle", "plateau", "own", "own class"],
)
def test_what_may_change_more_than_the_rate_runs_by_itself(node: dict[str, Any], tmp_path: Path) -> None:
    jobs = make_jobs([*SHORT, "optimizer.momentum=0.9"], [("seed=1",), ("seed=2",)], tmp_path)
    for job in jobs:
        job.cfg.scheduler = OmegaConf.create({**node, "_partial_": True})
    found = plan(jobs)
    assert not found.stacks
    assert [reason for _, reason in found.single] == [f"{node['_target_']} may change more than the learning rate"] * 2


PLATEAU = {"_target_": f"{MODULE}.ReduceLROnPlateau", "_partial_": True}


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("sequential", {"milestones": [7, 4]}, r"milestones must be epochs that rise from 1 on, got \[7, 4\]"),
        ("sequential", {"milestones": [0, 4]}, r"milestones must be epochs that rise from 1 on, got \[0, 4\]"),
        ("sequential", {"milestones": [4]}, r"^scheduler: .*one more than the number of milestone points"),
        ("sequential", {"schedulers": [LINEAR, PLATEAU], "milestones": [4]}, r"not support `ReduceLROnPlateau`"),
        ("chained", {"schedulers": [LINEAR, PLATEAU]}, r"not support `ReduceLROnPlateau`"),
        ("chained", {"schedulers": []}, r"^scheduler: .*at least one scheduler"),
        ("chained", {"schedulers": [LINEAR, composed("sequential")]}, r"holds a SequentialLR, which can only stand"),
        (
            "sequential",
            {"schedulers": [LINEAR, composed("chained")], "milestones": [4]},
            r"holds a ChainedScheduler, which can only stand alone",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(name: str, changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    cfg = config(name, run_dir=tmp_path)
    cfg.scheduler = OmegaConf.merge(composed(name), changes)
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        build(cfg)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("scheduler.warmup_epochs=0", r"^scheduler\.warmup_epochs .*: got 0; allowed: a whole number of at least 1"),
        ("scheduler.warmup_epochs=1.5", r"^scheduler\.warmup_epochs .*: got 1\.5; allowed: a whole number"),
        ("scheduler.max_epochs=null", r"^scheduler\.max_epochs .*: got None; allowed: a whole number"),
        ("scheduler.start_factor=0", r"^scheduler\.start_factor .*: got 0; allowed: a number greater than 0 and of"),
        ("trainer.max_epochs=-1", r"^trainer\.max_epochs .*: got -1"),
    ],
)
def test_numbers_out_of_their_range_are_refused(override: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        build(config("warmup_cosine", override, run_dir=tmp_path))


def test_a_single_part_needs_no_milestone() -> None:
    parts = [partial(ConstantLR, factor=0.5, total_iters=2)]
    expected = [0.5, 0.5, 1.0]
    assert rates(partial(sequential, schedulers=parts, milestones=[]), lr=1.0, n=3) == expected
    assert rates(partial(chained, schedulers=parts), lr=1.0, n=3) == expected
