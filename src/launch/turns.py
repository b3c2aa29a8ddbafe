"""Jobs that wait for one of a few places on this machine."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from hydra.core.utils import JobReturn

from src.launch.job import Job
from src.launch.lifeline import stopped_by_sigterm

Handle = TypeVar("Handle")
Running: TypeAlias = Mapping[Handle, tuple[Job, int]]


def take_turns(
    jobs: Sequence[Job],
    n_places: int,
    *,
    start: Callable[[Job, int], Handle],
    ended: Callable[[Running[Handle]], Iterable[Handle]],
    outcome: Callable[[Handle, Job, int], JobReturn],
    stop: Callable[[Running[Handle]], None],
) -> list[JobReturn]:
    """Run each job as soon as a place is free, and tell how each ended, in their order.

    Args:
        jobs: The jobs.
        n_places: How many run at once.
        start: Starts a job at a place, counted from 0.
        ended: Waits a while, and tells which have ended, of those that run with their job and place.
        outcome: What came of a job that has ended at a place.
        stop: Ends those that run, when something ends the sweep.
    """
    waiting, free = deque(jobs), deque(range(n_places))
    running: dict[Handle, tuple[Job, int]] = {}
    returns: dict[int, JobReturn] = {}
    try:
        with stopped_by_sigterm():
            while waiting or running:
                while waiting and free:
                    job, place = waiting.popleft(), free.popleft()
                    running[start(job, place)] = (job, place)
                for handle in list(ended(running)):
                    job, place = running.pop(handle)
                    returns[job.num] = outcome(handle, job, place)
                    free.append(place)
    except BaseException:
        stop(running)
        raise
    return [returns[job.num] for job in jobs]
