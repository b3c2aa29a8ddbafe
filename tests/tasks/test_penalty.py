"""Penalties of large weights: the same in blocks, in steps and in a stack, and in no number that is shown."""

from pathlib import Path
from typing import Any

import pytest
import torch

from src.build import build
from src.run.metrics import read_metrics
from src.tasks.penalty import Penalty
from tests.tasks.runs import small

RATES = ("task.l1=0.01", "task.l2=0.1")


def weights(task: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in task.net.named_parameters()}


def test_it_is_a_sum_over_weights_and_leaves_biases_free() -> None:
    layer = torch.nn.Linear(3, 2)
    w = layer.weight.detach()
    found = Penalty(0.5, 2.0).of(layer.parameters())
    assert isinstance(found, torch.Tensor)
    assert found.item() == pytest.approx(float(0.5 * w.abs().sum() + w.square().sum()))
    stacked = [torch.stack([p.detach(), 2 * p.detach()]).requires_grad_() for p in layer.parameters()]
    of_models = Penalty(0.5, 2.0).of(stacked, n_model_axes=1)
    assert isinstance(of_models, torch.Tensor)
    expected = [float(0.5 * f * w.abs().sum() + f * f * w.square().sum()) for f in (1, 2)]
    assert of_models.tolist() == pytest.approx(expected)
    assert not Penalty(0.0, 0.0)


@pytest.mark.parametrize("loop", ["blocks", "steps"])
def test_training_follows_the_gradient_of_loss_and_penalty(loop: str, tmp_path: Path) -> None:
    overrides = ("model=mlp", "optimizer.lr=0.1", f"task.loop={loop}", "trainer.max_epochs=5")
    plain, built = (
        build(small(*overrides, *more, run_dir=tmp_path / name)) for name, more in (("a", ()), ("b", RATES))
    )
    net, loss = plain.task.net, plain.task.loss
    x, y = plain.datamodule.parts.train
    for _ in range(5):
        value = loss(net(x), plain.task.targets(y)) + Penalty(0.01, 0.1).of(net.parameters())
        grads = torch.autograd.grad(value, list(net.parameters()))
        with torch.no_grad():
            for parameter, grad in zip(net.parameters(), grads, strict=True):
                parameter -= 0.1 * grad
    expected = weights(plain.task)
    built.fit()
    for name, value in weights(built.task).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)


def test_an_l2_penalty_is_the_decay_of_weights_of_sgd(tmp_path: Path) -> None:
    # weight_decay takes biases as well: with frozen ones both are the same
    found = []
    for name, more in (("a", ("task.l2=0.3",)), ("b", ("optimizer.weight_decay=0.3",))):
        built = build(small("model=mlp", "trainer.max_epochs=8", *more, run_dir=tmp_path / name))
        for key, parameter in built.task.net.named_parameters():
            parameter.requires_grad_(key.endswith("weight"))
        built.fit()
        found.append(weights(built.task))
    for name, value in found[0].items():
        torch.testing.assert_close(value, found[1][name], rtol=1e-5, atol=1e-6)


def test_the_loss_that_is_shown_is_that_of_the_data_alone(tmp_path: Path) -> None:
    first = []
    for name, more in (("a", ()), ("b", RATES)):
        build(small("model=mlp", "logger=csv", "task.log_every_n_epochs=1", *more, run_dir=tmp_path / name)).fit()
        first.append(read_metrics(tmp_path / name / "metrics.csv")["train/loss"][0])
    assert first[0] == first[1]
