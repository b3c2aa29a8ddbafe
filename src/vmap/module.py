"""Many models, trained inside Lightning's Trainer."""

from collections.abc import Iterator, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.precision import DoublePrecision

from src.compat.lightning import skip_epochs
from src.console.sweep import NoProgress
from src.data.base import Part
from src.tasks.base import Task
from src.tasks.loop import names_of
from src.vmap.limits import cut
from src.vmap.models import Model
from src.vmap.stacked.schedulers import StackedPlateau
from src.vmap.tile import Monitor, Tile
from src.vmap.unfinished import tiles_in

# Models with the same data compute faster, so that many of them are worth a tile of their own.
_SHARING = 16


class StackedModule(pl.LightningModule):
    """The models of a chunk as one module, trained in blocks of epochs as `Task` trains one model.

    A block takes one tile after the other.

    Args:
        models: Models of the chunk.
        task: Their loss, score and network.
        batch_size: Samples per training batch; None for all of them.
        monitor: Decides which weights are the best; None keeps none.
        tile: Most models that one step computes.
        progress: Hears of every block of a tile.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        task: Task,
        batch_size: int | None,
        monitor: Monitor | None,
        tile: int,
        progress: NoProgress,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._models, self._batch_size, self._monitor, self._tile = models, batch_size, monitor, tile
        self._progress = progress
        # in a list: as a submodule, its weights would stand in this module's checkpoints
        self._task = [task]
        self.tiles: list[Tile] = []
        self._loaded: list[dict[str, Any]] = []

    def configure_optimizers(self) -> list[Any]:
        """None of torch's."""
        return []

    def on_fit_start(self) -> None:
        """Lay out the tiles on the device."""
        (task,) = self._task
        precision = self.trainer.precision_plugin
        precision.convert_module(task).to(self.device)
        dtype = torch.float64 if isinstance(precision, DoublePrecision) else torch.float32
        self.tiles = [
            Tile(
                models,
                task=task,
                ready=self._ready,
                dtype=dtype,
                batch_size=self._batch_size,
                monitor=self._monitor,
            )
            for models in tiles_of(self._models, self._tile)
        ]
        for tile, state in zip(self.tiles, self._loaded, strict=bool(self._loaded)):
            tile.load_state_dict(state)
            self._progress.epochs_done((tile.epochs[-1] + 1) * len(tile.models))
        self._loaded = []
        every_epoch = isinstance(self.tiles[0].scheduler, StackedPlateau)
        self.schedule = task.make_schedule(self.trainer.max_epochs, every_epoch=every_epoch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the models have come to; it is no module's state."""
        checkpoint["tiles"] = [tile.state_dict() for tile in self.tiles]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up once the tiles are laid out."""
        self._loaded = tiles_in(checkpoint, names_of(self._task[0].score_name))

    def _ready(self, part: Part) -> Part:
        convert = self.trainer.precision_plugin.convert_input
        x, y = (tensor.to(self.device) for tensor in part)
        return Part(convert(x), convert(self._task[0].targets(y)))

    def training_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Train a block of epochs, tile by tile."""
        block = self.schedule.block(self.trainer.current_epoch)
        for tile in self.tiles:
            # nothing is left to train where all have failed
            if tile.is_finite.any():
                tile.train(block, self.schedule)
            self._progress.epochs_done(len(block) * len(tile.models))
        skip_epochs(self.trainer, len(block) - 1, n_steps=len(block) * self.tiles[0].n_batches)


def tiles_of(models: Sequence[Model], size: int) -> Iterator[Sequence[Model]]:
    """Models in groups of at most ``size``; many with the same data have groups of their own."""
    by_data: dict[int, list[Model]] = {}
    for model in models:
        by_data.setdefault(id(model.parts), []).append(model)
    large = [group for group in by_data.values() if len(group) >= _SHARING]
    rest = [model for group in by_data.values() if len(group) < _SHARING for model in group]
    for group in [*large, rest]:
        yield from cut(group, size)
