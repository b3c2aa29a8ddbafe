"""Blocks and steps: one result."""

from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf, open_dict
from torch import Tensor, nn

from src.build import build
from src.run.metrics import read_metrics
from src.tasks.checkpoint import load_checkpoint
from src.train import train
from tests.tasks.runs import interrupted, small

KEEPS = ("callbacks=checkpoint", "logger=csv")
MODELS = {
    "circle_v0": (),
    "circle_v1": (),
    "circle_v2": (),
    "mlp": ("model.net.activation=tanh",),
    "blob": ("data=blobs",),
    "line": ("data=line",),
}
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop", "lbfgs")
SCHEDULERS = ("none", "cosine", "plateau", "step", "warmup_cosine")


def weights_of(run_dir: Path, name: str) -> dict[str, Tensor]:
    state: dict[str, Tensor] = load_checkpoint(run_dir / "checkpoints" / f"{name}.ckpt")["state_dict"]
    return state


def assert_same_run(run_dir: Path, other: Path) -> None:
    """Rows and weights are equal in every bit."""
    assert (run_dir / "metrics.csv").read_text() == (other / "metrics.csv").read_text()
    assert_same_weights(run_dir, other)


def assert_same_weights(run_dir: Path, other: Path) -> None:
    for name in ("best", "last"):
        if not (other / "checkpoints" / f"{name}.ckpt").exists():
            assert not (run_dir / "checkpoints" / f"{name}.ckpt").exists()
            continue
        weights, expected = weights_of(run_dir, name), weights_of(other, name)
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[key], expected[key]) for key in expected)


def both_ways(tmp_path: Path, *overrides: str) -> None:
    """Train in blocks and in steps, and compare."""
    for loop in ("blocks", "steps"):
        own = [text for text in overrides if text.startswith("+")]
        cfg = small(
            *KEEPS, *(text for text in overrides if text not in own), f"task.loop={loop}", run_dir=tmp_path / loop
        )
        with open_dict(cfg):
            cfg.merge_with_dotlist([text[1:] for text in own])
        train(cfg)
    assert_same_run(tmp_path / "steps", tmp_path / "blocks")


@pytest.mark.parametrize("batches", ["null", "100"])
@pytest.mark.parametrize("model", MODELS)
def test_every_model_learns_the_same(model: str, batches: str, tmp_path: Path) -> None:
    own = (*MODELS[model], f"model={model}", f"data.batch_size={batches}")
    both_ways(tmp_path, *own, "trainer.max_epochs=7", "task.log_every_n_epochs=3")


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_and_scheduler_does_the_same(optimizer: str, scheduler: str, tmp_path: Path) -> None:
    own = ("optimizer.lr=0.01", "data.batch_size=300", "trainer.max_epochs=5", "task.log_every_n_epochs=2")
    patience = ("scheduler.patience=0",) if scheduler == "plateau" else ()
    both_ways(tmp_path, f"optimizer={optimizer}", f"scheduler={scheduler}", *own, *patience)


@pytest.mark.parametrize(
    "own",
    [
        ("trainer.precision=64-true",),
        ("task.gradient_clip_val=0.01",),
        ("task.eval_every_n_epochs=1", "task.log_every_n_epochs=3"),
        ("+trainer.limit_train_batches=2", "data.batch_size=100"),
        ("+trainer.limit_val_batches=0", "optimized_metric=train/loss"),
        ("+trainer.overfit_batches=2", "data.batch_size=100"),
        ("data.batch_size=300", "data.drop_last=true"),
        ("callbacks=[checkpoint,hints]",),
    ],
    ids=lambda own: own[0],
)
def test_keys_that_both_honour_do_the_same(own: tuple[str, ...], tmp_path: Path) -> None:
    both_ways(tmp_path, "trainer.max_epochs=9", *own)


