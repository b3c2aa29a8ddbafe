"""What an interval covers: what was drawn anew from one value of a group to the next, and what is one draw."""

from collections.abc import Sequence

from src.analysis.groups import Group
from src.analysis.records import JobRecord
from src.analysis.units import ABSENT, followed

_DATA = {"data.seed": "data", "data.val_seed": "validation data", "data.split_seed": "split into parts"}


def covered(groups: Sequence[Group]) -> str | None:
    """What the intervals cover, in words; None where no group has two values, or its configuration tells nothing.

    Like "initial weights and order of batches; the data are one draw".
    """
    several = [group for group in groups if len(group.jobs) > 1]
    if not several:
        return None
    # what all groups draw anew
    drawn = [what for what in _drawn(several[0].jobs) if all(what in _drawn(group.jobs) for group in several)]
    if any(group.unit.noun == "fold" for group in several):
        drawn = ["which rows train and which test", *(what for what in drawn if what not in _DATA.values())]
        return f"{_listed(drawn)}; the table is one draw"
    if not drawn:
        return None
    return _listed(drawn) if "data" in drawn else f"{_listed(drawn)}; {_one_draw(drawn)}"


def _one_draw(drawn: Sequence[str]) -> str:
    return "the rows are one draw" if "split into parts" in drawn else "the data are one draw"


def _drawn(jobs: Sequence[JobRecord]) -> list[str]:
    """What differs between jobs of a group by what follows the seed, or has a seed of its own."""
    found = []
    if len({job.seed for job in jobs}) > 1:
        found.append("initial weights")
    if _differs(jobs, "data.batch_seed") and all(_has_batches(job) for job in jobs):
        found.append("order of batches")
    return found + [what for key, what in _DATA.items() if _differs(jobs, key)]


def _has_batches(job: JobRecord) -> bool:
    return followed(job.leaves, "data.batch_size") not in (ABSENT, None)


def _differs(jobs: Sequence[JobRecord], key: str) -> bool:
    return len({str(followed(job.leaves, key)) for job in jobs if key in job.leaves}) > 1


def _listed(words: Sequence[str]) -> str:
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"
