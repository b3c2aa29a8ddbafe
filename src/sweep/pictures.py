"""The pictures that report.html shows, drawn of jobs that have drawn none: stacked ones."""

import functools
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from src.analysis.page.pictures import has_left, shown_jobs
from src.analysis.page.series import all_series
from src.analysis.records import JobRecord
from src.analysis.summary import Summary
from src.callbacks.pictures import FinalPictures
from src.checks.targets import check_targets
from src.measure import rebuild
from src.pictures.catalogue import PICTURES
from src.pictures.subject import Subject
from src.plots.style import save
from src.run.directory import RunDir

log = logging.getLogger(__name__)

_TARGET = f"{FinalPictures.__module__}.{FinalPictures.__qualname__}"


def draw_for_report(summary: Summary, *, trusted: Sequence[str] = ()) -> None:
    """Draw the pictures that the page shows, from the checkpoints of the jobs that it shows them of.

    A job has only those that its ``callbacks.pictures.draw`` names and that fit its data. One that cannot be drawn is a
    warning, since the answer stands without it.

    Args:
        summary: Of the jobs.
        trusted: Packages of the user's own, which the jobs may name.
    """
    series, refused, n_drawn = all_series(summary), set[Any](), 0

    def can_have(job: JobRecord, file: str) -> bool:
        if has_left(job, file):
            return True
        is_asked = Path(file).stem in _asked(job) and RunDir(job.path).checkpoint("last").is_file()
        return is_asked and not refused & {(job.path, file), (_kind(job), file)}

    # what is refused leaves its place to another
    subject_of = functools.lru_cache(maxsize=4)(functools.partial(_subject, trusted=tuple(trusted)))
    while missing := [each for each in shown_jobs(series, can_have) if not has_left(*each)]:
        for job, file in missing:
            if not can_have(job, file):
                continue
            try:
                if _draw(subject_of(job.path), RunDir(job.path).plots / file):
                    n_drawn += 1
                else:
                    refused.add((_kind(job), file))
            except Exception as error:
                log.warning("%s cannot be drawn: %s: %s", job.path / "plots" / file, type(error).__name__, error)
                refused.add((job.path, file))
    if n_drawn:
        pictures = "1 picture" if n_drawn == 1 else f"{n_drawn} pictures"
        log.info("%s drawn for the report; hydra.launcher.pictures=all draws those of every job", pictures)


def _asked(job: JobRecord) -> Iterator[str]:
    """Names of the pictures that a job was to draw."""
    for key, value in job.leaves.items():
        if key.startswith("callbacks.") and key.endswith("._target_") and value == _TARGET:
            names = job.leaves.get(f"{key.removesuffix('._target_')}.draw", ())
            yield from [names] if isinstance(names, str) else names


def _kind(job: JobRecord) -> tuple[str, ...]:
    """Equal for jobs whose data have the same sizes, and which the same pictures fit."""
    leaves = {key: value for key, value in job.leaves.items() if key.startswith("data.")}
    varied = ("seed", ".fold")
    return tuple(f"{k}={v}" for k, v in leaves.items() if not isinstance(v, float) and not k.endswith(varied))


def _subject(path: Path, *, trusted: Sequence[str]) -> Subject:
    """A run, built again for all of its pictures."""
    run = RunDir(path)
    cfg = run.config(trusted=trusted)
    check_targets(cfg, trusted=trusted)
    # trained elsewhere, maybe on a device that is not here
    cfg.trainer.accelerator = "cpu"
    return rebuild(run, cfg)


def _draw(subject: Subject, path: Path) -> bool:
    """Draw a picture, if it fits."""
    picture = PICTURES[path.stem]
    if not picture.fits(subject):
        return False
    save(picture.draw(subject), path)
    return True
