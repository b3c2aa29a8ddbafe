"""Starts `python -m src.train` many times: each in a process of its own, forked from one that has loaded everything."""

import contextlib
import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_context = multiprocessing.get_context("forkserver")
# what a run imports late; in a clean process, since threads of a used one would not survive the fork
_context.set_forkserver_preload(["src.train", "src.build", "src.measure", "src.console.results", "src.analysis.finish"])


def start(*arguments: str, output: Path) -> ForkServerProcess:
    """Begin a command; what it prints is appended to a file."""
    process = _context.Process(target=_command, args=(arguments, output))
    process.start()
    return process


def run(*arguments: str, output: Path) -> int:
    """Run a command to its end; its exit status."""
    process = start(*arguments, output=output)
    process.join(300)
    assert process.exitcode is not None, "did not end within five minutes"
    return process.exitcode


def _command(arguments: tuple[str, ...], output: Path) -> None:
    from src.train import main

    os.chdir(ROOT)
    # a process group of its own, as a terminal gives each command
    os.setpgrp()
    file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115 lives as long as the process
    sys.argv = ["src/train.py", *arguments]
    with contextlib.suppress(BrokenPipeError):
        main()
