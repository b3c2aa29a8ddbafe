"""Optimisers that mix numbers are found, with whatever numbers and steps they do so; and jobs that show nothing."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import optim

from src.vmap.models import ModelFactory
from src.vmap.planning.plan import plan
from src.vmap.proof.prove import obstacle_of
from src.vmap.stacked.padded import Frame
from tests.vmap.stacked_jobs import make_jobs


class Even(optim.SGD):
    """Moves all numbers of a parameter by the mean of its gradient."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad.mean())


@pytest.mark.slow
def test_padding_is_tried_although_few_jobs_need_it(tmp_path: Path) -> None:
    # the most different jobs have one width
    each = [(f"seed={i}", f"optimizer.lr=0.{i}", f"data.noise=0.{i}", "model.net.hidden=[4]") for i in range(1, 5)]
    common = ["model=mlp", "model.net.activation=sigmoid", "trainer.max_epochs=5"]
    jobs = make_jobs(common, [*each, ("model.net.hidden=[6]",)], tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Frame, "padding", lambda *_: None)
        reason = obstacle_of(jobs, ModelFactory())
    assert reason is not None
    assert "in a stack and" in reason
    assert obstacle_of(jobs, ModelFactory()) is None


@pytest.mark.slow
def test_an_optimiser_that_mixes_numbers_is_not_padded(tmp_path: Path) -> None:
    each = [(f"model.net.hidden=[{width}]",) for width in (4, 5, 6)]
    jobs = make_jobs(["model=mlp", "trainer.max_epochs=5"], each, tmp_path)
    for job in jobs:
        job.cfg.optimizer = {"_target_": f"{__name__}.{Even.__name__}", "_partial_": True, "lr": 0.1}
    found = plan(jobs)
    assert not found.stacks
    assert all("does not act on every number by itself" in reason for _, reason in found.single)


class OwnSGD(torch.optim.Optimizer):
    """Its own numbers, one of which only some jobs feel."""

    def __init__(self, params: Any, lr: float, clip: float = 1e9, after: int = 0) -> None:
        super().__init__(params, {"lr": lr, "clip": clip, "after": after})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["n"] = state.get("n", 0) + 1
                norm = p.grad.norm() if state["n"] > group["after"] else torch.zeros(())
                p.add_(p.grad * (group["clip"] / (norm + 1e-6)).clamp(max=1), alpha=-group["lr"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("each", "reason"),
    [
        # clips by the norm of all numbers, in one job and at late steps alone
        (["clip=100.0", "clip=90.0", "clip=80.0", "clip=70.0", "clip=0.01"], "does not act on every number by itself"),
        (["after=40", "after=40", "after=41"], "does not act on every number by itself"),
        (["lr=0.1", "lr=0.2", "lr=0.3"], None),
    ],
)
def test_an_optimiser_is_tried_with_all_numbers_and_at_late_steps(
    each: list[str],
    reason: str | None,
    tmp_path: Path,
) -> None:
    jobs = make_jobs(["model=circle_v2", "trainer.max_epochs=60"], [("seed=1",)] * len(each), tmp_path)
    for job, own in zip(jobs, each, strict=True):
        key, value = own.split("=")
        # one that never clips is elementwise
        node = {"lr": 0.1, "clip": 1e9, "after": 1000, "_target_": f"{__name__}.OwnSGD", "_partial_": True}
        changed = {key: float(value) if key != "after" else int(value), **({"clip": 0.01} if key == "after" else {})}
        job.cfg.optimizer = {**node, **({"after": 0} if key == "clip" else {}), **changed}
    found = plan(jobs)
    assert len(found.stacks) == (reason is None), found.single
    assert all(f"OwnSGD {reason}" in each for _, each in found.single)


@pytest.mark.slow
def test_jobs_that_are_lost_at_once_prove_nothing(tmp_path: Path) -> None:
    common = ["data=line", "model=line", "logger=csv", "trainer.max_epochs=6"]
    lost = [(f"optimizer.lr=1e{n}",) for n in (28, 29, 30)]
    jobs = make_jobs(common, lost, tmp_path / "lost")
    assert all("lose their loss at once" in reason for _, reason in plan(jobs).single)
    jobs = make_jobs(common, [*lost, ("optimizer.lr=0.01",), ("optimizer.lr=0.02",)], tmp_path / "some")
    (stack,) = plan(jobs).stacks
    assert len(stack.jobs) == 5
