"""Many models, trained inside Lightning's Trainer."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.plugins.precision import DoublePrecision

from src.compat.lightning import completed, skip_epochs, uncount_block
from src.config.command import interrupts
from src.console.sweep import NoProgress
from src.data.base import Part
from src.tasks.checkpoint import loops_of
from src.tasks.training.loop import names_of
from src.vmap.limits import cut
from src.vmap.models import Model
from src.vmap.stacked.padded import Frame
from src.vmap.stacked.schedulers import StackedPlateau
from src.vmap.tile import Ending, Monitor, Tile
from src.vmap.unfinished import tiles_in

# Models with the same data compute faster, so that many of them are worth a tile of their own.
_SHARING = 16


class StackedModule(pl.LightningModule):
    """The models of a chunk as one module, trained in blocks of epochs as `Task` trains one model.

    A block takes one tile after the other. Models that stop early, or are lost, leave their tile for one that has
    ended.

    Args:
        models: Models of the chunk.
        batch_size: Samples per training batch; None for all of them.
        drop_last: Leave out a last training batch that is smaller.
        monitor: Decides which weights are the best; None keeps none.
        tile: Most models that one step computes.
        progress: Hears of every block of a tile.
        threads: Tiles that are trained at the same time, where they share nothing that they change.
        fused: Whether the compiled kernel may compute, where it can.
    """

    def __init__(
        self,
        models: Sequence[Model],
        *,
        batch_size: int | None,
        monitor: Monitor | None,
        tile: int,
        progress: NoProgress,
        drop_last: bool = False,
        threads: int = 1,
        fused: bool = False,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self._batch_size, self._monitor, self._tile = batch_size, monitor, tile
        self._progress, self._drop_last, self._threads, self._fused = progress, drop_last, threads, fused
        # one task for each structure, in a list: as submodules, their weights would stand in this module's checkpoints
        self._tasks = list(dict.fromkeys(model.task for model in models))
        self._frame = Frame(self._tasks)
        self._models = sorted(models, key=lambda model: self._frame.order_of(model.task))
        self.tiles: list[Tile] = []
        self._loaded: list[dict[str, Any]] = []
        # Epochs that the checkpoint has seen from which this goes on.
        self._n_before = 0
        self._is_asked_to_end = False

    def configure_optimizers(self) -> list[Any]:
        """None of torch's."""
        return []

    def on_fit_start(self) -> None:
        """Lay out the tiles on the device."""
        precision = self.trainer.precision_plugin
        for task in self._tasks:
            precision.convert_module(task).to(self.device)
        whole = tiles_of(self._models, self._tile)
        if self._loaded:
            # of the version before, tiles are whole
            numbers = [state.get("models") for state in self._loaded]
            groups = [next(whole) if own is None else [self._models[i] for i in own] for own in numbers]
            self.tiles = [self._load(*each) for each in zip(groups, self._loaded, strict=True)]
            for tile in self.tiles:
                n_epochs = self._n_before if tile.ending is None else self._max_epochs
                self._progress.epochs_done(n_epochs * len(tile.models))
        else:
            self.tiles = [self._lay_out(models) for models in whole]
        self._loaded = []
        self._end_where_all_have()
        every_epoch = isinstance(self.tiles[0].scheduler, StackedPlateau)
        self.schedule = self._tasks[0].make_schedule(self.trainer.max_epochs, every_epoch=every_epoch)

    @property
    def _max_epochs(self) -> int:
        n = self.trainer.max_epochs
        assert n is not None
        return n

    def _lay_out(self, models: Sequence[Model]) -> Tile:
        is_double = isinstance(self.trainer.precision_plugin, DoublePrecision)
        return Tile(
            models,
            frame=self._frame,
            ready=self._ready,
            dtype=torch.float64 if is_double else torch.float32,
            batch_size=self._batch_size,
            drop_last=self._drop_last,
            fused=self._fused,
            monitor=self._monitor,
        )

    def _load(self, models: Sequence[Model], state: dict[str, Any]) -> Tile:
        tile = self._lay_out(models)
        tile.load_state_dict(state)
        return tile

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the models have come to; it is no module's state."""
        self._note_loops()
        number = {id(model): i for i, model in enumerate(self._models)}
        checkpoint["tiles"] = [
            {**tile.state_dict(), "models": [number[id(model)] for model in tile.models]} for tile in self.tiles
        ]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take it up once the tiles are laid out."""
        # written at the end of an epoch, or of all
        self._n_before = min(checkpoint["epoch"] + 1, self._max_epochs)
        self._loaded = tiles_in(checkpoint, names_of(self._tasks[0].score_name))

    def _ready(self, part: Part) -> Part:
        convert = self.trainer.precision_plugin.convert_input
        x, y = (tensor.to(self.device) for tensor in part)
        return Part(convert(x), convert(self._tasks[0].targets(y)))

    def training_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        """Train a block of epochs, tile by tile."""
        if self._is_asked_to_end:
            # the chunk's checkpoint is written
            raise KeyboardInterrupt
        whole = self.schedule.block(self.trainer.current_epoch)
        tiles = [tile for tile in self.tiles if tile.ending is None]
        beside = self._threads > 1 and len(tiles) > 1 and all(tile.is_apart for tile in tiles)
        block = self._train_beside(tiles, whole) if beside else self._train_in_turn(tiles, whole)
        for tile in tiles if block == whole else ():
            tile.keep_best(block[-1])
            self._let_go(tile, block[-1])
        if block != whole:
            uncount_block(self.trainer)
        self._is_asked_to_end = interrupts.asked()
        self._end_where_all_have()
        skip_epochs(self.trainer, len(block) - 1, n_steps=len(block) * self.tiles[0].n_batches)

    def _train_in_turn(self, tiles: Sequence[Tile], whole: range) -> range:
        """Train a block of epochs, or as far as a signal lets them come."""
        block = whole
        for i, tile in enumerate(tiles):
            # the first tile hears a signal in the middle of a block, and the others follow as far as that
            tile.train(block if i else interrupts.until_asked(whole), self.schedule)
            block = range(whole.start, tile.epoch + 1)
            self._progress.epochs_done(len(block) * len(tile.models))
        return block

    def _train_beside(self, tiles: Sequence[Tile], whole: range) -> range:
        """The same in threads, which never wait for each other within a block."""
        with ThreadPoolExecutor(self._threads) as pool:
            # what one raises is raised here
            for _ in pool.map(lambda tile: tile.train(interrupts.until_asked(whole), self.schedule), tiles):
                pass
        block = range(whole.start, max(tile.epoch for tile in tiles) + 1)
        for tile in tiles:
            # each hears a signal by itself: the others follow as far as the last of them
            if behind := range(tile.epoch + 1, block.stop):
                tile.train(behind, self.schedule)
            self._progress.epochs_done(len(block) * len(tile.models))
        return block

    def _let_go(self, tile: Tile, epoch: int) -> None:
        """Part a tile, after its block has ended with an epoch, from those models that train no longer."""
        leaves = tile.look(epoch).tolist()
        n_left = self._max_epochs - epoch - 1
        if not any(leaves) or n_left == 0:
            return
        self._progress.epochs_done(n_left * sum(leaves))
        if not all(leaves):
            rest = self._part_of(tile, [i for i, each in enumerate(leaves) if not each])
            self.tiles[self.tiles.index(tile)] = rest
            tile = self._part_of(tile, [i for i, each in enumerate(leaves) if each])
            self.tiles.append(tile)
        tile.ending = Ending(epoch + 1, loops=None)

    def _part_of(self, tile: Tile, places: Sequence[int]) -> Tile:
        """A tile of its own for some models of a tile."""
        return self._load([tile.models[i] for i in places], tile.state_of(places))

    def _end_where_all_have(self) -> None:
        if all(tile.ending is not None for tile in self.tiles):
            self.trainer.should_stop = True

    def on_train_epoch_end(self) -> None:
        """Keep how far the trainer has come with the models that have ended."""
        self._note_loops()

    def _note_loops(self) -> None:
        for tile in self.tiles:
            if tile.ending is not None and tile.ending.loops is None:
                tile.ending = tile.ending._replace(loops=completed(loops_of(self.trainer)))


def tiles_of(models: Sequence[Model], size: int) -> Iterator[Sequence[Model]]:
    """Models in groups of at most ``size``; many with the same data have groups of their own."""
    by_data: dict[int, list[Model]] = {}
    for model in models:
        by_data.setdefault(id(model.parts), []).append(model)
    large = [group for group in by_data.values() if len(group) >= _SHARING]
    rest = [model for group in by_data.values() if len(group) < _SHARING for model in group]
    for group in [*large, rest]:
        yield from cut(group, size)
