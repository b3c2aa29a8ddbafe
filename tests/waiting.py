"""The one place where tests wait. They wait for an event: a file, a line, a state of a process, its end.

A test that waits for a time, or demands that something is over within one, fails where the machine is slower, faster or
busier than the one that it was written on.
"""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]

# Only what hangs takes as long as that.
LIMIT_S = 900.0

# Files, lines and states of processes have no common way to tell of themselves, so they are looked for this often.
_PAUSE_S = 0.02

_started: "list[Started]" = []


def wait_for(event: Callable[[], T], what: str, *, said: Callable[[], str] = str) -> T:
    """Wait until an event gives something true, and give that.

    Args:
        event: Looks for it.
        what: Its name in the error.
        said: What the processes that should bring it about have printed so far.

    Raises:
        AssertionError: If it hangs.
    """
    deadline = time.monotonic() + LIMIT_S
    while not (found := event()):
        assert time.monotonic() < deadline, f"waited {LIMIT_S:g} s in vain for {what}\n{said()}"
        time.sleep(_PAUSE_S)
    return found


class Started:
    """A process that a test has started, and what it has printed so far.

    Args:
        process: The process.
        output: The file to which it prints.
    """

    def __init__(self, process: "subprocess.Popen[Any] | BaseProcess", output: Path) -> None:
        assert process.pid is not None
        self.pid: int = process.pid
        self._process, self._output = process, output

    @property
    def status(self) -> int | None:
        """Its exit status, the negative number of the signal that killed it, or None while it runs."""
        return self._process.exitcode if isinstance(self._process, BaseProcess) else self._process.poll()

    def said(self) -> str:
        """What it has printed."""
        return self._output.read_text() if self._output.exists() else ""

    def wait_for(self, event: Callable[[], T], what: str) -> T:
        """Wait for an event that this process is to bring about.

        Raises:
            AssertionError: If it ends before, or hangs.
        """

        def look() -> T:
            status = self.status
            found = event()
            assert found or status is None, f"it ended with status {status} before {what}\n{self.said()}"
            return found

        return wait_for(look, what, said=self.said)

    def line(self, pattern: str) -> re.Match[str]:
        """Wait until it has printed something."""
        found = self.wait_for(lambda: re.search(pattern, self.said()), f"it printed {pattern}")
        assert found
        return found

    def end(self) -> int:
        """Wait until it ends by itself; its status."""
        wait_for(lambda: self.status is not None, "its end", said=self.said)
        assert self.status is not None
        return self.status

    def send(self, sent: signal.Signals) -> None:
        """Send a signal to it and all others of its group, as a terminal does."""
        os.killpg(self.pid, sent)

    def terminate(self) -> None:
        """Send SIGTERM to it alone."""
        self._process.terminate()

    def kill(self) -> None:
        """Kill it alone, and wait until it is gone."""
        self._process.kill()
        self.end()


def command(*argv: str, output: Path, env: Mapping[str, str] | None = None) -> Started:
    """Start a command in the repository root, as leader of a process group; it ends with its test at the latest."""
    with output.open("ab") as file:
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=file, stderr=file, start_new_session=True)
    return ends_with_its_test(Started(process, output))


def completed(*argv: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=LIMIT_S)


def ends_with_its_test(started: Started) -> Started:
    """See to it that a failed test leaves nothing behind."""
    _started.append(started)
    return started


def kill_what_is_left() -> None:
    """Called at the end of each test."""
    while _started:
        each = _started.pop()
        if each.status is None:
            each.send(signal.SIGKILL)
            each.end()


def state_of(pid: int) -> str:
    """One letter for the state of a process, R, S, T, Z, ..., as ``ps`` shows it; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to notice that it has ended does not."""
    return state_of(pid) not in ("", "Z")
