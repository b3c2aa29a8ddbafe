"""The published circle_v2 problem, and the plain loop that everything is compared with."""

import time
from pathlib import Path

import torch
from torch import Tensor, nn

from src.config.compose import compose_train
from src.data.base import Part
from src.data.circles import CirclesDataModule
from src.models.mlp import MLP


def circles(n_samples: int = 1000, batch_size: int | None = None, n_val: int = 200) -> CirclesDataModule:
    """The data of conf/data/circles.yaml, in any size."""
    node = compose_train([f"data.n_samples={n_samples}", f"data.n_val={n_val}"]).data
    arguments = {str(key): value for key, value in node.items() if key not in ("_target_", "batch_size", "batch_seed")}
    return CirclesDataModule(**arguments, batch_size=batch_size, batch_seed=42)


def circle_net(seed: int = 42) -> MLP:
    """2-10-10-1 with one ReLU, weights drawn straight after seeding."""
    torch.manual_seed(seed)
    return MLP(in_features=2, hidden=[10, 10], out_features=1, activation=["identity", "relu"])


def plain_loop(net: nn.Module, train: Part, val: Part, epochs: int) -> tuple[float, list[float]]:
    """Training step and evaluation every epoch, without any framework.

    Returns:
        Seconds of the loop, and training loss, training accuracy, validation loss and validation accuracy of the last
        epoch.
    """
    x, y, x_val, y_val = train.x, train.y.float(), val.x, val.y.float()
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    last: list[float] = []
    start = time.perf_counter()
    for _ in range(epochs):
        net.train()
        logits = net(x).squeeze()
        preds = torch.round(torch.sigmoid(logits))
        loss = loss_fn(logits, y)
        accuracy = torch.eq(y, preds).sum().item() / len(preds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        net.eval()
        with torch.inference_mode():
            val_logits = net(x_val).squeeze()
            val_loss = loss_fn(val_logits, y_val)
            val_accuracy = torch.eq(y_val, torch.round(torch.sigmoid(val_logits))).sum().item() / len(y_val)
        last = [loss.item(), accuracy, val_loss.item(), val_accuracy]
    return time.perf_counter() - start, last


def weights_of(path: Path) -> list[Tensor]:
    """Weights of a checkpoint of this project, in the order of its layers."""
    state: dict[str, Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return list(state.values())
