"""Hints of real runs: each on a run made to show it, none on a healthy one."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import open_dict
from torch import Tensor, nn

from src.build import build
from src.callbacks.hints import Hints, found_by
from src.config.compose import compose_train
from src.config.errors import offered
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
                "at_chance",
                [
                    *("data=gauss", "data.distance=1", "data.class_shares=[0.95,0.05]", "model=mlp"),
                    "trainer.max_epochs=300",
                ],
            ),
            # the default command
            ("still_falling", []),
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
    assert second["metrics"]["train/loss"] < first["metrics"]["train/loss"] or kind in ("overfitting", "at_chance")
    if kind == "at_chance":
        # losses with weights are no smaller
        assert second["metrics"]["val/balanced_accuracy"] > first["metrics"]["val/balanced_accuracy"] + 0.1


def test_a_run_whose_loss_is_not_finite_stores_its_hint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = ["data=line", "model=line", "loss=mse", "optimizer.lr=1000", "trainer.max_epochs=12"]
    with pytest.raises(NonFiniteLossError) as raised:
        result_of(overrides, tmp_path / "first")
    (hint,) = json.loads((tmp_path / "first" / "result.json").read_text())["hints"]
    assert hint["kind"] == "not_finite"
    assert "train/loss is" in hint["seen"]
    # the error says the same, and its command stands below it
    assert "hint" not in capsys.readouterr().out
    assert offered(raised.value) == [hint["try"]]
    assert result_of(shlex.split(hint["try"])[3:], tmp_path / "second")["hints"] == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["trainer.max_epochs=2"],
        ["debug=fast_dev_run"],
        *slow(
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


class EndsInASigmoid(MLP):
    """Probabilities, where logits are asked for."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(super().forward(x))


@pytest.mark.parametrize("loss", ["bce", "brier"])
def test_a_network_that_ends_in_a_sigmoid_is_told_so(loss: str, tmp_path: Path) -> None:
    overrides = ["model=mlp", f"model.net._target_={__name__}.EndsInASigmoid", f"loss={loss}"]
    result = result_of([*overrides, "trainer.max_epochs=20"], tmp_path)
    assert [hint["kind"] for hint in result["hints"]] == ["squashed"]
    # every output is above zero, and so taken for class 1
    assert result["metrics"]["train/accuracy"] == 0.5


class Normalised(MLP):
    """Cannot train on one sample."""

    def __init__(self, *, in_features: int, **more: Any) -> None:
        super().__init__(in_features=in_features, **more)
        self.norm = nn.BatchNorm1d(in_features)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x))


def test_a_last_batch_of_one_sample_asks_to_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 81 samples to train on
    overrides = ["model=mlp", f"model.net._target_={__name__}.Normalised", "data.n_samples=102", "data.batch_size=8"]
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        result_of([*overrides, "trainer.max_epochs=2"], tmp_path / "first")
    (hint,) = json.loads((tmp_path / "first" / "result.json").read_text())["hints"]
    assert hint["kind"] == "single_sample"
    assert f"try: {hint['try']}" in capsys.readouterr().out
    tried = shlex.split(hint["try"])[3:]
    assert "data.drop_last=true" in tried
    assert result_of(tried, tmp_path / "second")["status"] == "completed"


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
            built.fit(checkpoint=resume)
        found.append(found_by(built.trainer))
    assert found[0] == found[1] != []


def test_looking_back_changes_nothing(tmp_path: Path) -> None:
    built = build(small("model=mlp", "trainer.max_epochs=3", run_dir=tmp_path))
    callback = Hints(suggested_lr=0.1)
    built.trainer.callbacks.append(callback)  # type: ignore[attr-defined]  # Lightning leaves it untyped
    built.fit()
    weights = [p.clone() for p in built.task.net.parameters()]
    states, training = generator_states(), built.task.net.training
    callback.on_train_end(built.trainer, built.task)
    assert generator_states() == states
    assert built.task.net.training == training
    assert all(torch.equal(a, b) for a, b in zip(weights, built.task.net.parameters(), strict=True))
    assert not any(module._forward_hooks for module in built.task.net.modules())


def test_the_state_of_a_run_that_began_so_is_what_a_checkpoint_holds() -> None:
    callback = Hints(suggested_lr=0.1)
    state = Hints.state(first_weights=[torch.ones(1)], first_loss=0.7)
    assert callback.state_dict() == Hints.state(first_weights=None, first_loss=None)
    callback.load_state_dict(state)
    assert callback.state_dict() == state
    # one of an earlier version
    callback.load_state_dict({"first_weights": [torch.ones(1)], "first_loss": 0.7})
    assert callback.state_dict() == state == {**state, "course": [], "metrics": {}}
