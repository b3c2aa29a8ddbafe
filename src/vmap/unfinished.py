"""What a chunk leaves while it trains, from which a repeated command goes on."""

import hashlib
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from src.config.command import interrupts
from src.config.errors import ConfigError
from src.config.keys import as_before
from src.run.directory import RunDir
from src.run.files import remove_parts, set_aside
from src.sweep.jobs import Job
from src.tasks.checkpoint import DamagedCheckpointError, checkpoint_of, load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

# What Lightning needs of a checkpoint.
_NEEDED = ("epoch", "global_step", "pytorch-lightning_version", "loops", "callbacks")


@dataclass(frozen=True)
class Chunk:
    """Models that are trained and recorded together.

    Attributes:
        jobs: What asked for them.
        tile: Most models that one step computes.
        checkpoint: A checkpoint of the chunk, where it has left one.
        seconds: Time that it has trained before that.
    """

    jobs: Sequence[Job]
    tile: int
    checkpoint: Path | None = None
    seconds: float = 0.0


def fingerprint(job: Job) -> str:
    """Short for all that a job's model depends on."""
    return hashlib.sha256(json.dumps(as_before(job.resolved), sort_keys=True).encode()).hexdigest()


def unfinished_chunks(folder: Path, jobs: Sequence[Job]) -> Iterator[Chunk]:
    """Chunks of these jobs that an earlier command has left.

    Args:
        folder: Where they are kept.
        jobs: A stack, with the jobs that are completed.
    """
    paths = sorted(folder.glob("*.ckpt"))
    by_name = {fingerprint(job): job for job in jobs} if paths else {}
    for path in paths:
        stored = _stored(path)
        # of other stacks, or of jobs that have changed
        if stored is None or not by_name.keys() >= set(stored["jobs"]):
            continue
        yield Chunk([by_name.pop(name) for name in stored["jobs"]], stored["tile"], path, stored["seconds"])


def tidy(folder: Path, stacks: Iterable[Sequence[Job]]) -> None:
    """Remove checkpoints of chunks that are recorded, and set those aside that no stack of a sweep can go on from.

    Args:
        folder: Where they are kept; nobody else writes there yet.
        stacks: All of them, with the jobs that are completed.
    """
    remove_parts(folder)
    paths = sorted(folder.glob("*.ckpt"))
    by_names = [{fingerprint(job): job for job in jobs} for jobs in stacks] if paths else []
    for path in paths:
        if (stored := _stored(path)) is None:
            continue
        own = next((by_name for by_name in by_names if by_name.keys() >= set(stored["jobs"])), None)
        if own is None:
            _set_aside(path, "is of jobs that have changed, or that this sweep does not train together")
        elif all(RunDir(own[name].run_dir).result() is not None for name in stored["jobs"]):
            # another process may have done so
            path.unlink(missing_ok=True)


def _stored(path: Path) -> dict[str, Any] | None:
    """What a checkpoint says of its chunk; None if it is set aside, since nothing can go on from it."""
    try:
        checkpoint = load_checkpoint(path, needs=_NEEDED)
    except DamagedCheckpointError as error:
        _set_aside(path, f"is damaged ({error.why})")
        return None
    except ConfigError:
        # none is left where another process has set it aside
        if path.is_symlink() or (path.exists() and not path.is_file()):
            _set_aside(path, "is no file")
        return None
    stored = _chunk_of(checkpoint)
    if not stored.keys() >= {"jobs", "tile", "seconds"} or not checkpoint.keys() & {"tiles", "cohorts"}:
        _set_aside(path, "is of another version of this project")
        return None
    return stored


def _set_aside(path: Path, why: str) -> None:
    log.warning("%s %s: it is kept as %s, and its models are trained anew", path, why, set_aside(path).name)


def _chunk_of(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """What a checkpoint says of its chunk, also one of the version before; empty if nothing."""
    if "shard" in checkpoint:
        older = checkpoint["shard"]
        return {"jobs": older["jobs"], "tile": older["size"], "seconds": older["seconds"]}
    stored: dict[str, Any] = checkpoint.get("chunk", {})
    return stored


def tiles_in(checkpoint: Mapping[str, Any], metrics: Sequence[str]) -> list[dict[str, Any]]:
    """States of the tiles in a checkpoint, also in one of the version before.

    Args:
        checkpoint: Of a chunk.
        metrics: Names of what is measured during training, which older checkpoints hold by place.
    """
    if "cohorts" not in checkpoint:
        tiles: list[dict[str, Any]] = checkpoint["tiles"]
        return tiles
    return [_newer(older, metrics) for older in checkpoint["cohorts"]]


def _newer(older: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any]:
    best = older["best"]
    return {
        **{name: older[name] for name in ("weights", "optimizer", "epochs", "lrs")},
        "scheduler": older["rates"],
        "columns": dict(zip(metrics, older["means"].unbind(1), strict=True)),
        "is_finite": older["alive"],
        "best_score": older["score_of_best"],
        "best": best and {**{k: best[k] for k in ("epoch", "lr", "weights")}, "optimizer": best["state"]},
    }


class ChunkCheckpoint(pl.Callback):
    """Writes a checkpoint of all models of a chunk every few seconds, and once they are trained.

    Args:
        folder: Where it stands, under a name of its own.
        every_s: Seconds between two writes.
        chunk: What is trained.
    """

    def __init__(self, folder: Path, *, every_s: float, chunk: Chunk) -> None:
        self._jobs = [fingerprint(job) for job in chunk.jobs]
        self._chunk, self._every_s = chunk, every_s
        self._started = self._written_at = time.monotonic()
        name = hashlib.sha256("".join(self._jobs).encode()).hexdigest()[:16]
        self.path = chunk.checkpoint or folder / f"{name}.ckpt"

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Write if it is time, or if a signal asks the command to end."""
        if interrupts.asked() or time.monotonic() - self._written_at >= self._every_s:
            self._write(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Hear signals before Lightning does, which has its own handler for SIGTERM since the chunk was set up."""
        interrupts.handle_again()

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
        seconds = self._chunk.seconds + time.monotonic() - self._started
        checkpoint["chunk"] = {"jobs": self._jobs, "tile": self._chunk.tile, "seconds": seconds}

    def _write(self, trainer: pl.Trainer) -> None:
        save_checkpoint(self.path, checkpoint_of(trainer))
        self._written_at = time.monotonic()

    def discard(self) -> None:
        """All is recorded."""
        self.path.unlink(missing_ok=True)
