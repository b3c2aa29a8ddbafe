"""Hydra's own sweeper, guarded, and quicker with many jobs.

Hydra imports this at every start, so src.sweep is imported late.
"""

from collections.abc import Sequence
from typing import Any

from src.compat.hydra import BasicSweeper, batches


class GridSweeper(BasicSweeper):
    """Every combination of the values given.

    Hydra's own composes each job once to see that it can be composed, and once more to run it. Jobs that choose the
    same options differ in values only, and what holds for the first of them holds for all.
    """

    def sweep(self, arguments: list[str]) -> Any:
        """Run all jobs, and show what they have come to.

        Args:
            arguments: Overrides of the command line, without Hydra's own.
        """
        from src.console.place import counting
        from src.sweep.guard import guarded, has_all
        from src.sweep.seeds_until import until_of
        from src.sweep.until import sweep_until_clear

        assert self.config is not None
        with guarded(self.config), counting():
            # Hydra would write the command into the directory
            if has_all(self.config):
                return []
            if until_of(self.config) is not None:
                return sweep_until_clear(self.config, self._launch)
            return super().sweep(arguments)

    def _launch(self, jobs: Sequence[Sequence[str]], first: int) -> list[Any]:
        """Run jobs in batches of ``max_batch_size``, as Hydra's own sweeper does; the first one has this number."""
        from src.console.place import count

        assert self.launcher is not None
        size = self.max_batch_size or len(jobs)
        returns: list[Any] = []
        self.validate_batch_is_legal(jobs)
        count(first + len(jobs))
        for at in range(0, len(jobs), size):
            returns += self.launcher.launch(jobs[at : at + size], initial_job_idx=first + at)
        for each in returns:
            # raises what a job has raised that has no record
            _ = each.return_value
        return returns

    def split_arguments(  # type: ignore[override] # a static method, which Hydra calls on its instance
        self, overrides: list[Any], max_batch_size: int | None
    ) -> list[list[list[str]]]:
        """Split with one order of what is shuffled, the one in which the jobs were looked at before."""
        from src.console.place import count
        from src.sweep.values import shuffled_once

        assert self.config is not None
        split = batches(shuffled_once(overrides, self.config), max_batch_size)
        count(sum(map(len, split)))
        return split

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Compose one job for each choice of options."""
        from src.sweep.jobs import compose_jobs, representatives

        assert self.config is not None
        for _ in compose_jobs(self.config, representatives(batch)):
            pass
