"""A table of numbers that need not fit into memory: read in chunks, once to measure it and once for every epoch.

Axes: ``n`` rows of a batch, ``f`` features.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import lightning.pytorch as pl
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from src.config.allowed import Count, NotEmpty, Positive, Range, Seed, checked
from src.config.errors import ConfigError, suggest

Rows = npt.NDArray[np.float64]
Share = Annotated[float, Range(low=0, high=1, open_low=True, open_high=True)]

PARTS = ("train", "val", "test")


class Table:
    """Some columns of a CSV file with a header and a number in every field.

    Args:
        file: The file.
        columns: Those that are read, in this order.
        chunk_rows: Rows in memory at a time.

    Raises:
        ConfigError: If the file is not there, or lacks one of the columns.
    """

    def __init__(self, file: Path, *, columns: Sequence[str], chunk_rows: int) -> None:
        self.file, self.chunk_rows = file, chunk_rows
        if file.exists() and not file.is_file():
            raise ConfigError(f"data.file={file} cannot be read: it is no file but a directory or a device")
        try:
            with file.open(encoding="utf-8") as lines:
                header = [name.strip() for name in lines.readline().split(",")]
        except OSError as error:
            raise ConfigError(f"data.file={file} cannot be read: {error.strerror}") from error
        for column in columns:
            if column not in header:
                raise ConfigError(f"data.file={file} has no column {column!r}; {suggest(column, header)}")
        self._places = [header.index(column) for column in columns]

    def chunks(self) -> Iterator[tuple[int, Rows]]:
        """The number of its first row, and the chunk (n, columns).

        Raises:
            ConfigError: If a field is no finite number.
        """
        start = 0
        with self.file.open(encoding="utf-8") as lines:
            next(lines)
            while some := list(islice(lines, self.chunk_rows)):
                try:
                    rows = np.loadtxt(some, delimiter=",", usecols=self._places, ndmin=2, comments=None)
                except ValueError as error:
                    raise self._refusal(start, len(some), str(error)) from error
                if not np.isfinite(rows).all():
                    raise self._refusal(start, len(some), "a number is not finite")
                yield start, rows
                start += len(rows)

    def _refusal(self, start: int, n: int, why: str) -> ConfigError:
        return ConfigError(f"data.file={self.file}: among the {n} rows from row {start} on: {why}")


@dataclass
class Moments:
    """Mean and spread of columns, chunk by chunk."""

    n: int = 0
    mean: Any = 0.0
    squares: Any = 0.0

    def add(self, rows: Rows) -> None:
        """Take in rows (n, columns)."""
        if len(rows) == 0:
            return
        n, mean = self.n + len(rows), rows.mean(axis=0)
        change = mean - self.mean
        # Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances, 1979
        self.squares = self.squares + ((rows - mean) ** 2).sum(axis=0) + change**2 * self.n * len(rows) / n
        self.mean, self.n = self.mean + change * len(rows) / n, n

    @property
    def std(self) -> Any:
        """Standard deviation of each column; 1 for one that is the same in all rows."""
        std = np.sqrt(self.squares / max(self.n, 1))
        return np.where(std > 0, std, 1.0)


def part_of(rows: npt.NDArray[np.int64], *, seed: int, val_size: float, test_size: float) -> npt.NDArray[np.int64]:
    """Index in `PARTS` (n,) of rows by their numbers (n,): the same in every pass, whatever the chunks.

    A hash of a row's number stands for a draw, since a permutation of all rows would have to be in memory.
    """
    # SplitMix64: Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014
    with np.errstate(over="ignore"):
        x = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(seed)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    drawn = x / 2.0**64
    return np.where(drawn < test_size, 2, np.where(drawn < test_size + val_size, 1, 0))


class Stream(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches of one part, float32: features (n, f), targets (n, 1).

    Args:
        chunks: Begins a pass: numbers of the chunks, and their rows of this part, standardised; the target stands last.
        batch_size: Rows per batch; the last one may be smaller.
        shuffle: Order the rows of each chunk anew, by the generator that is PyTorch's global one here.
    """

    def __init__(self, chunks: Callable[[], Iterable[tuple[int, Rows]]], *, batch_size: int, shuffle: bool) -> None:
        self.chunks, self.batch_size, self.shuffle = chunks, batch_size, shuffle

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        worker = get_worker_info()
        mine, n_workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        generator = np.random.default_rng(int(torch.randint(2**63 - 1, ()))) if self.shuffle else None
        left: Rows | None = None
        for number, rows in self.chunks():
            if number % n_workers != mine:
                continue
            chunk = rows if left is None else np.concatenate([left, rows])
            if generator is not None:
                chunk = generator.permutation(chunk)
            n_whole = len(chunk) - len(chunk) % self.batch_size
            for start in range(0, n_whole, self.batch_size):
                yield _as_batch(chunk[start : start + self.batch_size])
            left = chunk[n_whole:].copy()
        if left is not None and len(left):
            yield _as_batch(left)


def _as_batch(rows: Rows) -> tuple[Tensor, Tensor]:
    both = torch.from_numpy(rows.astype(np.float32))
    return both[:, :-1], both[:, -1:]


