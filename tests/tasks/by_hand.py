"""A loop written by hand, and what it is compared with."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from src.build import Built
from src.data.base import Batches, Part
from tests.tasks.runs import circle_v2

# 40 training samples make 3 batches, the last one smaller.
MINI = ("data.n_samples=50", "data.n_val=30", "data.batch_size=16", "trainer.max_epochs=8")

MakeOptimizer: TypeAlias = Callable[..., Optimizer]
MakeScheduler: TypeAlias = Callable[..., LRScheduler]


def rows_of(run_dir: Path) -> dict[int, dict[str, float]]:
    with (run_dir / "metrics.csv").open(newline="") as file:
        return {int(row["epoch"]): {k: float(v) for k, v in row.items()} for row in csv.DictReader(file)}


class ByHand:
    """The same training, with nothing between the reader and PyTorch."""

    def __init__(
        self,
        built: Built,
        *,
        n_epochs: int,
        optimizer: MakeOptimizer,
        scheduler: MakeScheduler | None = None,
        clip: float | None = None,
        seed: int = 42,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        data = built.datamodule
        self.net = circle_v2(seed).to(dtype)
        self.lr: list[float] = []
        self.train_loss: list[float] = []
        self.train_accuracy: list[float] = []
        self.val_loss: list[float] = []
        self.val_accuracy: list[float] = []
        self.loss = nn.BCEWithLogitsLoss()
        train, val = (Part(part.x.to(dtype), part.y.to(dtype).unsqueeze(1)) for part in data.make_parts()[:2])
        optim = optimizer(self.net.parameters())
        schedule = scheduler(optim) if scheduler else None
        batches = Batches(train, batch_size=data.batch_size, seed=data.batch_seed)
        for epoch in range(n_epochs):
            batches.set_epoch(epoch)
            self.lr.append(optim.param_groups[0]["lr"])
            loss = accuracy = 0.0
            for x, y, *_ in batches:
                logits = self.net(x)
                mean = self.loss(logits, y)
                loss += mean.item() * len(x) / batches.n
                accuracy += ((logits > 0) == (y > 0.5)).sum().item() / batches.n
                optim.zero_grad()
                mean.backward()
                if clip is not None:
                    nn.utils.clip_grad_norm_(self.net.parameters(), clip)
                optim.step()
            self.train_loss.append(loss)
            self.train_accuracy.append(accuracy)
            self.look(val)
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(self.val_loss[-1])
            elif schedule is not None:
                schedule.step()

    @torch.no_grad()
    def look(self, val: Part) -> None:
        logits = self.net(val.x)
        self.val_loss.append(self.loss(logits, val.y).item())
        self.val_accuracy.append(((logits > 0) == (val.y > 0.5)).double().mean().item())
