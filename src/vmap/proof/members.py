"""Which jobs of a stack are tried: as different as there are, and those that share what others might hide."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from src.config.keys import flatten
from src.sweep.jobs import Job
from src.vmap.models import ModelFactory
from src.vmap.stacked.optimizers import STACKED

# Jobs that are trained both ways.
_MEMBERS = 3
# Jobs among which they are chosen.
_CANDIDATES = 1000


def members_of(jobs: Sequence[Job], factory: ModelFactory) -> list[Job]:
    """Three to five jobs.

    Args:
        jobs: Those of a stack, at least two.
        factory: Makes their optimisers.
    """
    members = _with_another_network(_most_different(jobs), jobs)
    return _with_a_partner(members, jobs, factory)


def _most_different(jobs: Sequence[Job]) -> list[Job]:
    """A few jobs, each of which differs from those before it in as many keys as there are."""
    candidates = jobs[:: -(-len(jobs) // _CANDIDATES)]
    leaves = [flatten(job.resolved) for job in candidates]
    chosen = [0]
    while len(chosen) < min(_MEMBERS, len(candidates)):
        rest = [i for i in range(len(candidates)) if i not in chosen]
        chosen.append(max(rest, key=lambda i: min(_distance(leaves[i], leaves[k]) for k in chosen)))
    return [candidates[i] for i in chosen]


def _with_another_network(members: list[Job], jobs: Sequence[Job]) -> list[Job]:
    """And a job of another width or activation, where there is one."""
    nets = [job.resolved["model"]["net"] for job in members]
    if any(net != nets[0] for net in nets):
        return members
    others = (job for job in jobs if job.resolved["model"]["net"] != nets[0])
    return [*members, *itertools.islice(others, 1)]


def _with_a_partner(members: list[Job], jobs: Sequence[Job], factory: ModelFactory) -> list[Job]:
    """And a job with all numbers of a member's optimiser, where that makes rows of one parameter of both."""
    recipes = {id(factory.recipe(job)) for job in members}
    kind = factory.recipe(jobs[0]).kind
    if kind in STACKED or len(recipes) < len(members):
        return members
    chosen = {job.number for job in members}
    others = (job for job in jobs if job.number not in chosen and id(factory.recipe(job)) in recipes)
    return [*members, *itertools.islice(others, 1)]


def _distance(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())
