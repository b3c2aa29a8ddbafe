"""What all data modules share: parts held in memory, moved to the device once, cut into seeded batches.

Axes: ``n`` samples, ``f`` features.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from torch import Tensor
from torch.utils.data import SequentialSampler

from src.config.allowed import Count, Seed, checked
from src.data.check import checked_parts, row_of_part
from src.data.parts import Part as Part
from src.data.parts import Parts as Parts
from src.data.spec import DataSpec


class Batch(NamedTuple):
    """Some samples of a part.

    Attributes:
        x: Inputs (b, f).
        y: Targets (b,) or (b, t).
        share: Share of the epoch's samples that this batch holds, so that a weighted sum over batches is a mean.
        scale: What the mean loss is multiplied by before its gradient is averaged over processes; 1 unless they hold
            unequal numbers of samples.
    """

    x: Tensor
    y: Tensor
    share: float
    scale: float


class _EpochListener(SequentialSampler):
    """Passes on which epoch begins; sequential in the eyes of Lightning, since `Batches` orders its samples itself."""

    def __init__(self, batches: "Batches") -> None:
        super().__init__(batches)
        self.batches = batches

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of every epoch."""
        self.batches.set_epoch(epoch)


class Batches:
    """A part cut into batches; without a seed in order, else in a new order every epoch.

    Slices whole tensors, since fetching point by point, as `torch.utils.data.DataLoader` does, costs more than training
    a small network on them. The order of an epoch depends on (seed, epoch) alone, so that a run goes on exactly where
    it stopped.

    Args:
        part: The samples.
        batch_size: Samples per batch; None for one batch that holds everything. The last batch may be smaller.
        seed: Orders the samples; None keeps their order.
        limit: Largest number of batches of a pass, or share of them; None for all.
        drop_last: Leave out a last batch that is smaller; a part that is smaller than one batch stays whole.
        rank: Number of this process; it gets every ``world_size``-th sample of each batch.
        world_size: Number of processes.
    """

    def __init__(
        self,
        part: Part,
        *,
        batch_size: int | None,
        seed: int | None = None,
        limit: float | None = None,
        drop_last: bool = False,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.part, self.seed, self.rank, self.world_size = part, seed, rank, world_size
        self.n = len(part.x)
        self.batch_size = min(batch_size or self.n, self.n)
        n_batches = self.n // self.batch_size if drop_last else -(-self.n // self.batch_size)
        if isinstance(limit, int):
            n_batches = min(n_batches, limit)
        elif limit is not None:
            n_batches = max(1, int(n_batches * limit))
        self.n_batches = n_batches
        self.epoch = 0
        # where Lightning looks for somebody to tell of a new epoch
        self.sampler, self.batch_sampler = _EpochListener(self), None

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n_batches

    def order(self) -> Tensor | None:
        """Indices (n,) of this epoch's order, or None for the order in which samples are stored."""
        if self.seed is None or self.batch_size == self.n:
            return None
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + self.epoch) % 2**63)
        return torch.randperm(self.n, generator=generator).to(self.part.x.device, non_blocking=True)

    def __iter__(self) -> Iterator[Batch]:
        return self.first(self.n_batches)

    def first(self, n_batches: float) -> Iterator[Batch]:
        """A pass that ends after so many batches, if it has not ended before."""
        x, y = self.part
        order = self.order()
        if order is not None:
            x, y = x[order], y[order]
        n_used = int(min(self.n, self.n_batches * self.batch_size, n_batches * self.batch_size))
        for start in range(0, n_used, self.batch_size):
            stop = min(start + self.batch_size, self.n)
            mine = slice(start + self.rank, stop, self.world_size)
            n_mine = len(range(start + self.rank, stop, self.world_size))
            if n_mine == 0:
                # fewer samples than processes: this one joins in with a sample that does not count
                yield Batch(x[start : start + 1], y[start : start + 1], 0.0, 0.0)
                continue
            # the slice of everything costs as much as a small layer, so it is not taken
            xs, ys = (x, y) if n_mine == self.n else (x[mine], y[mine])
            yield Batch(xs, ys, n_mine / n_used, n_mine * self.world_size / (stop - start))


class Pairs(Batches):
    """The same batches as plain pairs of inputs and targets, which any LightningModule takes."""

    def __iter__(self) -> Iterator[Any]:
        return (Part(x, y) for x, y, *_ in super().__iter__())


