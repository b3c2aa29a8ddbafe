"""Jobs side by side in processes of this machine, by joblib's worker processes.

Each place has a pool of its own with a single worker. So one knows which job a killed worker had, the other jobs do not
lose theirs, and a place keeps its GPU.
"""

import logging
import signal
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn

from src.launch.job import Job, Sweep
from src.launch.lifeline import end_with, lifeline
from src.launch.resources import places
from src.launch.turns import take_turns

log = logging.getLogger(__name__)


class Processes:
    """Worker processes, which stay for further batches of jobs, since each takes seconds to import torch.

    Args:
        n_jobs: Jobs at once; -1 for one per GPU where there are several, else one per core.
    """

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._pools: dict[int, Any] = {}

    def run(self, sweep: Sweep, jobs: Sequence[Job]) -> list[JobReturn]:
        """Run the jobs, and tell how each ended, in their order."""
        # workers that stay from another batch keep what they have
        environments = places(self._n_jobs, n_waiting=len(jobs))
        return take_turns(
            jobs,
            len(environments),
            start=lambda job, place: self._submit(place, environments[place], sweep, job),
            ended=lambda running: wait(running, return_when=FIRST_COMPLETED).done,
            outcome=self._outcome,
            stop=lambda _: self.kill(),
        )

    def kill(self) -> None:
        """Stop all workers at once; what they trained goes on from its last checkpoint."""
        for place in list(self._pools):
            self._pools.pop(place).shutdown(wait=True, kill_workers=True)

    def _submit(self, place: int, environment: Mapping[str, str], sweep: Sweep, job: Job) -> "Future[JobReturn]":
        from joblib.externals.loky import ProcessPoolExecutor

        if place not in self._pools:
            pool = ProcessPoolExecutor(1, env=dict(environment), initializer=_prepare, initargs=(lifeline(),))
            self._pools[place] = pool
        name = sweep.config.hydra.job.name
        future: Future[JobReturn] = self._pools[place].submit(sweep.run, job, job_id=f"{name}_{job.num}")
        return future

    def _outcome(self, future: "Future[JobReturn]", job: Job, place: int) -> JobReturn:
        try:
            return future.result()
        except BrokenProcessPool:
            self._pools.pop(place).shutdown(wait=True, kill_workers=True)
            return job.lost("its process was killed (out of memory?); repeat the command to go on with it")
        except Exception as error:
            return job.lost(f"{type(error).__name__}: {error}")


def _prepare(line: Path) -> None:
    # the process that started the sweep gets Ctrl-C too, and stops this one
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(line)
