"""A private part of Python: what is registered for the end of a process, called before that end is cut short."""

import atexit
import os
import sys
from contextlib import suppress
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """End this process as Python does, but for taking all objects apart, a second and more where torch is loaded.

    Args:
        status: Its exit status.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # a terminal that is gone takes nothing any more
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
