"""Starts `python -m src.train` many times: each in a process of its own, forked from one that has loaded everything."""

import contextlib
import multiprocessing
import os
import signal
import sys
from pathlib import Path

from tests.moments import Moment
from tests.waiting import ROOT, Started, ends_with_its_test

_context = multiprocessing.get_context("forkserver")
# what a run imports late; in a clean process, since threads of a used one would not survive the fork
_context.set_forkserver_preload(["src.train", "src.build", "src.measure", "src.console.results", "src.analysis.finish"])


def start(
    *arguments: str, output: Path, killed_at: Moment | None = None, interrupted_at: Moment | None = None
) -> Started:
    """Begin a command.

    Args:
        *arguments: Its command line.
        output: The file to which what it prints is appended.
        killed_at: When it is killed, as by ``kill -9``.
        interrupted_at: When it is interrupted, as by Ctrl-C.
    """
    signals = [(killed_at, signal.SIGKILL), (interrupted_at, signal.SIGINT)]
    process = _context.Process(target=_command, args=(arguments, output, signals))
    process.start()
    return ends_with_its_test(Started(process, output))


def run(*arguments: str, output: Path) -> int:
    """Run a command to its end; its exit status."""
    return start(*arguments, output=output).end()


def _command(arguments: tuple[str, ...], output: Path, signals: list[tuple[Moment | None, signal.Signals]]) -> None:
    from src.train import main

    os.chdir(ROOT)
    # a process group of its own, as a terminal gives each command
    os.setpgrp()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115 lives as long as the process
    sys.argv = ["src/train.py", *arguments]
    for moment, sent in signals:
        if moment is not None:
            moment.send(sent)
    with contextlib.suppress(BrokenPipeError):
        main()
