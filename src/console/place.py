"""The place of a job among those of its sweep, as far as its process knows of them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

# Number of jobs, and when the first one began; inherited by the processes of launchers.
_VARIABLE = "JOBS_OF_SWEEP"


@contextmanager
def counting() -> Iterator[None]:
    """Forget at the end of this what `count` has told."""
    before = os.environ.pop(_VARIABLE, None)
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE, None)
        if before is not None:
            os.environ[_VARIABLE] = before


def count(n_jobs: int) -> None:
    """Let the jobs of a sweep, which are about to begin, know how many they are."""
    os.environ[_VARIABLE] = f"{n_jobs} {time.monotonic()}"


class Place(NamedTuple):
    """Which job of how many.

    Attributes:
        number: Number of the job, from 0.
        n_jobs: How many there are; None where nobody has counted them.
        elapsed_s: Seconds since the first one began.
    """

    number: int
    n_jobs: int | None = None
    elapsed_s: float = 0.0

    @classmethod
    def of(cls, number: int) -> "Place":
        """The place of the job with this number, from what its process was told."""
        n_jobs, _, started = os.environ.get(_VARIABLE, "").partition(" ")
        if not n_jobs.isdigit() or number >= int(n_jobs):
            return cls(number)
        return cls(number, int(n_jobs), time.monotonic() - float(started))

    def words(self) -> str:
        """What follows the line of a job that is over: its place, and about how long the jobs after it will take."""
        if self.n_jobs is None:
            return ""
        n_left = self.n_jobs - self.number - 1
        # on another machine the clock is another
        left = self.elapsed_s / (self.number + 1) * n_left
        about = f", about {in_words(left)} left" if n_left and left > 0 else ""
        return f" ({self.number + 1} of {self.n_jobs}{about})"


def in_words(seconds: float) -> str:
    """A duration as one says it: ``8 s``, ``5 min``, ``3 h``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{round(seconds / 3600)} h"
