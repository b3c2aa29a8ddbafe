"""What a shard leaves while it trains, from which a repeated command goes on."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl

from src.callbacks.checkpoint import load_checkpoint
from src.config.errors import ConfigError
from src.sweep.jobs import Job
from src.vmap.members import Maker

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Shard:
    """Models that are trained together.

    Attributes:
        jobs: What asked for them.
        size: Largest number of models of a cohort.
        path: A checkpoint of the shard, where it has left one.
        seconds: Time that it has trained before that.
    """

    jobs: Sequence[Job]
    size: int
    path: Path | None = None
    seconds: float = 0.0


def fingerprint(job: Job, maker: Maker) -> str:
    """Short for all that a job's model depends on."""
    return hashlib.sha256(json.dumps(maker.plain(job), sort_keys=True).encode()).hexdigest()


def find(folder: Path, jobs: Sequence[Job], maker: Maker) -> Iterator[Shard]:
    """Shards of these jobs that have been left unfinished.

    Args:
        folder: Where they are kept.
        jobs: A bucket, with the jobs that are completed.
        maker: Knows the jobs.
    """
    paths = sorted(folder.glob("*.ckpt"))
    left = {fingerprint(job, maker): job for job in jobs} if paths else {}
    for path in paths:
        try:
            begun = load_checkpoint(path)["shard"]
        except ConfigError as error:
            log.warning("%s", error)
            continue
        # of other buckets, or of jobs that have changed
        if not left.keys() >= set(begun["jobs"]):
            continue
        found = [left.pop(name) for name in begun["jobs"]]
        yield Shard(found, begun["size"], path, begun["seconds"])


class KeepShard(pl.Callback):
    """Writes a checkpoint of all models of a shard every few seconds, and once they are trained.

    Args:
        folder: Where it stands, under a name of its own.
        every_s: Seconds between two writes.
        shard: What is trained.
        maker: Knows the jobs.
    """

    def __init__(self, folder: Path, *, every_s: float, shard: Shard, maker: Maker) -> None:
        self._jobs = [fingerprint(job, maker) for job in shard.jobs]
        self._shard, self._every_s = shard, every_s
        self._started = self._written_at = time.monotonic()
        self.path = shard.path or folder / f"{hashlib.sha256(''.join(self._jobs).encode()).hexdigest()[:16]}.ckpt"

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write if it is time."""
        if time.monotonic() - self._written_at >= self._every_s:
            self._write(trainer)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write: recording takes a while, too."""
        self._write(trainer)

    def on_save_checkpoint(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, object],
    ) -> None:
        """Say whose it is."""
        seconds = self._shard.seconds + time.monotonic() - self._started
        checkpoint["shard"] = {"jobs": self._jobs, "size": self._shard.size, "seconds": seconds}

    def _write(self, trainer: pl.Trainer) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        trainer.save_checkpoint(self.path)
        self._written_at = time.monotonic()

    def discard(self) -> None:
        """All is recorded."""
        self.path.unlink(missing_ok=True)
