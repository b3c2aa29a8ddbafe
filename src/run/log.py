"""What a run says, in a file: beside its results, and never in their way."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

# What this process has said for all of its runs.
_said_first = set[str]()


class Said(NamedTuple):
    """A line of a log.

    Attributes:
        module: Whose.
        text: What it says.
        level: Its weight, as in `logging`.
    """

    module: str
    text: str
    level: int = logging.INFO


def hand_over(said: Said, handlers: Iterable[logging.Handler]) -> None:
    """Give a line to these handlers, and to nobody else who listens."""
    for handler in handlers:
        if said.level >= handler.level:
            handler.handle(logging.LogRecord(said.module, said.level, "", 0, said.text, None, None))


def keep(name: str, *lines: str) -> None:
    """Write lines in the name of a module to the files of a run, past the terminal, which shows them in its own way."""
    files = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.FileHandler)]
    for line in lines:
        hand_over(Said(name, line), files)


def say_first(name: str, line: str) -> None:
    """Say in the name of a module what is true of all runs of a process: their files each, the terminal once."""
    if line in _said_first:
        keep(name, line)
    else:
        _said_first.add(line)
        logging.getLogger(name).info(line)


@contextlib.contextmanager
def said_once(said: set[str]) -> Iterator[None]:
    """Let a line be heard once that is said again and again in here, of one run after the other.

    Args:
        said: What has been said before; grows.
    """

    def is_new(record: logging.LogRecord) -> bool:
        # asked by each handler
        kept, text = vars(record), record.getMessage()
        is_new: bool = kept.setdefault("is_new", text not in said)
        said.add(text)
        return is_new

    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(is_new)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(is_new)


@contextlib.contextmanager
def overheard() -> Iterator[list[Said]]:
    """Collect all that is logged inside this, also what is heard nowhere else."""
    said: list[Said] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(Said(record.name, record.getMessage(), record.levelno))  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield said
    finally:
        root.removeHandler(handler)


class Log(logging.FileHandler):
    """Appends to a file; after the first line that it cannot write it says no more.

    A directory that one may only read holds a log that is finished. On a disk that is full, the files that matter fail
    with a message of their own.
    """

    is_lost = False

    def _open(self) -> Any:
        # a pipe that nobody reads is an error at once, not something to wait for
        return open(self.baseFilename, self.mode, encoding=self.encoding, errors=self.errors, opener=_not_waiting)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if all before it could be written."""
        if self.is_lost:
            return
        try:
            super().emit(record)
        except OSError as error:
            # it cannot be opened
            self._lose(error)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Lose the file where the system refuses a write; what else goes wrong with a record is shown."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self._lose(error)
        else:
            super().handleError(record)

    def lost(self, error: OSError) -> None:
        """Called once, with why."""

    def _lose(self, error: OSError) -> None:
        self.is_lost = True
        # with the text that it has no room for, and that would raise once more when it is flushed at the end
        stream: Any = self.stream
        self.stream = None
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
        self.lost(error)


def _not_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
