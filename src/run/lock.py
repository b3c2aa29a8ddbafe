"""A directory that one process at a time writes to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from src.config.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows, where a directory cannot be locked
    fcntl = None  # type: ignore[assignment]


class LockedError(ConfigError):
    """Another command is writing to a directory."""


@contextmanager
def locked(path: Path, *, key: str) -> Iterator[None]:
    """Lock a directory, and make it if need be; the system unlocks it when this process ends, however that happens.

    Where a file system cannot lock a directory, everybody may write.

    Args:
        path: The directory.
        key: What chose it, for the message.

    Raises:
        LockedError: If another command has locked it.
    """
    path.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"{key}={path}: another command is writing there; wait for its end, or choose another directory"
            ) from None
        except OSError:
            # some network file systems
            pass
        yield
    finally:
        os.close(descriptor)
