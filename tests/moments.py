"""Moments at which a process is killed or interrupted: chosen by what it has done so far, never by the time."""

import itertools
import os
import signal
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Moment:
    """The moment before a file is put into its place; what stands there is whole, and is the one before.

    Attributes:
        files: Pattern of its absolute path.
        n: Which of the files with such a path, in the order in which this process puts them there.
    """

    files: str
    n: int = 1

    def is_of(self, path: str) -> bool:
        """Whether a path is that of such a file."""
        return fnmatch(str(Path(path).absolute()), self.files)

    def send(self, sent: signal.Signals) -> None:
        """Let this process send itself a signal then: SIGKILL ends it there, SIGINT interrupts it there.

        It comes from the thread that is to hear of it, which has it before the next line. One from outside may reach
        another thread first, and this one anywhere, even where Python drops what is raised.
        """
        count = itertools.count(1)

        def look(event: str, args: tuple[Any, ...]) -> None:
            if event == "os.rename" and self.is_of(os.fsdecode(args[1])) and next(count) == self.n:
                os.kill(os.getpid(), sent)

        sys.addaudithook(look)
