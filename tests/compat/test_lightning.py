"""Lightning's counters, which a block of epochs moves on."""

from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.demos.boring_classes import BoringModel

from tests.compat.parts import part_of


class Skipping(BoringModel):
    """Trains by hand; after its first epoch it says that it has trained three."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.seen: list[int] = []

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:  # noqa: ARG002
        optimizer = self.optimizers()
        assert isinstance(optimizer, pl.core.optimizer.LightningOptimizer)
        optimizer.step()

    def on_train_epoch_end(self) -> None:
        from src.compat.lightning import skip_epochs

        self.seen.append(self.current_epoch)
        if self.current_epoch == 0:
            skip_epochs(self.trainer, 2, n_steps=10)


def test_skipped_epochs_and_steps_count_and_are_stored(tmp_path: Path) -> None:
    with part_of("lightning", "lightning"):
        model = Skipping()
        trainer = pl.Trainer(
            max_epochs=5,
            limit_train_batches=2,
            limit_val_batches=0,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=tmp_path,
        )
        trainer.fit(model)
        assert model.seen == [0, 3, 4]
        assert trainer.current_epoch == 5
        assert trainer.global_step == 3 * 2 + 10
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        stored = torch.load(tmp_path / "last.ckpt", weights_only=True)
        assert (stored["epoch"], stored["global_step"]) == (5, 16)
