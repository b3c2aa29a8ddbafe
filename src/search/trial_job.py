"""The runs of a trial: one, or with `hydra.sweeper.n_seeds` one for each of its seeds."""

from dataclasses import dataclass
from pathlib import Path

from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.result import Result
from src.search.options import SearchOptions


@dataclass(frozen=True)
class TrialJob:
    """A run of a trial.

    Attributes:
        run: Where it leaves its files.
        subdir: The same below the sweep's directory.
        seed: Its seed; None where a trial is one run.
    """

    run: RunDir
    subdir: str
    seed: int | None

    @property
    def of(self) -> str:
        """How its error begins."""
        return "" if self.seed is None else f"seed {self.seed}: "

    @property
    def lacked_room(self) -> bool:
        """Whether a disk was full when it failed."""
        result = self._result()
        return result is not None and result.error is not None and result.error.is_of_disk

    @property
    def has_ended(self) -> bool:
        """Whether it has left a result that can be read, and had room for it."""
        return self._result() is not None and not self.lacked_room

    def _result(self) -> Result | None:
        try:
            return self.run.result()
        except ConfigError:
            return None


def jobs_of(number: int, options: SearchOptions, sweep_dir: Path) -> list[TrialJob]:
    """The jobs of a trial, in directories below its number where it has several.

    Args:
        number: Of the trial.
        options: Of the search.
        sweep_dir: Its directory.
    """
    if options.n_seeds == 1:
        return [TrialJob(RunDir(sweep_dir / str(number)), str(number), None)]
    places = [(seed, f"{number}/seed_{seed}") for seed in options.seeds]
    return [TrialJob(RunDir(sweep_dir / place), place, seed) for seed, place in places]
