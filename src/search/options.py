"""What conf/hydra/sweeper/optuna.yaml holds, checked."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from src.config.errors import ConfigError, suggest
from src.config.metrics import split_of
from src.config.signature import parameters
from src.run.trial import storage_url
from src.search.direction import Direction, direction

# Keys that Hydra itself reads, and `direction`, which Hydra's older sweeper for Optuna had.
_IGNORED = frozenset({"_target_", "_recursive_", "_convert_"})


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """Options of a search.

    Attributes:
        n_trials: Trials in all.
        n_jobs: Jobs that are launched at once.
        storage: URL of the study's storage.
        study_name: Name of the study there.
        objectives: Direction by metric, in order.
        sampler: `_target_` and arguments of a sampler of Optuna.
        pruner: The same of a pruner.
        params: Override text by key.
        n_seeds: Seeds that each trial is repeated with.
        seed: The first of them.
    """

    n_trials: int
    n_jobs: int
    storage: str
    study_name: str
    objectives: dict[str, Direction]
    sampler: dict[str, Any]
    pruner: dict[str, Any]
    params: dict[str, Any]
    n_seeds: int = 1
    seed: int = 0

    @property
    def seeds(self) -> list[int]:
        """Seeds of the runs of a trial."""
        return [self.seed + i for i in range(self.n_seeds)]

    @property
    def n_at_once(self) -> int:
        """Trials that are launched side by side."""
        return max(1, self.n_jobs // self.n_seeds)

    @property
    def prunes(self) -> bool:
        """Whether trials can end early."""
        return not str(self.pruner["_target_"]).endswith("NopPruner")

    @classmethod
    def of(
        cls, given: Mapping[str, Any], *, optimized_metric: str, sweep_dir: Path, n_parallel: int, seed: int = 0
    ) -> "SearchOptions":
        """Check the values of `hydra.sweeper`.

        Args:
            given: The keys of this class, as they stand in the configuration.
            optimized_metric: The objective where none is given.
            sweep_dir: Where the study lies if no storage is given.
            n_parallel: How many jobs the launcher runs at once.
            seed: Of the configuration.

        Raises:
            ConfigError: If a key is unknown, or a value out of range.
        """
        names = [field.name for field in fields(cls) if field.name != "seed"]
        for key in given:
            if key not in names and key not in _IGNORED:
                raise ConfigError(f"hydra.sweeper.{key}: unknown key; {suggest(key, names, prefix='hydra.sweeper.')}")
        objectives = _objectives(given["objectives"] or [optimized_metric])
        options = cls(
            n_trials=_count("n_trials", given["n_trials"]),
            n_jobs=_count("n_jobs", n_parallel if given["n_jobs"] is None else given["n_jobs"]),
            storage=storage_url(given["storage"], default=sweep_dir / "study.db"),
            study_name=_study_name(given["study_name"], shared=given["storage"] is not None),
            objectives=objectives,
            sampler=_node("sampler", given["sampler"]),
            pruner=_node("pruner", given["pruner"]),
            params=_params(given["params"]),
            n_seeds=_count("n_seeds", given.get("n_seeds", 1)),
            seed=seed,
        )
        _check_seeds(options)
        _check_one_objective(options)
        return options


def _count(name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise ConfigError(f"hydra.sweeper.{name}: got {value!r}; allowed: a whole number from 1")
    return value


def _study_name(name: Any, *, shared: bool) -> str:
    if name is None and shared:
        raise ConfigError(
            "hydra.sweeper.study_name: no value; a storage may hold many studies, and all sweeps with the same name "
            "work on one; give hydra.sweeper.study_name=..."
        )
    return "sweep" if name is None else str(name)


def _objectives(given: Any) -> dict[str, Direction]:
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Mapping):
        for metric, way in given.items():
            if way not in get_args(Direction):
                allowed = " or ".join(get_args(Direction))
                raise ConfigError(f"hydra.sweeper.objectives: {metric}: got {way!r}; allowed: {allowed}")
        return dict(given)
    return {str(metric): direction(str(metric)) for metric in given}


def _node(name: str, given: Any) -> dict[str, Any]:
    """A node with a `_target_` in Optuna."""
    if not isinstance(given, Mapping | str | int | float | list | None):
        raise ConfigError("hydra.sweeper._recursive_: got true; allowed: false; the sweeper makes samplers and pruners")
    if not isinstance(given, Mapping) or not str(given.get("_target_")).startswith(f"optuna.{name}s."):
        raise ConfigError(
            f"hydra.sweeper.{name}: got {given!r}; choose one with hydra/sweeper/{name}=..., or give a _target_ in "
            f"optuna.{name}s"
        )
    valid = parameters(given["_target_"])
    for key in given:
        if key != "_target_" and valid is not None and key not in valid:
            where = f"hydra.sweeper.{name}."
            raise ConfigError(f"{where}{key}: unknown key; {suggest(key, valid, prefix=where)}")
    return dict(given)


def _params(given: Any) -> dict[str, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError(f"hydra.sweeper.params: got {given!r}; allowed: key: override, e.g. seed: range(0,5)")
    return dict(given or {})


def _check_seeds(options: SearchOptions) -> None:
    if options.n_seeds > 1 and options.prunes:
        raise ConfigError(
            f"hydra.sweeper.n_seeds: got {options.n_seeds}; allowed: 1 with a pruner, which compares one curve of each "
            "trial with those of the others; choose hydra/sweeper/pruner=none to repeat each trial"
        )
    if options.seeds[-1] >= 2**32:
        raise ConfigError(f"hydra.sweeper.n_seeds: seeds from seed={options.seed} on; the largest is {2**32 - 1}")


def _check_one_objective(options: SearchOptions) -> None:
    names = ", ".join(options.objectives)
    if options.prunes:
        (name, *others) = options.objectives
        if others:
            raise ConfigError(
                f"hydra/sweeper/pruner: pruning needs one objective; hydra.sweeper.objectives has {names}"
            )
        if split_of(name)[0] not in ("train", "val"):
            raise ConfigError(
                f"hydra/sweeper/pruner: pruning needs an objective that is measured during training, such as val/loss; "
                f"got {name}"
            )
    if len(options.objectives) > 1 and str(options.sampler["_target_"]).endswith("CmaEsSampler"):
        raise ConfigError(
            f"hydra/sweeper/sampler=cmaes: CMA-ES has one objective; hydra.sweeper.objectives has {names}. "
            "Choose nsgaii or tpe"
        )
