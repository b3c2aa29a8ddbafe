"""Jobs for the tests of ensembles, and what their single runs leave."""

import copy
import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from src.config.compose import override
from src.sweep.jobs import Job
from src.train import train
from tests.tasks.runs import small

Rows = list[dict[str, float]]


def make_jobs(common: Sequence[str], each: Iterable[Sequence[str]], folder: Path) -> list[Job]:
    """Jobs that share overrides and have some of their own, each with a directory in ``folder``."""
    base = small(*common, run_dir=folder)
    made: list[Job] = []
    for number, own in enumerate(each):
        cfg = override(copy.deepcopy(base), own)
        cfg.run_dir = str(folder / str(number))
        made.append(Job.of(number, (*common, *own), cfg, OmegaConf.create({"hydra": {"job": {"num": number}}})))
    return made


def train_alone(jobs: Iterable[Job], folder: Path) -> None:
    """The single run of each job, in a directory in ``folder``."""
    for job in jobs:
        cfg = copy.deepcopy(job.cfg)
        cfg.run_dir = str(folder / str(job.number))
        train(cfg, overrides=job.overrides)


def rows_of(run_dir: Path) -> Rows:
    """The table of metrics."""
    with (run_dir / "metrics.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def result_of(run_dir: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((run_dir / "result.json").read_text())
    return result


def checkpoint_of(run_dir: Path, name: str) -> dict[str, Any]:
    checkpoint: dict[str, Any] = torch.load(run_dir / "checkpoints" / f"{name}.ckpt", weights_only=True)
    return checkpoint


def assert_near(found: Any, expected: Any, *, atol: float, where: str = "") -> None:
    """Equal containers of the same types, with tensors within ``atol``, and numbers within that or that share."""
    assert isinstance(found, dict) if isinstance(expected, dict) else type(found) is type(expected), where
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), where
        for key in expected:
            assert_near(found[key], expected[key], atol=atol, where=f"{where}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), where
        for i, pair in enumerate(zip(found, expected, strict=True)):
            assert_near(*pair, atol=atol, where=f"{where}[{i}]")
    elif isinstance(expected, torch.Tensor):
        torch.testing.assert_close(found, expected, rtol=0, atol=atol, msg=where)
    elif isinstance(expected, float):
        assert found == expected or abs(found - expected) <= atol * max(1.0, abs(expected)), (
            f"{where}: {found}, expected {expected}"
        )
    else:
        assert found == expected, f"{where}: {found}, expected {expected}"
