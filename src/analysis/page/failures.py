"""What went wrong, each error once, with the jobs that it stopped."""

from collections.abc import Sequence
from dataclasses import dataclass

from src.analysis.records import JobRecord

N_ERRORS = 50
_N_LETTERS = 4000


@dataclass(frozen=True)
class Failure:
    """Jobs that failed in the same way.

    Attributes:
        kind: Class of the exception.
        message: Its text.
        traceback: That of the first of the jobs, its end where it is long.
        jobs: Whom it stopped.
    """

    kind: str
    message: str
    traceback: str
    jobs: tuple[JobRecord, ...]


def group_failures(jobs: Sequence[JobRecord]) -> list[Failure]:
    """Errors, the most frequent first."""
    alike: dict[tuple[str, str], list[JobRecord]] = {}
    for job in jobs:
        if job.status == "failed":
            alike.setdefault((job.error_type or "Error", job.error_message or ""), []).append(job)
    ranked = sorted(alike.items(), key=lambda item: -len(item[1]))
    return [
        Failure(kind, message[:_N_LETTERS], (found[0].traceback or "")[-_N_LETTERS:], tuple(found))
        for (kind, message), found in ranked
    ]
