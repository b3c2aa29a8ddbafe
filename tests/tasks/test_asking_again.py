"""Optimisers whose step computes the loss of its batch as often as it likes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.optim import LBFGS, Optimizer

from src.build import build
from src.callbacks.hints import Hints
from src.data.base import Batches
from src.tasks.training.network import OneNetwork, asks_again
from src.train import train
from src.vmap.planning.plan import plan
from tests.shipped import shipped, stored
from tests.tasks.by_hand import rows_of
from tests.tasks.runs import circle_v2, close, fit, small, weights
from tests.tasks.test_resuming import identical, states
from tests.vmap.stacked_jobs import make_jobs

SMALL = ("data.n_samples=50", "data.n_val=30", "trainer.max_epochs=4", "logger=csv", "task.log_every_n_epochs=1")


class Twice(Optimizer):
    """Half a step, and then another one from there."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor]) -> Tensor:  # type: ignore[override]
        for _ in range(2):
            with torch.enable_grad():
                loss = closure()
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter -= group["lr"] / 2 * parameter.grad
        return loss


class ByDefault(Twice):
    """The same in the form of PyTorch's own, which may be called without a closure."""

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor:  # type: ignore[override]
        assert closure is not None
        value = super().step(closure)
        assert value.ndim == 0
        return value


def by_hand(built: Any, optimizer: Callable[..., Optimizer], *, clip: float | None) -> tuple[nn.Module, list[float]]:
    """Trained network and training loss of each epoch."""
    data, net, losses = built.datamodule, circle_v2(), []
    optim, train = optimizer(net.parameters()), data.parts.train
    batches = Batches(train, batch_size=data.batch_size, seed=data.batch_seed)
    for epoch in range(4):
        batches.set_epoch(epoch)
        epoch_losses = []
        for x, y, share, _ in batches:

            def loss_of(x: Tensor, y: Tensor) -> Tensor:
                optim.zero_grad()
                loss = nn.functional.binary_cross_entropy_with_logits(net(x)[:, 0], y.float())
                loss.backward()  # type: ignore[no-untyped-call]
                if clip is not None:
                    nn.utils.clip_grad_norm_(net.parameters(), clip)
                return loss

            closure: Any = partial(loss_of, x, y)
            epoch_losses.append(closure().item() * share)
            optim.step(closure)
        losses.append(sum(epoch_losses))
    return net, losses


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize(
    ("node", "make"),
    [
        (
            {"_target_": "torch.optim.lbfgs.LBFGS", "lr": 1.0, "max_iter": 5, "line_search_fn": "strong_wolfe"},
            lambda params: LBFGS(params, max_iter=5, line_search_fn="strong_wolfe"),
        ),
        (
            {"_target_": "torch.optim.lbfgs.LBFGS", "lr": 0.02, "max_iter": 4},
            lambda params: LBFGS(params, lr=0.02, max_iter=4),
        ),
        ({"_target_": f"{__name__}.Twice", "lr": 0.5}, lambda params: Twice(params, lr=0.5)),
        ({"_target_": f"{__name__}.ByDefault", "lr": 0.5}, lambda params: Twice(params, lr=0.5)),
    ],
    ids=["strong_wolfe", "plain", "own", "own, by default"],
)
def test_training_is_that_of_a_loop_by_hand(
    node: dict[str, Any],
    make: Callable[..., Optimizer],
    batch_size: int | None,
    clip: float | None,
    tmp_path: Path,
) -> None:
    given = [f"data.batch_size={batch_size or 'null'}", f"task.gradient_clip_val={clip or 'null'}"]
    cfg = small(*SMALL, *given, run_dir=tmp_path)
    cfg.optimizer = OmegaConf.create({**node, "_partial_": True})
    built = fit(cfg)
    net, losses = by_hand(built, make, clip=clip)
    assert close(weights(built.task.net), weights(net), atol=1e-4)
    assert not close(weights(net), weights(circle_v2()), atol=1e-2)
    # the loss of a row is that from before the step
    assert [row["train/loss"] for row in rows_of(tmp_path).values()] == [
        pytest.approx(loss, rel=1e-4) for loss in losses
    ]
    assert built.trainer.global_step == (12 if batch_size else 4)


def test_a_few_steps_of_lbfgs_come_further_than_those_of_sgd(tmp_path: Path) -> None:
    last = {}
    for optimizer in ("lbfgs", "sgd"):
        built = fit(small(f"optimizer={optimizer}", "trainer.max_epochs=5", run_dir=tmp_path))
        last[optimizer] = built.trainer.callback_metrics["train/loss"].item()
    assert last["lbfgs"] < 0.5 < 0.68 < last["sgd"]


def test_hints_know_its_rate(tmp_path: Path) -> None:
    slow = ("optimizer.lr=1e-7", "optimizer.line_search_fn=null", "optimizer.max_iter=1", "trainer.max_epochs=100")
    built = build(small("optimizer=lbfgs", *slow, run_dir=tmp_path))
    hints = Hints(suggested_lr=0.1)
    built.trainer.callbacks.append(hints)  # type: ignore[attr-defined]  # Lightning leaves it untyped
    built.fit()
    (hint,) = hints.found
    assert (hint.kind, "optimizer.lr=1e-07" in hint.seen) == ("too_slow", True)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = (*SMALL, "optimizer=lbfgs", "optimizer.max_iter=3", "data.batch_size=16", "trainer.max_epochs=9")
    train(small(*given, run_dir=tmp_path / "whole"))
    start_epoch = OneNetwork.start_epoch

    def interrupt(self: OneNetwork, epoch: int) -> None:
        if epoch == 5:
            raise KeyboardInterrupt
        start_epoch(self, epoch)

    monkeypatch.setattr(OneNetwork, "start_epoch", interrupt)
    cfg = small(*given, "callbacks.checkpoint.every_s=0", run_dir=tmp_path / "twice")
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    monkeypatch.setattr(OneNetwork, "start_epoch", start_epoch)
    train(cfg)
    for mine, whole in zip(states(tmp_path / "twice"), states(tmp_path / "whole"), strict=True):
        for key in ("state_dict", "optimizer_states", "epoch", "global_step"):
            assert identical(mine[key], whole[key]), key
    assert rows_of(tmp_path / "twice") == rows_of(tmp_path / "whole")


@pytest.mark.parametrize("option", shipped("optimizer"))
def test_only_those_are_asked_again_that_need_it(option: str) -> None:
    kind = get_class(stored("optimizer", option)._target_)
    optimizer = kind([nn.Parameter(torch.zeros(1))])
    assert asks_again(optimizer) == (option == "lbfgs")


def test_such_jobs_are_not_stacked(tmp_path: Path) -> None:
    found = plan(make_jobs(["optimizer=lbfgs"], [("seed=1",), ("seed=2",)], tmp_path))
    assert not found.stacks
    assert all("LBFGS asks for the loss several times in a step (closure)" in reason for _, reason in found.single)