class InMemoryDataModule(pl.LightningDataModule, ABC):
    """Base of all data modules: a subclass tells its `spec` and makes its parts.

    Args:
        batch_size: Samples per training batch; None for the whole training part.
        batch_seed: Orders the training batches.
        drop_last: Leave out a last training batch that is smaller than the others.

    Raises:
        ValueError: If ``batch_size`` is neither None nor a whole number of at least 1, ``batch_seed`` is no seed, or
            ``drop_last`` is no truth value.
    """

    # Validation and test take batches of this size: more brings no speed, only memory.
    EVAL_BATCH_SIZE = 65_536

    @checked("data")
    def __init__(self, *, batch_size: Count | None, batch_seed: Seed, drop_last: bool = False) -> None:
        super().__init__()
        self.batch_size, self.batch_seed, self.drop_last = batch_size, batch_seed, drop_last
        self._parts: Parts | None = None

    @property
    def record(self) -> dict[str, Any] | None:
        """What was learnt of the data, in plain containers that a run stores; None where nothing is."""
        return None

    def use(self, record: Mapping[str, Any]) -> None:  # noqa: ARG002 - of those that learn
        """Do with the data what a run did that has stored this `record`, instead of learning anew.

        Raises:
            ValueError: If it is none of this class.
        """
        raise ValueError(f"{type(self).__name__} learns nothing of its data")

    @property
    def changed(self) -> str | None:
        """That the data are not those of the run whose record is in use, in a sentence; None if that is not known."""
        return None

    @property
    @abstractmethod
    def spec(self) -> DataSpec:
        """Sizes and names, known before any data are made."""

    @abstractmethod
    def make_parts(self) -> Parts:
        """Generate or load all three parts, on the CPU."""

    @property
    def parts(self) -> Parts:
        """All three parts, made when first asked for; on the trainer's device once training or testing has begun.

        Raises:
            ConfigError: If they are not what `spec` says, or hold numbers that are not finite.
        """
        if self._parts is None:
            self._parts = checked_parts(
                self.make_parts(), self.spec, source=self.source_in_words(), place=self.place_in_words
            )
        return self._parts

    def source_in_words(self) -> str:
        """What chose these data, for messages."""
        return f"data._target_={type(self).__module__}.{type(self).__qualname__}"

    def place_in_words(self, part: str, row: int) -> str:
        """Where a sample is, in words."""
        return row_of_part(part, row)

    def share_parts(self, parts: Parts) -> None:
        """Hold these parts, which are equal to its own, instead of them."""
        self._parts = parts

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning's signature
        """Put all parts on the device that trains, once, instead of batch by batch."""
        if self.trainer is not None:
            device = self.trainer.strategy.root_device
            self._parts = Parts(*(Part(*(t.to(device) for t in part)) for part in self.parts))

    def train_dataloader(self) -> Batches:
        """Training batches, or the whole part for a task that cuts its own."""
        if self._hands_over_blocks():
            return Batches(self.parts.train, batch_size=None)
        if self.trainer is None:
            return self.train_batches(self.parts.train, seed=self.batch_seed)
        return self.batches_of_fit(self.parts.train)

    def batches_of_fit(self, part: Part) -> Batches:
        """The training part as the trainer's flags want it cut."""
        assert self.trainer is not None
        trainer = self.trainer
        return self.train_batches(
            part,
            seed=None if getattr(trainer, "overfit_batches", 0) > 0 else self.batch_seed,
            limit=trainer.limit_train_batches,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
        )

    def train_batches(
        self,
        part: Part,
        *,
        seed: int | None,
        limit: float | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> Batches:
        """A part cut as the training part is."""
        return self._kind(
            part,
            batch_size=self.batch_size,
            seed=seed,
            limit=limit,
            drop_last=self.drop_last,
            rank=rank,
            world_size=world_size,
        )

    def val_dataloader(self) -> Batches | list[Batches]:
        """Validation batches; none while a task fits that measures validation itself."""
        if self._hands_over_blocks() and self.trainer is not None and self.trainer.state.fn == "fit":
            return []
        return self._eval_batches(self.parts.val)

    def test_dataloader(self) -> Batches:
        """Test batches."""
        return self._eval_batches(self.parts.test)

    def _eval_batches(self, part: Part) -> Batches:
        """A part in order; every process gets its share, since metrics add up over processes."""
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return self._kind(part, batch_size=self.EVAL_BATCH_SIZE, rank=rank, world_size=world_size)

    @property
    def _kind(self) -> type[Batches]:
        """What a task of this project is given, or any other module."""
        is_other = self.trainer is not None and not hasattr(self.trainer.lightning_module, "trains_in_blocks")
        return Pairs if is_other else Batches

    def _hands_over_blocks(self) -> bool:
        return self.trainer is not None and getattr(self.trainer.lightning_module, "trains_in_blocks", False)
