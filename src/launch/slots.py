"""Jobs that wait for one of a few slots on this machine."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from hydra.core.utils import JobReturn

from src.launch.job import JobSpec
from src.launch.parent_death import sigterm_exits

Handle = TypeVar("Handle")
Running: TypeAlias = Mapping[Handle, tuple[JobSpec, int]]


def run_in_slots(
    jobs: Sequence[JobSpec],
    n_slots: int,
    *,
    start: Callable[[JobSpec, int], Handle],
    wait: Callable[[Running[Handle]], Iterable[Handle]],
    outcome: Callable[[Handle, JobSpec, int], JobReturn],
    stop: Callable[[Running[Handle]], None],
) -> list[JobReturn]:
    """Run each job as soon as a slot is free, and return how each ended, in their order.

    Args:
        jobs: The jobs.
        n_slots: How many run at once.
        start: Starts a job in a slot, counted from 0.
        wait: Waits a while, and returns which have ended, of those that run with their job and slot.
        outcome: What came of a job that has ended in a slot.
        stop: Ends those that run, when something ends the sweep.
    """
    pending, free = deque(jobs), deque(range(n_slots))
    running: dict[Handle, tuple[JobSpec, int]] = {}
    returns: dict[int, JobReturn] = {}
    try:
        with sigterm_exits():
            while pending or running:
                while pending and free:
                    job, slot = pending.popleft(), free.popleft()
                    running[start(job, slot)] = (job, slot)
                for handle in list(wait(running)):
                    job, slot = running.pop(handle)
                    returns[job.number] = outcome(handle, job, slot)
                    free.append(slot)
    except BaseException:
        stop(running)
        raise
    return [returns[job.number] for job in jobs]
