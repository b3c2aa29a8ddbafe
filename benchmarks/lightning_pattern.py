"""The usual Lightning script for the published circle_v2 run: what most templates look like inside.

A `DataLoader` over a `TensorDataset`, torchmetrics and `self.log` in every step, validation every epoch, TensorBoard,
CSV, checkpoints and the Rich progress bar. Run as ``python -m benchmarks.lightning_pattern DIRECTORY [EPOCHS]``.
"""

import sys
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torchmetrics.classification import BinaryAccuracy

from benchmarks.problem import circle_net, circles


class Usual(pl.LightningModule):
    """Loss and accuracy of both splits, logged every epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.loss = circle_net(), nn.BCEWithLogitsLoss()
        self.train_accuracy, self.val_accuracy = BinaryAccuracy(), BinaryAccuracy()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:  # noqa: ARG002
        """Loss of a batch."""
        logits = self.net(batch[0])
        loss: Tensor = self.loss(logits, batch[1])
        self.train_accuracy(logits, batch[1])
        self.log("train/loss", loss, on_step=False, on_epoch=True, prog_bar=True)
        self.log("train/accuracy", self.train_accuracy, on_step=False, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:  # noqa: ARG002
        """Loss and accuracy of a batch."""
        logits = self.net(batch[0])
        self.val_accuracy(logits, batch[1])
        self.log("val/loss", self.loss(logits, batch[1]), on_step=False, on_epoch=True, prog_bar=True)
        self.log("val/accuracy", self.val_accuracy, on_step=False, on_epoch=True, prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The notebook's optimiser."""
        return torch.optim.SGD(self.net.parameters(), lr=0.1)


def fit(directory: Path, epochs: int) -> nn.Module:
    """Train the network with everything on."""
    parts = circles().make_parts()
    train, val = (
        DataLoader(TensorDataset(part.x, part.y.float()[:, None]), batch_size=len(part.x))
        for part in (parts.train, parts.val)
    )
    task = Usual()
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        default_root_dir=directory,
        logger=[TensorBoardLogger(directory), CSVLogger(directory)],
        callbacks=[ModelCheckpoint(monitor="val/loss", save_last=True), RichProgressBar()],
        log_every_n_steps=1,
        num_sanity_val_steps=0,
    )
    trainer.fit(task, train, val)
    return task.net


if __name__ == "__main__":
    fit(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
