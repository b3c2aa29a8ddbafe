"""``train.log`` of a stacked job: what its own run would have said there, as far as it holds.

Hydra opens the files of ``hydra.job_logging`` for one job at a time, and a stack trains many at once. So each job has
them opened for a few lines.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from src.run.log import Log, Said, hand_over
from src.sweep.jobs import Job

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainLog:
    """Files of one job, while they are open.

    Attributes:
        handlers: What writes them; none where ``hydra.job_logging`` names no file.
    """

    handlers: tuple[logging.Handler, ...]

    def say(self, module: str, text: str, *, level: int = logging.INFO) -> None:
        """Write a line in the name of a module, and nowhere else."""
        hand_over(Said(module, text, level), self.handlers)


@contextmanager
def train_log(job: Job, *, listens: bool = False) -> Iterator[TrainLog]:
    """Open the files of a job.

    Args:
        job: Whose.
        listens: Whether they also get what anybody logs meanwhile.
    """
    own_log, root = TrainLog(tuple(_handlers(job))), logging.getLogger()
    for handler in own_log.handlers if listens else ():
        root.addHandler(handler)
    try:
        yield own_log
    finally:
        for handler in own_log.handlers:
            root.removeHandler(handler)
            handler.close()


def say(job: Job, *lines: Said) -> None:
    """Write lines to the ``train.log`` of a job."""
    with train_log(job) as own_log:
        for line in lines:
            hand_over(line, own_log.handlers)


class _File(Log):
    """A file that, should it not be to be written, is a warning: it ends no model, and no stack."""

    def lost(self, error: OSError) -> None:
        """Warn."""
        log.warning("no log of a job: %s", error)


def _handlers(job: Job) -> Iterator[logging.Handler]:
    """As `logging.config` would make them of the files in ``hydra.job_logging``, added to what is there."""
    for file in job.log_files:
        handler = _File(file.path, encoding="utf-8", delay=True)
        handler.setLevel(file.level)
        handler.setFormatter(logging.Formatter(file.format, file.datefmt))
        yield handler
