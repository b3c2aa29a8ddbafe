"""Processes that die with the one that started them, however it ends, by ``kill -9`` too."""

import atexit
import contextlib
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

_PREFIX = "parent_lock_"

_locked: list[tuple[Path, IO[bytes]]] = []


def parent_lock() -> Path:
    """A file that this process keeps locked as long as it lives; its children get the name."""
    if not _locked:
        _remove_those_of_the_dead()
        handle, name = tempfile.mkstemp(prefix=f"new_{_PREFIX}")
        file = os.fdopen(handle, "rb")
        fcntl.flock(file, fcntl.LOCK_EX)
        # under this name only once it is locked: nobody takes it for one of the dead
        path = Path(name).rename(Path(name).with_name(Path(name).name.removeprefix("new_")))
        _locked.append((path, file))
        atexit.register(_remove, path, os.getpid())
    return _locked[0][0]


def _remove(path: Path, pid: int) -> None:
    """Remove a lock when its process ends, not when a fork of it does."""
    if os.getpid() == pid:
        path.unlink(missing_ok=True)


def _remove_those_of_the_dead() -> None:
    """Remove the locks that killed processes of this user have left."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        # of somebody else, still locked, or just removed
        with contextlib.suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()


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
    """Let SIGTERM end what stands below as Ctrl-C does, so that it can stop what it has started, unless it does so."""

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(128 + signum)

    is_handled = signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    if is_handled or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
