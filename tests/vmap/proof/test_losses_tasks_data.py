"""Losses, tasks and data of one's own: those that are stacked, and those that are not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from src.data.base import Part, Parts
from src.data.circles import CirclesDataModule
from src.tasks.binary import BinaryClassification
from src.vmap.planning.plan import plan
from tests.vmap.proof.own import EACH, assert_like_single_runs, hook, own_jobs
from tests.vmap.stacked_jobs import make_jobs


class Likelihood(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss = nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        return torch.exp(-self.log_var) * loss + 0.5 * self.log_var


class NoisyLoss(nn.Module):
    """A loss that moves its targets while it trains."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if self.training:
            targets = (targets + 0.1 * torch.rand_like(targets)).clamp(0, 1)
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)


class DrawnWeights(nn.Module):
    """A loss whose seed draws a buffer."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", 0.5 + torch.rand(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.weight * nn.functional.binary_cross_entropy_with_logits(outputs, targets)


class DrawnAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = 0.5 + float(torch.rand(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.weight * nn.functional.binary_cross_entropy_with_logits(outputs, targets)


class CountingLoss(nn.Module):
    calls = 0

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.calls += 1
        loss = nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        return loss * (1 + 1 / self.calls)


class DrawingTask(BinaryClassification):
    """Flips labels that its seed draws."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shift = 0.1 * torch.rand(())

    def targets(self, y: Tensor) -> Tensor:
        return super().targets(y) * (1 - self.shift)


class GeneratorTask(BinaryClassification):
    """Flips labels by a generator of its own, at every call."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generator = torch.Generator().manual_seed(0)

    def targets(self, y: Tensor) -> Tensor:
        flipped = torch.rand(len(y), generator=self.generator) < 0.1
        return super().targets(torch.where(flipped, 1 - y, y))


class HookingTask(BinaryClassification):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        hook(next(self.net.parameters()), torch.zeros_like)


class SplitByBatchSeed(CirclesDataModule):
    """Parts that depend on a value which orders batches in the shipped data."""

    def make_parts(self) -> Parts:
        parts = super().make_parts()
        order = torch.randperm(len(parts.train.x), generator=torch.Generator().manual_seed(self.batch_seed))
        return parts._replace(train=Part(parts.train.x[order] + 0.01 * self.batch_seed, parts.train.y[order]))


class Unsteady(CirclesDataModule):
    """Other data each time that they are made."""

    def make_parts(self) -> Parts:
        parts = super().make_parts()
        return parts._replace(train=Part(parts.train.x + float(np.random.default_rng().random()), parts.train.y))


@pytest.mark.slow
@pytest.mark.parametrize(
    "targets",
    [{"loss": Likelihood}, {"loss": NoisyLoss}, {"loss": DrawnWeights}, {"data": SplitByBatchSeed}],
    ids=lambda each: str(each),
)
def test_these_losses_and_data_are_stacked(targets: dict[str, type], tmp_path: Path) -> None:
    jobs = own_jobs(tmp_path / "together", "model=circle_v2", "data.batch_size=300", **targets)
    found = assert_like_single_runs(jobs, tmp_path / "alone")
    assert [len(stack.jobs) for stack in found.stacks] == [len(EACH)], [reason for _, reason in found.single]


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ({"loss": DrawnAttribute}, "loss.weight differs from job to job"),
        ({"loss": CountingLoss}, "loss.calls changes while it trains"),
        ({"task": DrawingTask}, "task.shift differs from job to job.*of the network or the loss"),
        ({"task": GeneratorTask}, "task.generator changes while it trains"),
        ({"task": HookingTask}, "a hook is registered on the gradient of net.layers.0.weight"),
        ({"data": Unsteady}, "its data differ each time that they are made"),
    ],
    ids=str,
)
def test_a_loss_a_task_or_data_that_would_not_be_the_same_run_by_themselves(
    targets: dict[str, type], reason: str, tmp_path: Path
) -> None:
    found = plan(own_jobs(tmp_path, "model=circle_v2", **targets))
    assert not found.stacks
    for _, each in found.single:
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(each)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["{_target_: torch.nn.CrossEntropyLoss, ignore_index: 1}"])
def test_a_loss_that_leaves_out_a_class_is_that_of_the_single_run(loss: str, tmp_path: Path) -> None:
    jobs = make_jobs(
        ["data=blobs", "model=blob", "logger=csv", "trainer.max_epochs=6"],
        [("seed=1",), ("seed=2",)],
        tmp_path / "together",
    )
    for job in jobs:
        job.cfg.loss = OmegaConf.create(loss)
    assert len(assert_like_single_runs(jobs, tmp_path / "alone").stacks) == 1
