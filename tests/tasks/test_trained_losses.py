"""A loss with parameters of its own: they are trained, clipped, kept and taken up as the network's are."""

from functools import partial
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.optim import SGD, Adam

from src.build import build
from src.data.base import Batches
from src.eval import evaluate
from src.tasks.checkpoint import load_checkpoint
from src.tasks.training.network import OneNetwork
from src.train import train
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.tasks.by_hand import MakeOptimizer
from tests.tasks.runs import close, fit, small, weights
from tests.tasks.test_resuming import identical, states
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, result_of, train_alone


class Likelihood(nn.Module):
    """Of numbers with a spread that is learnt."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ((outputs - targets).square() * torch.exp(-self.log_var) + self.log_var).mean()


class Tempered(nn.Module):
    """Cross entropy of logits that a layer has scaled, with a bias that stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.layer.bias.requires_grad = False

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss: Tensor = nn.functional.cross_entropy(self.layer(outputs), targets)
        return loss


LINE = ("data=line", "model=line", "loss=mse", "trainer.max_epochs=6", "data.batch_size=16")
BLOBS = (
    "data=blobs",
    "model=blob",
    "trainer.max_epochs=3",
    "data.n_samples=100",
    "data.n_val=30",
    "data.batch_size=32",
)
LOSSES = {"line": (LINE, Likelihood), "blobs": (BLOBS, Tempered)}


def config(kind: str, *overrides: str, run_dir: Path) -> DictConfig:
    common, loss = LOSSES[kind]
    cfg = small(*common, *overrides, run_dir=run_dir)
    cfg.loss = OmegaConf.create({"_target_": f"{__name__}.{loss.__name__}"})
    return cfg


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize(
    ("overrides", "make"),
    [
        (("optimizer.lr=0.05", "optimizer.momentum=0.9"), partial(SGD, lr=0.05, momentum=0.9)),
        (("optimizer=adam",), partial(Adam, lr=0.01)),
    ],
    ids=["sgd", "adam"],
)
@pytest.mark.parametrize("kind", LOSSES)
def test_they_are_trained_as_by_hand(
    kind: str, overrides: tuple[str, ...], make: MakeOptimizer, clip: float | None, tmp_path: Path
) -> None:
    cfg = config(kind, *overrides, *([f"task.gradient_clip_val={clip}"] if clip else []), run_dir=tmp_path)
    start, trained = build(cfg), fit(cfg)
    net, loss, data = start.task.net, start.task.loss, start.datamodule
    before = weights(loss)
    parameters = [*net.parameters(), *loss.parameters()]
    assert all(map(torch.equal, start.task.trained_parameters(), parameters))
    optimizer = make(parameters)
    batches = Batches(data.parts.train, batch_size=data.batch_size, seed=data.batch_seed)
    for epoch in range(cfg.trainer.max_epochs):
        batches.set_epoch(epoch)
        for x, y, *_ in batches:
            optimizer.zero_grad()
            loss(net(x), y).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(parameters, clip)
            optimizer.step()
    assert close(weights(trained.task.net), weights(net))
    assert close(weights(trained.task.loss), weights(loss))
    moved = [not torch.equal(a, b) for a, b in zip(before, weights(trained.task.loss), strict=True)]
    assert moved == [parameter.requires_grad for parameter in loss.parameters()]


LONG = ("logger=csv", "optimizer=adam", "trainer.max_epochs=12", "task.log_every_n_epochs=3")


@pytest.mark.slow
@pytest.mark.parametrize("kind", LOSSES)
def test_an_interrupted_run_goes_on_to_the_same_bits(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_epoch = OneNetwork.start_epoch
    train(config(kind, *LONG, run_dir=tmp_path / "whole"))

    def interrupt(self: OneNetwork, epoch: int) -> None:
        if epoch == 8:
            raise KeyboardInterrupt
        start_epoch(self, epoch)

    monkeypatch.setattr(OneNetwork, "start_epoch", interrupt)
    cfg = config(kind, *LONG, "callbacks.checkpoint.every_s=0", run_dir=tmp_path / "twice")
    with pytest.raises(KeyboardInterrupt):
        train(cfg)
    monkeypatch.setattr(OneNetwork, "start_epoch", start_epoch)
    train(cfg)
    for mine, whole in zip(states(tmp_path / "twice"), states(tmp_path / "whole"), strict=True):
        assert {name for name in mine["state_dict"] if name.startswith("loss.")}
        for key in ("state_dict", "optimizer_states", "epoch", "global_step"):
            assert identical(mine[key], whole[key]), key


@pytest.mark.parametrize("kind", LOSSES)
def test_evaluation_reads_them_and_they_are_no_weights_of_the_network(kind: str, tmp_path: Path) -> None:
    cfg = config(kind, *LONG, run_dir=tmp_path)
    train(cfg)
    result = result_of(tmp_path)
    measured = evaluate(
        OmegaConf.create({"run": str(tmp_path), "checkpoint": "best", "overrides": [], "trusted_modules": ["tests"]})
    )
    assert measured.metrics["test/loss"] == pytest.approx(result["metrics"]["test/loss"], abs=1e-6)
    task = build(cfg).task
    untrained = task.loss.state_dict()
    assert result["n_parameters"] == sum(parameter.numel() for parameter in task.net.parameters())
    state = load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")["state_dict"]
    assert any(not torch.equal(state[f"loss.{name}"], value) for name, value in untrained.items())


@pytest.mark.slow
def test_stacked_jobs_with_such_a_loss_train_its_parameters(tmp_path: Path) -> None:
    jobs = make_jobs([*LINE, "logger=csv"], [("seed=1",), ("seed=2", "optimizer.lr=0.02")], tmp_path / "together")
    for job in jobs:
        job.cfg.loss = OmegaConf.create({"_target_": f"{__name__}.Likelihood"})
    (stack,) = plan(jobs).stacks
    train_stack(stack.jobs, StackOptions())
    train_alone(jobs, tmp_path / "alone")
    for job in jobs:
        alone = tmp_path / "alone" / str(job.number)
        for name in ("best", "last"):
            assert_near(checkpoint_of(job.run_dir, name), checkpoint_of(alone, name), atol=1e-4, where=name)
