"""A directory as a model: of one run, or of a sweep's group the runs that have completed, as an ensemble."""

import re
import shlex
from collections.abc import Hashable, Sequence
from pathlib import Path

from src.analysis.groups import Group, group_jobs
from src.analysis.records import JobRecord, is_run, read_jobs
from src.config.command.paths import in_quotes
from src.config.errors import ConfigError, suggest
from src.run.directory import RunDir
from src.use.model import Model, rebuilt


def opened(
    directory: Path, *, checkpoint: str | None = None, group: str | None = None, trusted: Sequence[str] = ()
) -> Model:
    """Rebuild what a directory holds.

    Args:
        directory: A run, or a sweep.
        checkpoint: As in `src.use.model.rebuilt`.
        group: Which group of the sweep, as its report names it; None where there is one.
        trusted: As in `src.use.model.rebuilt`.

    Raises:
        ConfigError: If there is nothing to open, or the group is not told.
    """
    if checkpoint not in (None, "best", "last"):
        # the current folder may be another one when an estimator is used
        checkpoint = str(Path(str(checkpoint)).expanduser())
    if is_run(directory) or not (jobs := read_jobs([directory])):
        if group is not None:
            raise ConfigError(f"group={group}: run={directory} is no sweep, and has no groups; leave it out")
        return Model([rebuilt(RunDir(directory), checkpoint=checkpoint, trusted=trusted)])
    if checkpoint not in (None, "best", "last"):
        raise ConfigError(f"checkpoint={checkpoint}: run={directory} is a sweep, of many runs; allowed: best, last")
    chosen = _chosen(directory, group_jobs(jobs), group)
    completed = _completed(chosen)
    if not completed:
        raise ConfigError(f"run={directory}: none of the {len(chosen.jobs)} runs of group {chosen.label!r} completed")
    members = [rebuilt(RunDir(job.path), checkpoint=checkpoint, trusted=trusted) for job in completed]
    return Model(members, is_ensemble=True)


def _chosen(directory: Path, groups: Sequence[Group], name: str | None) -> Group:
    labels = [group.label for group in groups]
    if not labels:
        raise ConfigError(f"run={directory}: none of its runs has a configuration that can be read")
    if name is None and len(groups) > 1:
        raise ConfigError(f"run={directory} is a sweep of several groups; give one of them: {_listed(labels)}")
    if name is not None and name not in labels:
        near = suggest(name, labels)
        near = f"{near} allowed: " if near.endswith("?") else "allowed: "
        raise ConfigError(f"group={name}: run={directory} has no such group; {near}{_listed(labels)}")
    return groups[0 if name is None else labels.index(name)]


def _listed(labels: Sequence[str]) -> str:
    """Groups as they are asked for on a command line."""
    return ", ".join(
        f"group={label}" if re.fullmatch(r"[\w./-]+", label) else shlex.quote(f"group={in_quotes(label)}")
        for label in labels
    )


def _completed(group: Group) -> list[JobRecord]:
    """A job of each run that has completed; one that was made again tells nothing new."""
    found: dict[Hashable, JobRecord] = {}
    for job, place in zip(group.jobs, group.places, strict=True):
        if job.status == "completed":
            found.setdefault(place, job)
    return list(found.values())
