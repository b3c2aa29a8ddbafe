"""What the jobs of a sweep ask for, each kind of hint once."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.analysis.records import JobRecord


@dataclass(frozen=True)
class SharedHint:
    """A hint that several jobs were given.

    Attributes:
        kind: What went wrong, as `src.hints.rules` calls it.
        seen: What was seen in the first of the jobs.
        command: What to try for that job.
        jobs: All that were given a hint of this kind.
    """

    kind: str
    seen: str
    command: str
    jobs: tuple[JobRecord, ...]

    @property
    def line(self) -> str:
        """For whom, and what was seen."""
        others = f" and {len(self.jobs) - 1} more" if len(self.jobs) > 1 else ""
        return f"hint for job {self.jobs[0].name}{others}: {self.seen}"


def shared_hints(jobs: Sequence[JobRecord]) -> list[SharedHint]:
    """Hints by kind, the most frequent first."""
    alike: dict[str, list[JobRecord]] = {}
    for job in jobs:
        for kind in dict.fromkeys(hint["kind"] for hint in job.hints):
            alike.setdefault(kind, []).append(job)
    ranked = sorted(alike.items(), key=lambda item: -len(item[1]))
    return [_shared(kind, found) for kind, found in ranked]


def _shared(kind: str, jobs: list[JobRecord]) -> SharedHint:
    first = next(hint for hint in jobs[0].hints if hint["kind"] == kind)
    return SharedHint(kind, first["seen"], first["try"], tuple(jobs))
