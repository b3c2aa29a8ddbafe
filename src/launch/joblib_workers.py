"""Jobs side by side in processes of this machine, by joblib's worker processes.

Each slot has a pool of its own with a single worker. So one knows which job a killed worker had, the other jobs do not
lose theirs, and a slot keeps its GPU.
"""

import logging
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import resource_tracker
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn

from src.compat.loky import send
from src.config.command import interrupts
from src.launch.job import JobSpec, Sweep
from src.launch.parent_death import die_with_parent, parent_lock
from src.launch.resources import slot_environments
from src.launch.slots import Running, run_in_slots

log = logging.getLogger(__name__)

# Seconds in which a worker comes to the end of its epoch and writes a checkpoint.
_GRACE_S = 2.0

# Above that of the queues that reach workers: at the end of a process that multiprocessing began, they close one after
# the other, and then all children are waited for.
_BEFORE_QUEUES = 100

# What a worker keeps for as long as it lives.
_kept = ExitStack()


class JoblibWorkers:
    """Worker processes, which stay for further batches of jobs, since each takes seconds to import torch.

    Args:
        n_jobs: Jobs at once; -1 for one per GPU where there are several, else one per core.
    """

    def __init__(self, n_jobs: int) -> None:
        self._n_jobs = n_jobs
        self._pools: dict[int, Any] = {}
        # once nobody has these workers, or the process ends
        Finalize(self, _release, args=(self._pools,), exitpriority=_BEFORE_QUEUES)

    def run(self, sweep: Sweep, jobs: Sequence[JobSpec]) -> list[JobReturn]:
        """Run the jobs, and return how each ended, in their order."""
        # workers that stay from another batch keep what they have
        environments = slot_environments(self._n_jobs, n_jobs=len(jobs))
        return run_in_slots(
            jobs,
            len(environments),
            start=lambda job, slot: self._submit(slot, environments[slot], sweep, job),
            wait=lambda running: wait(running, return_when=FIRST_COMPLETED).done,
            outcome=self._outcome,
            stop=self.stop,
        )

    def stop(self, running: Running["Future[JobReturn]"]) -> None:
        """End all workers, each after the epoch that it trains, if that does not take too long."""
        for pool in self._pools.values():
            send(pool, signal.SIGTERM)
        try:
            wait(running, timeout=_GRACE_S)
        finally:
            self.kill()

    def kill(self) -> None:
        """Stop all workers at once; what they trained goes on from its last checkpoint."""
        for slot in list(self._pools):
            self._pools.pop(slot).shutdown(wait=True, kill_workers=True)

    def _submit(self, slot: int, environment: Mapping[str, str], sweep: Sweep, job: JobSpec) -> "Future[JobReturn]":
        from joblib.externals.loky import ProcessPoolExecutor

        name = sweep.config.hydra.job.name
        with interrupts.unheard_by_children():
            # started with the first process otherwise, after which that would hear SIGINT again
            resource_tracker.ensure_running()
        # which start the process
        with interrupts.unheard_by_children():
            if slot not in self._pools:
                pool = ProcessPoolExecutor(1, env=dict(environment), initializer=_prepare, initargs=(parent_lock(),))
                self._pools[slot] = pool
            future: Future[JobReturn] = self._pools[slot].submit(sweep.run, job, job_id=f"{name}_{job.number}")
        return future

    def _outcome(self, future: "Future[JobReturn]", job: JobSpec, slot: int) -> JobReturn:
        try:
            return future.result()
        except BrokenProcessPool:
            self._pools.pop(slot).shutdown(wait=True, kill_workers=True)
            return job.died("its process was killed (out of memory?); repeat the command to go on with it")
        except Exception as error:
            return job.died(f"{type(error).__name__}: {error}")


def _release(pools: dict[int, Any]) -> None:
    """Let all workers end, each after what it was given."""
    # a pool cannot wait for itself, where its own thread has collected the last that had it
    is_main = threading.current_thread() is threading.main_thread()
    for slot in list(pools):
        pools.pop(slot).shutdown(wait=is_main)


def _prepare(lock: Path) -> None:
    # the process that started the sweep gets these too, and stops this one
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    _kept.enter_context(interrupts.handled(signal.SIGTERM))
    die_with_parent(lock)
