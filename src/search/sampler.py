"""Samplers that draw the same again, whenever a search was interrupted."""

import secrets
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GridSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from src.run.trial import make
from src.search.space import Space


def make_sampler(node: Mapping[str, Any], space: Space) -> BaseSampler:
    """A sampler of Optuna that can be interrupted between two trials, without a trace.

    Args:
        node: `_target_`, seed and further arguments.
        space: What a grid is made of.

    Raises:
        ConfigError: If the sampler does not take the arguments, or an interval cannot be a grid.
    """
    arguments = {key: value for key, value in node.items() if key != "seed"}
    seed = node.get("seed")
    if is_grid(node):
        return _Grid(space.grid(), seed=seed)
    takes_seed = "seed" in node
    sampler = StatelessSampler(lambda s: make("sampler", arguments, **({"seed": s} if takes_seed else {})), seed)
    # a wrong argument is an error before any trial
    sampler.make(0)
    return sampler


def is_grid(node: Mapping[str, Any]) -> bool:
    """Whether the sampler goes through all combinations."""
    return str(node["_target_"]).endswith("GridSampler")


class StatelessSampler(BaseSampler):
    """A fresh sampler for every trial, seeded by its number: its only memory is the study.

    Args:
        make: Makes a sampler from a seed.
        seed: Seed of the search; None for one by chance.
    """

    def __init__(self, make: Callable[[int], BaseSampler], seed: int | None) -> None:
        self.make = make
        self._seed = secrets.randbits(32) if seed is None else seed
        self._sampler = make(0)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """Forget the trial before."""
        self._sampler = self._fresh(trial)
        self._sampler.before_trial(study, trial)

    def _fresh(self, trial: FrozenTrial, param_name: str = "") -> BaseSampler:
        words = [self._seed, trial.number, zlib.crc32(param_name.encode())]
        return self.make(int(np.random.SeedSequence(words).generate_state(1)[0]))

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the sampler does."""
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As the sampler does."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """As the sampler does, whatever it has drawn for the trial: a kill may have come in between."""
        return self._fresh(trial, param_name).sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """As the sampler does."""
        self._sampler.after_trial(study, trial, state, values)


class _Grid(GridSampler):
    """Leaves the number of trials to the search; Optuna's stops a loop that is not there."""

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None) -> None:
        """Go on."""
