"""What a GPU computes: the same runs as the CPU, within what its sums in another order change."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn

from src.config.compose import compose_train
from src.eval import evaluate
from src.sweep.jobs import Job
from src.train import train
from src.vmap.models import ModelFactory
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.vmap.proof.own import own_jobs
from tests.vmap.stacked_jobs import checkpoint_of, make_jobs, result_of, rows_of, train_alone
from tests.vmap.test_module import STOPPING

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

ON = ("callbacks=none", "logger=csv")
# Sums on a GPU come in another order, and its exponentials have other last digits.
NEAR = 2e-4


class Normed(nn.Module):
    """A network with buffers, which makes a tensor of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.norm, self.outer = nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Linear(8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1)."""
        units = torch.relu(self.norm(self.inner(x)))
        outputs: Tensor = self.outer(units + torch.zeros(units.shape, device=units.device))
        return outputs


class Dropping(Normed):
    """A network that draws."""

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 1)."""
        return super().forward(nn.functional.dropout(x, 0.1, training=self.training))


def ran(folder: Path, *overrides: str) -> Path:
    """A run's directory, once it has run."""
    train(compose_train([*ON, *overrides], run_dir=folder))
    return folder


def assert_alike(here: Path, there: Path) -> None:
    """Two runs have measured and learnt the same."""
    for row, expected in zip(rows_of(here), rows_of(there), strict=True):
        assert row == pytest.approx(expected, abs=NEAR, rel=NEAR)
    found, expected = (checkpoint_of(run, "last")["state_dict"] for run in (here, there))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name].cpu(), tensor.cpu(), atol=NEAR, rtol=NEAR)
    assert result_of(here)["device"] == "cuda:0"


PROBLEMS = {
    "binary": ("data=circles", "model=circle_v2"),
    "multiclass": ("data=blobs", "model=blob", "optimizer=adam"),
    "regression": ("data=line", "model=line"),
    "batches": ("data=circles", "model=mlp", "data.batch_size=64", "optimizer.momentum=0.9"),
    "double": ("data=circles", "model=mlp", "trainer.precision=64-true"),
    "scheduler": ("data=circles", "model=mlp", "scheduler=plateau", "task.gradient_clip_val=0.5"),
}


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_a_run_computes_what_it_computes_on_a_cpu(problem: Sequence[str], tmp_path: Path) -> None:
    given = (*problem, "trainer.max_epochs=20")
    assert_alike(ran(tmp_path / "gpu", "trainer=gpu", *given), ran(tmp_path / "cpu", "trainer=cpu", *given))


def test_everything_that_a_run_draws_and_logs_is_there(tmp_path: Path) -> None:
    train(compose_train(["trainer=gpu", "trainer.max_epochs=12"], run_dir=tmp_path))
    assert {path.name for path in (tmp_path / "plots").iterdir()} >= {
        "boundary.png",
        "confusion.png",
        "calibration.png",
    }


@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed"])
def test_mixed_precision_trains(precision: str, tmp_path: Path) -> None:
    run = ran(tmp_path, "trainer=gpu", f"trainer.precision={precision}", "trainer.max_epochs=300", "model=circle_v2")
    losses = [row["train/loss"] for row in rows_of(run)]
    assert losses[-1] < losses[0]


def test_a_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    given = ("trainer=gpu", "optimizer=adam", "data.batch_size=100")
    whole = ran(tmp_path / "whole", *given, "trainer.max_epochs=20")
    ran(tmp_path / "parts", *given, "trainer.max_epochs=10")
    ran(tmp_path / "parts", *given, "trainer.max_epochs=20", "resume=extend")
    found, expected = (checkpoint_of(run, "last")["state_dict"] for run in (tmp_path / "parts", whole))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_a_gpu_has_trained_is_measured_on_a_cpu(tmp_path: Path) -> None:
    run = ran(tmp_path, "trainer=gpu", "trainer.max_epochs=20")
    cfg = OmegaConf.create({"run": str(run), "checkpoint": "best", "overrides": ["trainer.accelerator=cpu"]})
    assert isinstance(cfg, DictConfig)
    stored = {k: v for k, v in result_of(run)["metrics"].items() if not k.startswith("train/")}
    assert evaluate(cfg).metrics == pytest.approx(stored, abs=NEAR)


STACKS = {
    **{name: ("callbacks=none", *given) for name, given in PROBLEMS.items()},
    "widths": ("callbacks=none", "data=circles", "model=mlp", "model.net.hidden=[4,8]"),
    "stopping": (*STOPPING, "callbacks.early_stopping.patience=2"),
}


@pytest.mark.parametrize("problem", STACKS.values(), ids=STACKS)
def test_a_stack_computes_what_single_runs_compute_on_a_cpu(problem: Sequence[str], tmp_path: Path) -> None:
    given = ("logger=csv", *problem, "trainer.max_epochs=20")
    seeds = [(f"seed={i}",) for i in range(4)]
    stacked(jobs := make_jobs((*given, "trainer=gpu"), seeds, tmp_path / "gpu"))
    train_alone(make_jobs((*given, "trainer=cpu"), seeds, tmp_path), tmp_path / "cpu")
    for job in jobs:
        assert_alike(job.run_dir, tmp_path / "cpu" / str(job.number))


def test_any_network_is_stacked(tmp_path: Path) -> None:
    stacked(jobs := own_jobs(tmp_path / "gpu", "trainer=gpu", net=Normed))
    train_alone(own_jobs(tmp_path, "trainer=cpu", net=Normed), tmp_path / "cpu")
    for job in jobs:
        assert_alike(job.run_dir, tmp_path / "cpu" / str(job.number))


def test_a_network_that_draws_is_not_stacked(tmp_path: Path) -> None:
    found = plan(own_jobs(tmp_path, "trainer=gpu", net=Dropping))
    assert not found.stacks
    assert "on a CPU only" in found.single[0][1]


def stacked(jobs: list[Job]) -> None:
    """Train jobs as one stack."""
    factory = ModelFactory()
    found = plan(jobs, factory)
    assert [len(stack.jobs) for stack in found.stacks] == [4], found.single
    outcomes = train_stack(jobs, StackOptions(models_per_step=3), factory=factory)
    assert [outcome.status for outcome in outcomes] == ["completed"] * 4
