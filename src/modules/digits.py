"""Handwritten digits, as tutorials of Lightning write it: a convolutional network, and loaders of PyTorch's own."""

from typing import Any

import lightning.pytorch as pl
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset, TensorDataset, random_split
from torchmetrics.functional.classification import multiclass_accuracy

from src.config.allowed import Count, Positive, Share


class DigitsImages(pl.LightningDataModule):
    """The 1,797 images of 8 x 8 pixels that ship with scikit-learn, in batches from a `DataLoader`.

    Args:
        batch_size: Images per batch.
        num_workers: Processes that load them; 0 for none but this one.
        split_seed: Draws which images are for training, validation and test: 1,197, 300 and 300.
    """

    def __init__(self, *, batch_size: int, num_workers: int, split_seed: int) -> None:
        super().__init__()
        self.batch_size, self.num_workers, self.split_seed = batch_size, num_workers, split_seed
        self.parts: list[Subset[tuple[Tensor, ...]]] = []

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning's signature
        """Read and split."""
        if self.parts:
            return
        images, labels = load_digits(return_X_y=True)
        x = torch.from_numpy(images).float().view(-1, 1, 8, 8) / 16
        generator = torch.Generator().manual_seed(self.split_seed)
        self.parts = random_split(TensorDataset(x, torch.from_numpy(labels)), [1197, 300, 300], generator)

    def _loader(self, part: int, *, shuffle: bool = False) -> DataLoader[Any]:
        return DataLoader(
            self.parts[part],
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Training images in a new order every epoch."""
        return self._loader(0, shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation images."""
        return self._loader(1)

    def test_dataloader(self) -> DataLoader[Any]:
        """Test images."""
        return self._loader(2)


class DigitsCNN(pl.LightningModule):
    """Two convolutions and a linear layer.

    Args:
        channels: Channels of the first convolution; the second has twice as many.
        dropout: Share of the features that is dropped while training.
        lr: Learning rate of Adam.
    """

    def __init__(self, *, channels: Count, dropout: Share, lr: Positive) -> None:  # noqa: ARG002 - read from hparams
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(8 * channels, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, 10) of images (n, 1, 8, 8)."""
        logits: Tensor = self.net(x)
        return logits

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002 - Lightning's signature
        """Cross entropy."""
        return self._step("train", batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Loss and accuracy."""
        self._step("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Loss and accuracy."""
        self._step("test", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.hparams["lr"])

    def _step(self, split: str, batch: Any) -> Tensor:
        x, y = batch
        logits = self(x)
        loss = nn.functional.cross_entropy(logits, y)
        accuracy = multiclass_accuracy(logits, y, num_classes=10, average="micro")
        self.log_dict({f"{split}/loss": loss, f"{split}/accuracy": accuracy}, on_step=False, on_epoch=True)
        return loss
