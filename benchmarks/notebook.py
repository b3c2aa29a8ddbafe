"""The path through the notebook as one plain script: imports, data, circle_v2, 1000 epochs, the boundary picture.

Run as ``python -m benchmarks.notebook PICTURE.png``. What a user would write without any framework, and what the whole
command of this project is compared with.
"""

import sys

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import torch
from sklearn.datasets import make_circles
from sklearn.model_selection import train_test_split
from torch import nn


class CircleNet(nn.Module):
    """2-10-10-1 with one ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.layer_1 = nn.Linear(2, 10)
        self.layer_2 = nn.Linear(10, 10)
        self.layer_3 = nn.Linear(10, 1)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, 1) of points (n, 2)."""
        out: torch.Tensor = self.layer_3(self.relu(self.layer_2(self.layer_1(x))))
        return out


def accuracy(y: torch.Tensor, preds: torch.Tensor) -> float:
    """Per cent of right labels."""
    return float(torch.eq(y, preds).sum().item() / len(preds) * 100)


def train(
    net: nn.Module, x: torch.Tensor, y: torch.Tensor, x_val: torch.Tensor, y_val: torch.Tensor, epochs: int
) -> None:
    """The notebook's loop: a training step and an evaluation every epoch."""
    loss_fn = nn.BCEWithLogitsLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for epoch in range(epochs):
        net.train()
        logits = net(x).squeeze()
        preds = torch.round(torch.sigmoid(logits))
        loss = loss_fn(logits, y)
        acc = accuracy(y, preds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        net.eval()
        with torch.inference_mode():
            val_logits = net(x_val).squeeze()
            val_loss = loss_fn(val_logits, y_val)
            val_acc = accuracy(y_val, torch.round(torch.sigmoid(val_logits)))
        if epoch % 100 == 0:
            print(f"epoch {epoch}: loss {loss:.4f}, accuracy {acc:.2f}%, test {val_loss:.4f}, {val_acc:.2f}%")


def boundary(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> None:
    """Labels on a grid, and the points over it."""
    low, high = x.min(0).values - 0.1, x.max(0).values + 0.1
    xx, yy = np.meshgrid(np.linspace(low[0], high[0], 101), np.linspace(low[1], high[1], 101))
    grid = torch.from_numpy(np.column_stack((xx.ravel(), yy.ravel()))).float()
    net.eval()
    with torch.inference_mode():
        labels = torch.round(torch.sigmoid(net(grid))).reshape(xx.shape).numpy()
    plt.contourf(xx, yy, labels, cmap="RdYlBu", alpha=0.7)
    plt.scatter(x[:, 0], x[:, 1], c=y, s=40, cmap="RdYlBu")


def main(picture: str) -> None:
    """Everything in the notebook's order."""
    points, labels = make_circles(1000, noise=0.03, random_state=42)
    frame = pd.DataFrame({"X1": points[:, 0], "X2": points[:, 1], "label": labels})
    sns.scatterplot(data=frame, x="X1", y="X2", hue="label")
    plt.close()
    x, y = torch.from_numpy(points).float(), torch.from_numpy(labels).float()
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=42)
    torch.manual_seed(42)
    net = CircleNet()
    train(net, x_train, y_train, x_test, y_test, 1000)
    plt.figure(figsize=(12, 6))
    for place, title, part_x, part_y in ((1, "Train", x_train, y_train), (2, "Test", x_test, y_test)):
        plt.subplot(1, 2, place)
        plt.title(title)
        boundary(net, part_x, part_y)
    plt.savefig(picture)
    torch.save(net.state_dict(), f"{picture}.pt")


if __name__ == "__main__":
    main(sys.argv[1])