class StreamedTable(pl.LightningDataModule):
    """Rows of a CSV file, never more than a chunk of them in memory.

    A first pass takes mean and standard deviation of every column over the training rows; all parts are standardised
    by them, the target as well.

    Args:
        file: CSV file with a header; every field that is read is a finite number.
        features: Columns that go in.
        target: Column that is predicted.
        chunk_rows: Rows in memory at a time: of one process, and of each worker.
        batch_size: Rows per batch.
        val_size: Share of the rows for validation.
        test_size: Share of the rows for the test at the end.
        split_seed: Draws which rows these are.
        num_workers: Processes that read; 0 for none but this one. Each reads the whole file and hands on its chunks.

    Raises:
        ConfigError: If nothing is left for training, or the file is not as said.
    """

    @checked("data")
    def __init__(
        self,
        *,
        file: NotEmpty,
        features: Sequence[NotEmpty],
        target: NotEmpty,
        chunk_rows: Count,
        batch_size: Count,
        val_size: Share,
        test_size: Share,
        split_seed: Seed,
        num_workers: Annotated[int, Range(low=0)],
    ) -> None:
        super().__init__()
        if val_size + test_size >= 1:
            raise ConfigError(f"data.val_size={val_size} and data.test_size={test_size} leave nothing for training")
        if not features:
            raise ConfigError("data.features is empty; allowed: at least one column")
        self.batch_size, self.num_workers = batch_size, num_workers
        self.val_size, self.test_size, self.split_seed = val_size, test_size, split_seed
        self.table = Table(Path(file).expanduser(), columns=[*features, target], chunk_rows=chunk_rows)
        self.moments: Moments | None = None
        # Rows of each part.
        self.n_rows = dict.fromkeys(PARTS, 0)

    def setup(self, stage: str) -> None:  # noqa: ARG002 - Lightning's signature
        """Measure the table, once.

        Raises:
            ConfigError: If a part has no rows, or several processes train: their shares would not be of one length.
        """
        if self.trainer is not None and self.trainer.world_size > 1:
            raise ConfigError(f"data={type(self).__name__} streams to one process; give trainer.devices=1")
        if self.moments is not None:
            return
        moments = Moments()
        for start, rows in self.table.chunks():
            parts = self._parts(start, len(rows))
            moments.add(rows[parts == 0])
            for name, n in zip(PARTS, np.bincount(parts, minlength=len(PARTS)), strict=True):
                self.n_rows[name] += int(n)
        if empty := [name for name, n in self.n_rows.items() if n == 0]:
            raise ConfigError(f"data.file={self.table.file}: too few rows, none for {', '.join(empty)}")
        self.moments = moments

    def _parts(self, start: int, n: int) -> npt.NDArray[np.int64]:
        numbers = np.arange(start, start + n)
        return part_of(numbers, seed=self.split_seed, val_size=self.val_size, test_size=self.test_size)

    def chunks(self, part: str) -> Iterator[tuple[int, Rows]]:
        """Numbers of the chunks, and their rows of a part, standardised."""
        assert self.moments is not None
        mean, std = self.moments.mean, self.moments.std
        for number, (start, rows) in enumerate(self.table.chunks()):
            mine = rows[self._parts(start, len(rows)) == PARTS.index(part)]
            yield number, (mine - mean) / std

    def stream(self, part: str, *, shuffle: bool = False) -> Stream:
        """A part, batch by batch."""
        return Stream(_Pass(self, part), batch_size=self.batch_size, shuffle=shuffle)

    def _loader(self, part: str, *, shuffle: bool = False) -> DataLoader[Any]:
        # the stream makes the batches itself
        return DataLoader(self.stream(part, shuffle=shuffle), batch_size=None, num_workers=self.num_workers)

    def train_dataloader(self) -> DataLoader[Any]:
        """Training rows; those of a chunk in a new order every epoch."""
        return self._loader("train", shuffle=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation rows."""
        return self._loader("val")

    def test_dataloader(self) -> DataLoader[Any]:
        """Test rows."""
        return self._loader("test")


class _Pass:
    """Begins a pass over a part; unlike a closure it can be sent to a worker."""

    def __init__(self, data: StreamedTable, part: str) -> None:
        self.data, self.part = data, part

    def __call__(self) -> Iterator[tuple[int, Rows]]:
        return self.data.chunks(self.part)

    def __getstate__(self) -> dict[str, Any]:
        # without the trainer
        data = object.__new__(type(self.data))
        names = ("table", "moments", "val_size", "test_size", "split_seed")
        data.__dict__.update({name: getattr(self.data, name) for name in names})
        return {"data": data, "part": self.part}


class TableRegressor(pl.LightningModule):
    """Layers with ReLU, for one standardised number.

    Args:
        features: Columns that go in.
        hidden: Width of each hidden layer; empty for a linear model.
        lr: Learning rate of Adam.
    """

    def __init__(self, *, features: Sequence[NotEmpty], hidden: Sequence[Count], lr: Positive) -> None:
        super().__init__()
        self.lr = lr
        self.net = nn.Sequential()
        n_in = len(features)
        for width in hidden:
            self.net.extend([nn.Linear(n_in, width), nn.ReLU()])
            n_in = width
        self.net.append(nn.Linear(n_in, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Predictions (n, 1), in standard deviations of the target, of features (n, f)."""
        predicted: Tensor = self.net(x)
        return predicted

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002 - Lightning's signature
        """Squared error."""
        return self._step("train", batch)

    def validation_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Squared and absolute error."""
        self._step("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        """Squared and absolute error."""
        self._step("test", batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.lr)

    def _step(self, split: str, batch: Any) -> Tensor:
        x, y = batch
        predicted = self(x)
        loss = nn.functional.mse_loss(predicted, y)
        values = {f"{split}/loss": loss, f"{split}/mae": (predicted - y).abs().mean()}
        self.log_dict(values, on_step=False, on_epoch=True, batch_size=len(x))
        return loss
