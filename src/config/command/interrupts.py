"""Ctrl-C, SIGTERM and SIGHUP: the first of them asks a command to end, the next one ends it.

What trains is asked between two epochs, so that it can leave a checkpoint (`heeded`). Everywhere else, and where an
epoch takes too long, `KeyboardInterrupt` ends what runs.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# Seconds that an epoch has to come to its end; what follows is a checkpoint.
_GRACE_S = 1.5
# Where Python drops what is raised, it is raised again after so many.
_AGAIN_S = 0.01


@dataclass
class _State:
    asked: int | None = None
    is_heeded: bool = False
    handlers: dict[int, Any] = field(default_factory=dict)


_state = _State()


def asked() -> bool:
    """Whether a signal has asked this command to end."""
    return _state.asked is not None


def status() -> int:
    """Exit status of a command that was asked to end."""
    return 128 + (_state.asked or signal.SIGINT)


def until_asked(epochs: Iterable[int]) -> Iterator[int]:
    """Yield epochs up to the one during which the command is asked to end; at least one."""
    for epoch in epochs:
        yield epoch
        if now():
            return


def now() -> bool:
    """Whether whoever trains is to end here, between two epochs; there is time for a checkpoint then."""
    if asked() and _state.is_heeded:
        _set_alarm(0)
        return True
    return False


@contextmanager
def handled(*signals: signal.Signals) -> Iterator[None]:
    """Handle signals as the module says, and afterwards as before; one that is ignored stays ignored.

    Args:
        *signals: Which; all three if none is given.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    global _state
    outer, hook = _state, sys.unraisablehook
    ours = [each for each in signals or SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.getsignal(each) for each in (*ours, signal.SIGALRM)}
    _state = _State(handlers={**dict.fromkeys(ours, _ask), signal.SIGALRM: _interrupt})
    sys.unraisablehook = lambda unraisable: _dropped(unraisable, hook)
    handle_again()
    try:
        yield
    finally:
        _set_alarm(0)
        for each, handler in before.items():
            # None: a handler that is not Python's
            signal.signal(each, signal.SIG_DFL if handler is None else handler)
        _state, sys.unraisablehook = outer, hook


def handle_again() -> None:
    """Take signals back from a library that has put handlers of its own before ours."""
    for each, handler in _state.handlers.items():
        signal.signal(each, handler)


@contextmanager
def meant() -> Iterator[None]:
    """Take whatever goes wrong after a signal for what it is: imports and libraries turn an interrupt into errors.

    Raises:
        KeyboardInterrupt: In the place of an error after a signal.
    """
    try:
        yield
    except (Exception, SystemExit) as error:
        # Lightning's trainers end the process with status 1
        if asked() and (not isinstance(error, SystemExit) or error.code == 1):
            raise KeyboardInterrupt from error
        raise


@contextmanager
def unheard_by_children() -> Iterator[None]:
    """Keep what a terminal sends to all of its processes from those that are started inside, from the first moment on.

    Whoever has started them hears it, and ends them as it should. They inherit what is blocked; here it waits.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def heeded() -> Iterator[None]:
    """Let a signal wait for the end of the epoch, which whoever trains looks for by `until_asked`.

    Raises:
        KeyboardInterrupt: If a signal has come and nobody has ended for it.
    """
    state = _state
    state.is_heeded = True
    try:
        yield
        if asked():
            raise KeyboardInterrupt
    finally:
        state.is_heeded = False
        if state.handlers:
            _set_alarm(0)


def _ask(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if _state.asked is None:
        _state.asked = signum
        if not _state.is_heeded:
            raise KeyboardInterrupt
        _set_alarm(_GRACE_S)
    elif signum != signal.SIGHUP:
        # a terminal that is closed sends SIGHUP twice, by the shell and by the system
        _end_at_once(signum)


def _interrupt(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001
    if asked():
        raise KeyboardInterrupt


def _set_alarm(seconds: float) -> None:
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _dropped(unraisable: "UnraisableHookArgs", hook: Any) -> None:
    """Python has dropped what was raised in the middle of a destructor: not a word of it, but once more."""
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        _set_alarm(_AGAIN_S)
    else:
        hook(unraisable)


def _end_at_once(signum: int) -> None:
    """End without unwinding, which a signal may meet anywhere; files are whole after that, and locks are free."""
    with suppress(OSError, ValueError, RuntimeError):
        sys.stdout.flush()
    with suppress(OSError):
        if os.isatty(2):
            # a bar hides the cursor
            os.write(2, b"\x1b[?25h\n")
    os._exit(128 + signum)
