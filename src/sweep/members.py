"""What each model of a bucket begins with: its weights, its data, and what makes its optimiser."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from src.build import build_data, build_net, build_optimizer
from src.data.base import InMemoryDataModule, Parts
from src.sweep.jobs import Job
from src.sweep.rates import Recipe
from src.sweep.stacked import row_of

T = TypeVar("T")

# Values of `data` that order the batches and leave the samples as they are.
BATCHING = ("batch_size", "batch_seed")


@dataclass(frozen=True)
class Member:
    """One model of a bucket.

    Attributes:
        job: What asked for it.
        weights: Its first weights (p,), those that its seed draws.
        rng_state: Where drawing them has left the global generator.
        parts: Its data; members with the same data hold the same object.
        batch_seed: Orders its batches.
        recipe: Makes its optimiser and scheduler; members with the same settings hold the same object.
    """

    job: Job
    weights: Tensor
    rng_state: Tensor
    parts: Parts
    batch_seed: int
    recipe: Recipe


class Maker:
    """Makes members; what several of them have in common is made once."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def member(self, job: Job) -> Member:
        """All that a job's model begins with, made as `src.build.build` makes it."""
        cfg = job.cfg
        datamodule = self.datamodule(cfg)
        spec = datamodule.spec
        key = [cfg.seed, plain(cfg.model.net), spec.n_features, spec.n_outputs]
        weights = self._once("weights", key, lambda: (row_of(build_net(cfg, spec)), torch.get_rng_state()))
        return Member(job, *weights, datamodule.parts, int(cfg.data.batch_seed), self.recipe(cfg))

    def datamodule(self, cfg: DictConfig) -> InMemoryDataModule:
        """The data of a configuration; only its parts and its `spec` are to be read, since batches may be ordered by another."""
        node = {key: value for key, value in plain(cfg.data).items() if key not in BATCHING}
        return self._once("data", node, lambda: build_data(cfg))

    def recipe(self, cfg: DictConfig) -> Recipe:
        """What makes the optimiser and the scheduler of a configuration."""
        nodes = [plain(cfg.optimizer), plain(cfg.scheduler)]
        return self._once("recipe", nodes, lambda: Recipe(*build_optimizer(cfg)))

    def _once(self, kind: str, key: Any, make: Callable[[], T]) -> T:
        name = f"{kind} {json.dumps(key, sort_keys=True)}"
        if name not in self._made:
            self._made[name] = make()
        made: T = self._made[name]
        return made


def plain(node: Any) -> Any:
    """A node of a configuration as plain containers, with everything that it refers to."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
