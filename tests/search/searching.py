"""Searches whose jobs are a formula instead of training, and leave the records that a run leaves."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf
from optuna.trial import FrozenTrial

from src.run.directory import RunDir
from src.run.result import Failure, Result
from src.run.trial import PrunedError
from src.search.options import SearchOptions
from src.search.search import search
from src.search.space import Space, read_space
from src.search.study import SearchStudy

SWEEPER = Path(__file__).resolve().parents[2] / "conf" / "hydra" / "sweeper"
SPACE = ("x=interval(-2,2)", "y=tag(log,interval(0.01,1))", "kind=a,b")

Values = Mapping[str, Any]


def conf(name: str) -> dict[str, Any]:
    """A file of conf/hydra/sweeper as it stands."""
    content: dict[str, Any] = yaml.safe_load((SWEEPER / f"{name}.yaml").read_text())
    return content


def given(*, sampler: str | dict[str, Any] = "tpe", pruner: str = "none", **changes: Any) -> dict[str, Any]:
    """What Hydra hands to the sweeper."""
    own = conf("optuna")
    del own["defaults"]
    chosen = conf(f"sampler/{sampler}") if isinstance(sampler, str) else sampler
    return {**own, "sampler": chosen, "pruner": conf(f"pruner/{pruner}"), **changes}


def options(
    sweep_dir: Path, *, metric: str = "val/loss", n_parallel: int = 1, seed: int = 0, **changes: Any
) -> SearchOptions:
    """Options of a search; a journal is quicker than a database."""
    shared = {"storage": str(sweep_dir / "study.log"), "study_name": "test"}
    return SearchOptions.of(
        given(**{**shared, **changes}),
        optimized_metric=metric,
        sweep_dir=sweep_dir,
        n_parallel=n_parallel,
        seed=seed,
    )


def bowl(values: Values) -> float:
    """Lowest, 0, at x = 1, y = 0.1 and kind = b."""
    return float((values["x"] - 1) ** 2 + math.log10(values["y"] * 10) ** 2 + (values["kind"] == "a"))


class Jobs:
    """A launcher whose jobs compute a formula.

    Args:
        sweep_dir: Where they leave their records.
        formula: Metrics, or the loss alone, of a job's values; what it raises is the job's error.
    """

    def __init__(self, sweep_dir: Path, formula: Callable[[Values], Any] = bowl) -> None:
        self.sweep_dir, self.formula = sweep_dir, formula
        self.batches: list[list[str]] = []
        self.ran: list[int] = []

    def __call__(self, batch: Sequence[Sequence[str]], first: int) -> list[JobReturn]:  # noqa: ARG002
        """Run a batch."""
        self.batches.append([" ".join(overrides) for overrides in batch])
        return [self.run(overrides) for overrides in batch]

    def run(self, overrides: Sequence[str]) -> JobReturn:
        """Run one job as `src.train` does."""
        cfg = compose(overrides)
        run = RunDir(self.sweep_dir / str(cfg.hydra.sweep.subdir))
        self.ran.append(int(str(cfg.hydra.sweep.subdir).partition("/")[0]))
        values: Any = OmegaConf.to_container(cfg)
        del values["hydra"]
        run.claim(OmegaConf.create(values), overrides=overrides)
        try:
            measured = self.formula(values)
            metrics = measured if isinstance(measured, dict) else {"val/loss": measured}
            result = Result(status="completed", metrics=metrics, n_parameters=7)
        except PrunedError as pruned:
            result = Result(status="pruned", metrics=pruned.metrics, epoch=pruned.epoch)
        except Exception as error:
            result = Result(status="failed", error=Failure.of(error))
        result.write(run.result_file)
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED)


def compose(overrides: Sequence[str]) -> DictConfig:
    """The values of a job, without any file."""
    return OmegaConf.from_dotlist([text.replace("'", "") for text in overrides])


def run_search(
    sweep_dir: Path,
    formula: Callable[[Values], Any] = bowl,
    *,
    space: Sequence[str] = SPACE,
    launch: Callable[..., Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    **changes: Any,
) -> list[FrozenTrial]:
    """Search, and give the trials of the study."""
    return search_study(sweep_dir, formula, space=space, launch=launch, settings=settings, **changes).trials()


def search_study(
    sweep_dir: Path,
    formula: Callable[[Values], Any] = bowl,
    *,
    space: Sequence[str] = SPACE,
    launch: Callable[..., Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    **changes: Any,
) -> SearchStudy:
    """Search, and give what is reported at the end."""
    found: list[SearchStudy] = []
    search(
        options(sweep_dir, **changes),
        read(space),
        sweep_dir=sweep_dir,
        settings=settings or {},
        compose=compose,
        launch=launch or Jobs(sweep_dir, formula),
        report=found.append,
    )
    return found[0]


def read(space: Sequence[str]) -> Space:
    """A search space from overrides."""
    return read_space({}, space)


def drawn(trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """The values of all trials."""
    return [trial.params for trial in trials]
