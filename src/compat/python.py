"""What Python does by itself: at the end of a process, done before that is cut short, and while it collects garbage."""

import atexit
import gc
import io
import os
import sys
import threading
from contextlib import suppress
from typing import Any, NoReturn

# Most objects of any version's own threshold.
_USUAL = 2_000

# What stands around a module that `python -m` runs, and around a script.
_AROUND: tuple[list[str], ...] = ([], ["_run_code", "_run_module_as_main"])


def collect_seldom() -> None:
    """Look for circles of garbage after twenty thousand new objects, and not after seven hundred.

    Libraries make a million objects while they are imported, which all stay: looking at them again and again takes half
    a second. Whoever has chosen other numbers keeps them.
    """
    first, *_ = gc.get_threshold()
    if 0 < first <= _USUAL:
        gc.set_threshold(20_000, 20, 50)


def nothing_waits() -> bool:
    """Whether the process ends with its main module: no profiler, debugger or prompt has this one for a guest."""
    frame: Any = sys._getframe()
    while frame is not None and (frame.f_code.co_name, frame.f_globals.get("__name__")) != ("<module>", "__main__"):
        frame = frame.f_back
    if frame is None or sys.flags.interactive:
        return False
    around = []
    while (frame := frame.f_back) is not None:
        around.append(frame.f_code.co_name)
    return around in _AROUND


def leave(status: int, *, is_asked: bool) -> NoReturn:
    """End this process as Python does, but for taking all objects apart, a second and more where torch is loaded.

    Args:
        status: Its exit status.
        is_asked: Whether somebody waits for the end, and threads that go on are not waited for.
    """
    if not is_asked:
        threading._shutdown()  # type: ignore[attr-defined] # as it is called at the end
    atexit._run_exitfuncs()
    # what somebody has written and not closed, and last the streams of the process
    writers = [each for each in gc.get_objects() if type(each) in (io.TextIOWrapper, io.BufferedWriter)]
    for stream in (*writers, sys.stdout, sys.stderr):
        # closed, only read from, or a terminal that is gone and takes nothing any more
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)
