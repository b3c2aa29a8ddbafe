"""What a job of a stacked sweep costs beside training, in the time that its files alone would take.

The other side is what one would write by hand: `torch.save`, `OmegaConf.to_yaml`, `json`, `csv`, of contents that are
there already, without a sweep that plans, checks, measures, gives hints, and can be interrupted.
"""

import csv
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from benchmarks.timing import Claim, command, scratch

# Jobs that are counted, those that pay for the start of a process, and those whose files are written by hand.
MANY, FEW, BY_HAND = 1024, 16, 64
PAIRS = 3

# A table alone, and TensorBoard beside it: 8 and 15 ms where the files by hand take 12.
TARGETS = {"logger=csv": 2 / 3, "logger=default": 5 / 4}


def claims() -> list[Claim]:
    """For each logger one."""
    return [around(logger, target) for logger, target in TARGETS.items()]


def around(logger: str, target: float) -> Claim:
    """Seconds of all cores for each job of a sweep of three epochs, against its files by hand."""
    claim = Claim(f"around training, per job, {logger} / its files by hand", [], [], target)
    for _ in range(PAIRS):
        (few, _), (many, folder) = (_sweep(n, logger) for n in (FEW, FEW + MANY))
        claim.ours_s.append((many - few) / MANY)
        claim.other_s.append(by_hand([folder / str(number) for number in range(BY_HAND)]))
    return claim


def _sweep(n: int, logger: str) -> tuple[float, Path]:
    """Seconds that the cores have worked for a sweep, and its directory."""
    folder = scratch() / "sweep"
    given = (f"seed=range({n})", logger, "trainer.max_epochs=3", "hydra/launcher=vmap", f"hydra.sweep.dir={folder}")
    before = _worked()
    command("-m", "src.train", "-m", "trainer=cpu", *given)
    return _worked() - before, folder


def _worked() -> float:
    """Seconds that the cores have worked for processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def by_hand(runs: list[Path]) -> float:
    """Seconds of a core for the files of a run, each written at once into a new directory."""
    target = scratch()
    files = [
        (target / run.name / path.relative_to(run), *_content(path))
        for run in runs
        for path in sorted(run.rglob("*"))
        if path.is_file()
    ]
    start = time.process_time()
    for path, content, write in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(content, path)
    return (time.process_time() - start) / len(runs)


def _content(path: Path) -> tuple[Any, Callable[[Any, Path], object]]:
    """What a file holds, and what writes it."""
    if path.suffix == ".ckpt":
        return torch.load(path, weights_only=True), torch.save
    if path.suffix == ".yaml":
        return OmegaConf.load(path), lambda content, to: to.write_text(OmegaConf.to_yaml(content))
    if path.suffix == ".json":
        return json.loads(path.read_text()), lambda content, to: to.write_text(json.dumps(content, indent=2))
    if path.suffix == ".csv":
        with path.open(newline="") as file:
            return list(csv.DictReader(file)), _write_rows
    return path.read_bytes(), lambda content, to: to.write_bytes(content)


def _write_rows(rows: list[dict[str, str]], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
