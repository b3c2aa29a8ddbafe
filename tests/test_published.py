"""The published runs come out again, digit by digit.

``published.csv`` holds what the notebook's author printed: training loss and accuracy before an epoch's step, test loss
and accuracy after it.
"""

import csv
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from src.build import build_task
from src.compat.hydra import instantiate
from src.config.compose import compose_train
from src.data.base import InMemoryDataModule, Part
from src.train import train
from tests.slow import slow

QUIET = ["callbacks=none", "logger=csv"]
EXPERIMENTS = {"circle_v1": "notebook/circle_v1", "circle_v2": "notebook/circle_v2", "blobs": "notebook/blobs"}


def published() -> list[dict[str, str]]:
    with (Path(__file__).parent / "published.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def rows_of(run_dir: Path) -> dict[int, dict[str, float]]:
    with (run_dir / "metrics.csv").open(newline="") as file:
        return {int(row["epoch"]): {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)}


def as_printed(value: float, like: str) -> str:
    """A number with as many decimals as the published one."""
    return f"{value:.{len(like.split('.')[1])}f}"


def percent(accuracy: float, n: int) -> float:
    """Per cent as the notebook computes it: from the count of right answers."""
    return round(accuracy * n) / n * 100


@pytest.mark.parametrize("model", ["circle_v2", "blobs", *slow("circle_v1")])
def test_training_loss_and_accuracy_equal_every_published_digit(model: str, tmp_path: Path) -> None:
    expected = [row for row in published() if row["model"] == model]
    train(compose_train([f"experiment={EXPERIMENTS[model]}", *QUIET], run_dir=tmp_path))
    measured = rows_of(tmp_path)
    assert len(expected) == 10
    for row in expected:
        epoch = measured[int(row["epoch"])]
        assert as_printed(epoch["train/loss"], row["train_loss"]) == row["train_loss"]
        assert as_printed(percent(epoch["train/accuracy"], 800), row["train_acc_pct"]) == row["train_acc_pct"]


def is_late(row: dict[str, str]) -> bool:
    return int(row["epoch"]) > 0


@pytest.mark.parametrize(
    "row",
    [*(row for row in published() if not is_late(row)), *slow(*filter(is_late, published()))],
    ids=lambda row: f"{row['model']}-{row['epoch']}",
)
def test_test_loss_and_accuracy_equal_every_published_digit(row: dict[str, str], tmp_path: Path) -> None:
    overrides = [f"experiment={EXPERIMENTS[row['model']]}", f"trainer.max_epochs={int(row['epoch']) + 1}", *QUIET]
    train(compose_train(overrides, run_dir=tmp_path))
    metrics = json.loads((tmp_path / "result.json").read_text())["metrics"]
    assert as_printed(metrics["test/loss"], row["test_loss"]) == row["test_loss"]
    assert as_printed(percent(metrics["test/accuracy"], 200), row["test_acc_pct"]) == row["test_acc_pct"]


def plain_losses(net: nn.Module, loss: nn.Module, lr: float, train: Part, val: Part, epochs: int) -> list[list[Tensor]]:
    """The notebook's loop, written out: training and validation loss of every epoch."""
    optimizer = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for _ in range(epochs):
        net.train()
        train_loss = loss(net(train.x), train.y)
        optimizer.zero_grad()
        train_loss.backward()
        optimizer.step()
        net.eval()
        with torch.inference_mode():
            losses.append([train_loss.detach(), loss(net(val.x), val.y)])
    return losses


@pytest.mark.parametrize("name", ["blobs", *slow("circle_v0", "circle_v1", "circle_v2", "line")])
def test_every_epoch_follows_a_plain_loop(name: str, tmp_path: Path) -> None:
    overrides = [f"experiment=notebook/{name}", "task.log_every_n_epochs=1", *QUIET]
    cfg = compose_train(overrides, run_dir=tmp_path)
    datamodule = data_of(name)
    task = build_task(cfg, datamodule.spec)
    losses = {"circle": nn.BCEWithLogitsLoss(), "line": nn.L1Loss(), "blobs": nn.CrossEntropyLoss()}
    is_binary = name.startswith("circle")
    parts = [Part(p.x, p.y.float()[:, None] if is_binary else p.y) for p in datamodule.parts]
    epochs, lr = (100, 0.1) if name == "blobs" else (1000, 0.01 if name == "line" else 0.1)
    expected = plain_losses(task.net, losses[name.split("_")[0]], lr, parts[0], parts[1], epochs)
    train(cfg)
    measured = [[row["train/loss"], row["val/loss"]] for row in rows_of(tmp_path).values()]
    torch.testing.assert_close(torch.tensor(measured), torch.tensor(expected), rtol=0, atol=1e-6)


def data_of(name: str) -> InMemoryDataModule:

    datamodule: InMemoryDataModule = instantiate(compose_train([f"experiment=notebook/{name}"]).data)
    return datamodule
