"""Whose lines stand on the terminal, where several jobs write to it."""

import contextlib
import logging
import os
from collections.abc import Iterator

# There in the processes of launchers that run several jobs at once.
_SIDE_BY_SIDE = "JOBS_SIDE_BY_SIDE"


def stand_side_by_side() -> None:
    """Tell this process that others write to its terminal at the same time, where a bar would be drawn over."""
    os.environ[_SIDE_BY_SIDE] = "1"


def are_side_by_side() -> bool:
    """Whether several jobs write to one terminal."""
    return _SIDE_BY_SIDE in os.environ


@contextlib.contextmanager
def marked(mark: str) -> Iterator[None]:
    """Let what stands on the terminal begin with a mark, such as the number of a job; files stay as they are."""
    before = [
        (handler, handler.formatter)
        for handler in logging.getLogger().handlers
        if not isinstance(handler, logging.FileHandler)
    ]
    for handler, formatter in before:
        handler.setFormatter(_Marked(mark, formatter or logging.Formatter()))
    try:
        yield
    finally:
        for handler, formatter in before:
            handler.setFormatter(formatter)


class _Marked(logging.Formatter):
    def __init__(self, mark: str, formatter: logging.Formatter) -> None:
        super().__init__()
        self._mark, self._formatter = mark, formatter

    def format(self, record: logging.LogRecord) -> str:
        return f"{self._mark}{self._formatter.format(record)}"
