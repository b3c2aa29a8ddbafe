"""Jobs in processes of this machine, as submitit starts them on a cluster: a fresh process and a log file for each."""

import time
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn

from src.compat.submitit import LocalGroupExecutor, LocalJob
from src.launch.job import JobSpec, Sweep
from src.launch.parent_death import parent_lock
from src.launch.resources import slot_environments
from src.launch.slots import Running, run_in_slots
from src.launch.submission import Submission, has_result, outcome

_POLL_S = 0.2

# Seconds in which a job comes to the end of its epoch and writes a checkpoint.
_GRACE_S = 2.0

Handle = LocalJob[JobReturn]


def run_locally(
    sweep: Sweep, jobs: Sequence[JobSpec], *, n_jobs: int, folder: str, timeout_min: int
) -> list[JobReturn]:
    """Run the jobs, and return how each ended, in their order.

    Args:
        sweep: What they share.
        jobs: The jobs.
        n_jobs: Jobs at once; -1 for one per GPU where there are several, else one per core.
        folder: Where submitit puts its files; ``%j`` stands for its name of a job.
        timeout_min: After this many minutes a job is stopped.
    """
    environments = slot_environments(n_jobs, n_jobs=len(jobs))

    def start(job: JobSpec, slot: int) -> Handle:
        executor = LocalGroupExecutor(folder, environments[slot], timeout_min=timeout_min)
        handle = executor.submit(Submission(sweep, job, parent_lock()))
        assert isinstance(handle, LocalJob)
        return handle

    return run_in_slots(jobs, len(environments), start=start, wait=_wait, outcome=_outcome, stop=_end)


def _wait(running: Running[Handle]) -> list[Handle]:
    time.sleep(_POLL_S)
    return [handle for handle in running if handle.done()]


def _outcome(handle: Handle, job: JobSpec, _: int) -> JobReturn:
    if has_result(handle):
        return outcome(handle, job)
    output = Path(handle.paths.stdout)
    return job.died(f"its process was killed (out of memory?); its output is in {output}; repeat the command to go on")


def _end(running: Running[Handle]) -> None:
    """End all, each after the epoch that it trains, if that does not take too long."""
    for handle in running:
        handle.ask()
    end = time.monotonic() + _GRACE_S
    try:
        for handle in running:
            handle.kill(grace_s=max(0.0, end - time.monotonic()))
    except BaseException:
        # a second signal, say
        for handle in running:
            handle.kill()
        raise