class Kept(nn.Module):
    """A network of which a part is never in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.norm, self.outer = nn.Linear(2, 5), nn.BatchNorm1d(5), nn.Linear(5, 1)
        self.norm.eval()

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(torch.relu(self.norm(self.inner(x))))
        return outputs


class Normed(Kept):
    """The same, all of which trains."""

    def __init__(self) -> None:
        super().__init__()
        self.norm.train()


class Clearing(torch.optim.SGD):
    """An optimiser that keeps a part of the last gradient where it clears it."""

    def zero_grad(self, set_to_none: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - PyTorch's signature
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.mul_(0.5)


NETS = tuple({"_target_": f"{__name__}.{name}"} for name in ("Kept", "Normed"))
RATES = tuple({"_target_": name, "_partial_": True, "lr": 0.05} for name in (f"{__name__}.Clearing", "torch.optim.SGD"))


@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode")
@pytest.mark.parametrize(("key", "pair"), [("model.net", NETS), ("optimizer", RATES)], ids=["modes", "gradients"])
def test_what_does_more_than_pytorch_s_own_does_so_in_both(
    key: str, pair: tuple[dict[str, Any], ...], tmp_path: Path
) -> None:
    losses = []
    for i, target in enumerate(pair):
        for loop in ("blocks", "steps"):
            # pictures look at the network, and must leave its modes alone
            looks = ("callbacks=boundary_frames", "logger=[csv,tensorboard]") if key == "model.net" else KEEPS
            given = (*looks, f"task.loop={loop}", "trainer.max_epochs=9", "data.batch_size=200")
            cfg = small(*given, run_dir=tmp_path / f"{i}" / loop)
            with open_dict(cfg):
                OmegaConf.update(cfg, key, target, merge=False)
            train(cfg)
        assert_same_run(tmp_path / f"{i}" / "steps", tmp_path / f"{i}" / "blocks")
        losses.append(read_metrics(tmp_path / f"{i}" / "blocks" / "metrics.csv")["train/loss"])
    assert losses[0] != losses[1]


def test_a_run_that_ends_within_an_epoch_ends_at_the_same_weights(tmp_path: Path) -> None:
    for loop in ("blocks", "steps"):
        cfg = small(*KEEPS, f"task.loop={loop}", "trainer.max_epochs=9", "data.batch_size=200", run_dir=tmp_path / loop)
        with open_dict(cfg):
            cfg.trainer.max_steps = 17
        train(cfg)
    weights, expected = (weights_of(tmp_path / loop, "last") for loop in ("steps", "blocks"))
    assert all(torch.equal(weights[key], expected[key]) for key in expected)
    tables = [read_metrics(tmp_path / loop / "metrics.csv") for loop in ("steps", "blocks")]
    assert [table["step"][-1] for table in tables] == [17, 17]
    assert tables[0]["train/loss"][-1] == pytest.approx(tables[1]["train/loss"][-1])


@pytest.mark.parametrize(
    "own", [(), ("scheduler=plateau", "scheduler.patience=0"), ("scheduler=cosine", "optimizer=adam")]
)
@pytest.mark.parametrize("batches", ["null", "150"])
def test_steps_that_were_interrupted_go_on_to_the_same_result(
    batches: str, own: tuple[str, ...], tmp_path: Path
) -> None:
    common = (*KEEPS, *own, "task.loop=steps", "trainer.max_epochs=11", f"data.batch_size={batches}")
    more = ("task.log_every_n_epochs=2", "callbacks.checkpoint.every_s=0")
    train(small(*common, *more, run_dir=tmp_path / "whole"))
    for epoch in (3, 6):
        interrupted(small(*common, *more, run_dir=tmp_path / "parts"), epoch=epoch)
    train(small(*common, *more, run_dir=tmp_path / "parts"))
    assert_same_run(tmp_path / "parts", tmp_path / "whole")


@pytest.mark.parametrize("evaluate", ["best", "last"])
def test_averaged_weights_are_those_that_are_kept_and_measured(evaluate: str, tmp_path: Path) -> None:
    cfg = small(*KEEPS, "trainer.max_epochs=12", "optimizer.lr=1", f"evaluate={evaluate}", run_dir=tmp_path)
    with open_dict(cfg):
        cfg.callbacks.ema = {"_target_": "lightning.pytorch.callbacks.EMAWeightAveraging", "decay": 0.8}
    value = train(cfg)
    rows = read_metrics(tmp_path / "metrics.csv")["val/loss"]
    assert value == pytest.approx(min(rows) if evaluate == "best" else rows[-1], rel=1e-6)
    net = build(cfg).task
    net.load_state_dict(weights_of(tmp_path, evaluate))
    assert net.measure("val", build(cfg).datamodule.val_dataloader())["val/loss"] == pytest.approx(value)
