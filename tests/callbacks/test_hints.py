"""Hints of real runs: each on a run made to show it, none on a healthy one; and what they measure."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import open_dict
from torch import Tensor, nn

from src.build import build
from src.callbacks.hints import Hints, dead_relus, found_by, is_affine, line_accuracy, moved
from src.config.compose import compose_train
from src.data.base import Part
from src.models.mlp import MLP
from src.tasks.finite import NonFiniteLossError
from src.train import train
from tests.slow import slow
from tests.tasks.runs import generator_states, small

WITH_HINTS = ["trainer=cpu", "callbacks=none", "logger=none"]
WATCH = ["+callbacks.hints._target_=src.callbacks.hints.Hints", "+callbacks.hints.suggested_lr=${suggested.lr}"]


def result_of(overrides: list[str], run_dir: Path) -> dict[str, Any]:
    cfg = compose_train([*WITH_HINTS, *WATCH, *overrides], run_dir=run_dir)
    train(cfg, overrides=overrides)
    result: dict[str, Any] = json.loads((run_dir / "result.json").read_text())
    return result


@pytest.mark.parametrize(
    ("kind", "overrides"),
    [
        ("exploding", ["data=line", "model=line", "loss=mse", "optimizer.lr=1", "trainer.max_epochs=4"]),
        *slow(
            ("linear_at_chance", ["model=circle_v1", "trainer.max_epochs=200"]),
            (
                "linear_at_chance",
                ["model=mlp", "model.net.activation=identity", "optimizer=adam", "trainer.max_epochs=200"],
            ),
            ("dead_relus", ["model=mlp", "optimizer=adam", "optimizer.lr=1", "trainer.max_epochs=200"]),
            ("too_slow", ["optimizer.lr=1e-6", "trainer.max_epochs=200"]),
            (
                "overfitting",
                ["model=mlp", "optimizer=adam", "data.n_samples=30", "data.noise=0.3", "trainer.max_epochs=300"],
            ),
        ),
    ],
)
def test_a_run_that_asks_for_a_hint_gets_one_that_helps(
    kind: str, overrides: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = result_of(overrides, tmp_path / "first")
    assert [hint["kind"] for hint in first["hints"]] == [kind]
    (hint,) = first["hints"]
    out = capsys.readouterr().out
    assert hint["seen"].replace(" ", "") in out.replace("\n", "").replace(" ", "")
    assert f"\n  try: {hint['try']}\n" in out
    tried = shlex.split(hint["try"])[3:]
    # the preset brings its own hints
    watch = [] if "callbacks=early_stopping" in tried else WATCH
    cfg = compose_train([*WITH_HINTS, "callbacks=none", *watch, *tried], run_dir=tmp_path / "second")
    train(cfg)
    second = json.loads((tmp_path / "second" / "result.json").read_text())
    assert kind not in [hint["kind"] for hint in second["hints"]]
    assert second["metrics"]["train/loss"] < first["metrics"]["train/loss"] or kind == "overfitting"


def test_a_run_whose_loss_is_not_finite_stores_its_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["data=line", "model=line", "loss=mse", "optimizer.lr=1000", "trainer.max_epochs=12"]
    with pytest.raises(NonFiniteLossError):
        result_of(overrides, tmp_path / "first")
    (hint,) = json.loads((tmp_path / "first" / "result.json").read_text())["hints"]
    assert hint["kind"] == "not_finite"
    assert "train/loss is" in hint["seen"]
    assert f"try: {hint['try']}" in capsys.readouterr().out
    assert result_of(shlex.split(hint["try"])[3:], tmp_path / "second")["hints"] == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.max_epochs=2"],
        ["debug=fast_dev_run"],
        *slow(
            ["experiment=notebook/circle_v2"],
            ["experiment=notebook/line"],
            ["experiment=notebook/blobs"],
            ["optimizer=adam"],
            ["model=mlp", "optimizer=adam", "trainer.max_epochs=300"],
            ["model=mlp", "data=line", "optimizer=adam"],
        ),
    ],
    ids=" ".join,
)
def test_healthy_runs_get_none(overrides: list[str], tmp_path: Path) -> None:
    assert result_of(overrides, tmp_path)["hints"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["circle_v0", "circle_v1"])
def test_the_linear_notebook_runs_get_the_hint_that_the_notebook_teaches(name: str, tmp_path: Path) -> None:
    result = result_of([f"experiment=notebook/{name}", "trainer.max_epochs=300"], tmp_path)
    assert [hint["kind"] for hint in result["hints"]] == ["linear_at_chance"]


def test_a_resumed_run_has_the_hints_of_one_that_was_not_interrupted(tmp_path: Path) -> None:
    found = []
    for epochs in ([200], [150, 200]):
        run_dir = tmp_path / str(len(epochs))
        for max_epochs in epochs:
            cfg = small("optimizer.lr=1e-6", f"trainer.max_epochs={max_epochs}", run_dir=run_dir)
            with open_dict(cfg):
                cfg.callbacks.hints = {"_target_": "src.callbacks.hints.Hints", "suggested_lr": 0.1}
            built = build(cfg)
            last = run_dir / "checkpoints" / "last.ckpt"
            resume = last if last.is_file() else None
            built.trainer.fit(built.task, datamodule=built.datamodule, ckpt_path=resume, weights_only=True)
        found.append(found_by(built.trainer))
    assert found[0] == found[1] != []


def test_looking_back_changes_nothing(tmp_path: Path) -> None:
    built = build(small("model=mlp", "trainer.max_epochs=3", run_dir=tmp_path))
    callback = Hints(suggested_lr=0.1)
    built.trainer.callbacks.append(callback)  # type: ignore[attr-defined]  # Lightning leaves it untyped
    built.trainer.fit(built.task, datamodule=built.datamodule)
    weights = [p.clone() for p in built.task.net.parameters()]
    states, training = generator_states(), built.task.net.training
    callback.on_train_end(built.trainer, built.task)
    assert generator_states() == states
    assert built.task.net.training == training
    assert all(torch.equal(a, b) for a, b in zip(weights, built.task.net.parameters(), strict=True))
    assert not any(module._forward_hooks for module in built.task.net.modules())


class Odd(nn.Module):
    """Bends to both sides alike."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.layer(x))


