"""What an interval covers: what was drawn anew from one value of a group to the next, and what is one draw."""

from collections.abc import Mapping, Sequence
from typing import Any

from src.analysis.groups import Group
from src.analysis.records import JobRecord
from src.analysis.varying.units import DRAWS, FOLD, as_text, followed
from src.config.seeds import SOURCES, Source, is_drawn, varied

_WORDS: dict[Source, str] = {
    "init": "initial weights",
    "order": "order of batches",
    "data": "data",
    "split": "split into parts",
}
_SHORT: dict[Source, str] = {"data": "the data", "split": "the split"}
# Keys that draw one source and nothing else.
_OF_KEY: dict[str, Source] = {"data.seed": "data", "data.split_seed": "split"}


def covered(groups: Sequence[Group]) -> str | None:
    """What the intervals cover, in words; None where no group has two values, or its configuration tells nothing.

    Like "initial weights and order of batches; the data are one draw".
    """
    several = [group for group in groups if len(group.jobs) > 1]
    if not several:
        return None
    # what all groups draw anew
    found = [_drawn(group.jobs) for group in several]
    drawn = [what for what in found[0] if all(what in each for each in found)]
    if any(group.unit.noun == "fold" for group in several):
        drawn = ["which rows train and which test", *(what for what in drawn if what in _OF_RUN)]
        return f"{listed(drawn)}; the table is one draw"
    if not drawn:
        return None
    return listed(drawn) if "data" in drawn else f"{listed(drawn)}; {_one_draw(drawn)}"


def how_to_draw_more(groups: Sequence[Group]) -> str:
    """What lets seeds draw the data as well, where they do not; empty where there is nothing to add."""
    for group in groups:
        leaves = group.jobs[0].leaves
        known = {source for key in factors(group.jobs) for source in sources(leaves, key)}
        of_data: tuple[Source, ...] = ("data", "split")
        more = [source for source in of_data if source not in known and is_drawn(leaves, source)]
        if len(group.jobs) > 1 and known and more and group.unit.noun != "fold":
            every = ",".join(source for source in SOURCES if source in known or source in more)
            return f"vary=[{every}] draws {listed([_SHORT[source] for source in more])} anew"
    return ""


def factors(jobs: Sequence[JobRecord]) -> list[str]:
    """Keys of the seeds, draws and folds that differ between runs of a group."""
    return [key for key in ("seed", *DRAWS, FOLD) if len({level(job, key) for job in jobs}) > 1]


def sources(leaves: Mapping[str, Any], key: str) -> list[Source]:
    """What a key draws in a run, of its stored leaves."""
    if key == "seed":
        return list(varied(leaves))
    if key == "base_seed":
        of_run: tuple[Source, ...] = ("init", "order")
        return [each for each in of_run if each not in varied(leaves) and is_drawn(leaves, each)]
    return [_OF_KEY[key]] if key in _OF_KEY else []


def level(job: JobRecord, key: str) -> str:
    """Which seed a run has; what refers to that of the run is told by `seed`."""
    return str(job.seed) if key == "seed" else as_text(followed(job.leaves, key, only_for="group"))


def listed(words: Sequence[str]) -> str:
    """Words as one says them."""
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


_OF_RUN = (_WORDS["init"], _WORDS["order"])


def _one_draw(drawn: Sequence[str]) -> str:
    return "the rows are one draw" if "split into parts" in drawn else "the data are one draw"


def _drawn(jobs: Sequence[JobRecord]) -> list[str]:
    """What differs between jobs of a group by what follows the seed, or has a seed of its own."""
    keys = factors(jobs)
    found = {source for key in keys for source in sources(jobs[0].leaves, key)}
    words = [words for source, words in _WORDS.items() if source in found]
    return [*words, *(["validation data"] if "data.val_seed" in keys and "data" not in found else [])]
