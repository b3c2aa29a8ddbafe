"""Bars on a terminal, which leave the lines of logs whole, and their own numbers where there is little room."""

import logging
import sys
from collections.abc import Iterator
from math import ceil
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from src.console.place import in_words

# Columns of a terminal from which on there is room for more than numbers.
_NARROW = 60

# What numbers and names take of it beside a bar, with a text and without one.
_WITH_TEXT, _WITHOUT = 66, 50


class Time(ProgressColumn):
    """How long it will take, and in the end how long it took."""

    max_refresh = 0.5

    def render(self, task: Task) -> RenderableType:
        """``8 s left``, ``took 12 s``."""
        if task.finished and task.finished_time is not None:
            return Text(f"took {in_words(task.finished_time)}", style="progress.elapsed")
        left = task.time_remaining
        return Text("" if left is None else f"{in_words(ceil(left))} left", style="progress.remaining")


class Bars(Progress):
    """What is counted, how far, how long yet, and a text; below 60 columns without what is drawn.

    Lines that a log writes meanwhile stand above them.

    Args:
        console: The terminal.
        name: What is counted, where all bars count the same and it may be left out.
    """

    def __init__(self, console: Console, *, name: str = "") -> None:
        whole, wrapped = Column(no_wrap=True), Column(overflow="fold")
        is_wide = console.width >= _NARROW
        super().__init__(
            *([TextColumn(name)] if name and is_wide else []),
            *([] if name else [TextColumn("{task.description}", table_column=wrapped)]),
            MofNCompleteColumn(table_column=whole),
            *([BarColumn(bar_width=max(4, console.width - (_WITH_TEXT if name else _WITHOUT)))] if is_wide else []),
            Time(table_column=whole),
            TextColumn("{task.fields[text]}", table_column=wrapped),
            console=console,
            refresh_per_second=4,
        )
        self._moved: list[tuple[logging.StreamHandler[Any], Any]] = []

    def add(self, name: str, *, total: float | None, completed: int = 0) -> TaskID:
        """One more bar."""
        return self.add_task(name, total=total, completed=completed, text="")

    def start(self) -> None:
        """Draw them, and lead what logs write to the place above them."""
        super().start()
        for stream in (sys.stdout, sys.stderr):
            # what rich has put into its place, to draw the bars anew below each line
            original = getattr(stream, "rich_proxied_file", None)
            for handler in _handlers():
                if original is not None and handler.stream is original:
                    self._moved.append((handler, handler.setStream(stream)))

    def stop(self) -> None:
        """Leave them as they are."""
        while self._moved:
            handler, stream = self._moved.pop()
            handler.setStream(stream)
        super().stop()


def _handlers() -> Iterator["logging.StreamHandler[Any]"]:
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            yield from (each for each in logger.handlers if type(each) is logging.StreamHandler)
