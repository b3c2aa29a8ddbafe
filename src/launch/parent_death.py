"""Processes that die with the one that started them, however it ends, by ``kill -9`` too."""

import fcntl
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO

_locked: list[IO[bytes]] = []


def parent_lock() -> Path:
    """A file that this process keeps locked as long as it lives; its children get the name."""
    if not _locked:
        # deleted when this process ends; one that is killed leaves an empty file
        _locked.append(tempfile.NamedTemporaryFile(prefix="parent_lock_"))  # noqa: SIM115
        fcntl.flock(_locked[0], fcntl.LOCK_EX)
    return Path(_locked[0].name)


def die_with_parent(lock: Path) -> None:
    """Kill this process once the parent no longer holds its lock; to be called at most once per process.

    The operating system frees a lock when its holder ends. A worker that went on after its sweep was killed would
    train in the same directory as the repeated command.

    Args:
        lock: The parent's `parent_lock`.
    """
    try:
        file = lock.open("rb")
    except FileNotFoundError:
        os.kill(os.getpid(), signal.SIGKILL)
        return

    def wait_for_the_end() -> None:
        fcntl.flock(file, fcntl.LOCK_SH)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait_for_the_end, name="die_with_parent", daemon=True).start()


@contextmanager
def sigterm_exits() -> Iterator[None]:
    """Let SIGTERM end what stands below as Ctrl-C does, so that it can stop what it has started."""

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(128 + signum)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
