"""What each model starts with: its weights, its data, and what makes its optimiser."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from src.build import build_data, build_net, build_optimizer
from src.config.errors import ConfigError
from src.config.keys import counts
from src.data.base import InMemoryDataModule, Parts
from src.sweep.jobs import Job, hydra_config
from src.vmap.stacked.network import row_of
from src.vmap.stacked.schedulers import OptimizerRecipe

T = TypeVar("T")


@dataclass(frozen=True)
class Model:
    """One model of a stack.

    Attributes:
        job: What asked for it.
        weights: Its first weights (p,), those that its seed draws.
        rng_state: Where drawing them has left the global generator.
        parts: Its data; models with the same data hold the same object.
        batch_seed: Orders its batches.
        recipe: Makes its optimiser and scheduler; models with the same settings hold the same object.
    """

    job: Job
    weights: Tensor
    rng_state: Tensor
    parts: Parts
    batch_seed: int
    recipe: OptimizerRecipe


class ModelFactory:
    """Makes models as `src.build.build` makes runs; what several of them have in common is made once."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self._configs: dict[int, dict[str, Any]] = {}

    def model(self, job: Job) -> Model:
        """All that a job's model starts with."""
        cfg, datamodule = self.config(job), self.datamodule(job)
        spec = datamodule.spec
        weights, rng_state = self._once(
            "weights",
            [cfg["seed"], cfg["model"]["net"], spec.n_features, spec.n_outputs],
            job,
            lambda: (row_of(build_net(job.cfg, spec)), torch.get_rng_state()),
        )
        batch_seed = cfg["data"].get("batch_seed", datamodule.batch_seed)
        return Model(job, weights, rng_state, datamodule.parts, batch_seed, self.recipe(job))

    def config(self, job: Job) -> dict[str, Any]:
        """A job's configuration as plain containers, with everything that its values refer to."""
        if job.number not in self._configs:
            with hydra_config(job.hydra_cfg):
                cfg: Any = OmegaConf.to_container(job.cfg, resolve=True)
            self._configs[job.number] = cfg
        return self._configs[job.number]

    def datamodule(self, job: Job) -> InMemoryDataModule:
        """The data of a job; how they are cut into batches may be another job's choice."""
        node = {key: value for key, value in self.config(job)["data"].items() if counts(f"data.{key}", "samples")}
        return self._once("data", node, job, lambda: _data(job))

    def batch_size(self, job: Job) -> int | None:
        """Samples per training batch; None for all of them."""
        size: int | None = self.config(job)["data"].get("batch_size", self.datamodule(job).batch_size)
        return size

    def recipe(self, job: Job) -> OptimizerRecipe:
        """What makes the optimiser and the scheduler of a job."""
        nodes = [self.config(job)[key] for key in ("optimizer", "scheduler")]
        return self._once("recipe", nodes, job, lambda: OptimizerRecipe(*build_optimizer(job.cfg)))

    def _once(self, kind: str, key: Any, job: Job, make: Callable[[], T]) -> T:
        name = f"{kind} {json.dumps(key, sort_keys=True)}"
        if name not in self._made:
            with hydra_config(job.hydra_cfg):
                self._made[name] = make()
        made: T = self._made[name]
        return made


def _data(job: Job) -> InMemoryDataModule:
    """The data of a job, which other jobs with the same values share.

    Raises:
        ConfigError: If they depend on more than these values.
    """
    before = _drawn()
    datamodule = build_data(job.cfg)
    _ = datamodule.parts
    if _drawn() != before:
        raise ConfigError("its data draw from a global generator, which every run seeds for itself")
    return datamodule


def _drawn() -> bytes:
    """How far the global generators have come."""
    return torch.get_rng_state().numpy().tobytes() + pickle.dumps(np.random.get_state())
