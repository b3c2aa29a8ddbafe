"""Whose lines stand on the terminal, where several jobs write to it."""

import contextlib
import logging
from collections.abc import Iterator


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