class Squares(nn.Module):
    """Bends without a module that says so."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x * x)
        return y


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (MLP(in_features=2, hidden=[], out_features=1, activation="relu"), True),
        (MLP(in_features=2, hidden=[64, 64, 64], out_features=3, activation="identity"), True),
        (MLP(in_features=2, hidden=[8], out_features=1, activation="relu"), False),
        (MLP(in_features=2, hidden=[8], out_features=1, activation="tanh"), False),
        (MLP(in_features=2, hidden=[8], out_features=1, activation="leaky_relu"), False),
        (Squares(), False),
        (Odd(), False),
        (nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1)), True),
        (MLP(in_features=2, hidden=[8, 8], out_features=1, activation="identity").to(torch.bfloat16), True),
    ],
)
def test_a_network_is_linear_if_it_answers_in_straight_lines(net: nn.Module, expected: bool) -> None:  # noqa: FBT001
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    assert is_affine(net, x) == expected


def test_dead_units_are_those_that_never_fire() -> None:
    net = MLP(in_features=2, hidden=[4, 3], out_features=1, activation=["relu", "handmade_relu"])
    first, second = (module for module in list(net.layers)[:3] if isinstance(module, nn.Linear))
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]))
        first.bias.copy_(torch.tensor([0.0, 0.0, -1.0, 1.0]))
        second.weight.fill_(1.0)
        second.bias.fill_(-1e3)
    part = Part(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(2))
    # the first two fire at one point each, the third nowhere, the fourth everywhere; nothing reaches the next layer
    assert list(dead_relus(net, part)) == [("layers.1", 1, 4), ("layers.3", 3, 3)]
    assert list(dead_relus(MLP(in_features=2, hidden=[4], out_features=1, activation="tanh"), part)) == []


def test_line_accuracy_is_that_of_the_best_line() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, 2, generator=generator)
    assert line_accuracy(Part(x, (x[:, 0] > 0.1).long())) > 0.95
    assert line_accuracy(Part(x, (x.norm(dim=1) > 1.2).long())) < 0.65


def test_moved_is_a_distance_in_lengths_of_the_first_weights() -> None:
    first = [torch.tensor([3.0, 0.0]), torch.tensor([4.0])]
    assert moved(first, first) == 0
    assert moved(first, [torch.tensor([3.0, 1.0]), torch.tensor([4.0])]) == pytest.approx(0.2)
    assert moved([torch.zeros(2)], [torch.ones(2)]) == float("inf")
