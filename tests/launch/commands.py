"""Sweeps as a user types them, in a process group of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
QUIET = ["logger=csv", "callbacks=none"]

_started: list[subprocess.Popen[str]] = []


@dataclass(frozen=True)
class Launcher:
    """How a command chooses a launcher, and finds what that needs."""

    name: str
    arguments: list[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def start(self, sweep_dir: Path, *arguments: str) -> subprocess.Popen[str]:
        """Start a sweep."""
        chosen = [f"hydra/launcher={self.name}", *self.arguments, f"hydra.sweep.dir={sweep_dir}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "src.train", "-m", *chosen, *QUIET, *arguments],
            cwd=ROOT,
            env=dict(self.env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        _started.append(process)
        return process

    def run(self, sweep_dir: Path, *arguments: str) -> tuple[int, str]:
        """Run a sweep to its end; gives its exit status and what it printed."""
        process = self.start(sweep_dir, *arguments)
        output = end_of(process)
        return process.returncode, output


def stop_started() -> None:
    """Kill the sweeps that a failed test has left."""
    while _started:
        process = _started.pop()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def end_of(process: subprocess.Popen[str], *, timeout_s: float = 120) -> str:
    """Wait for the end of a command, and give what it printed."""
    try:
        return process.communicate(timeout=timeout_s)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"it did not end:\n{process.communicate()[0]}") from None


def wait_until(
    condition: Callable[[], object], process: subprocess.Popen[str] | None = None, *, for_s: int = 60
) -> None:
    """Wait for something to happen while a command runs."""
    deadline = time.monotonic() + for_s
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"it ended too early:\n{process.communicate()[0]}")
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.1)


def trainers(run_dir: Path) -> list[int]:
    """Processes that train in a directory: they hold its log open."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            target = link.readlink()
        except OSError:
            continue
        if target == run_dir / "train.log":
            found.append(int(link.parts[2]))
    return found


def results(sweep_dir: Path) -> dict[int, dict[str, Any] | None]:
    """What each job has left, by its number."""
    numbers = sorted(int(path.name) for path in sweep_dir.iterdir() if path.name.isdigit())
    files = {number: sweep_dir / str(number) / "result.json" for number in numbers}
    return {number: json.loads(file.read_text()) if file.is_file() else None for number, file in files.items()}


def states(sweep_dir: Path) -> dict[int, str]:
    """How each job ended, by its number."""
    return {number: result["status"] if result else "interrupted" for number, result in results(sweep_dir).items()}
