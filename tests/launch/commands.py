"""Sweeps as a user types them, in a process group of their own."""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.waiting import Started, command

QUIET = ["logger=csv", "callbacks=none"]


@dataclass(frozen=True)
class Launcher:
    """How a command chooses a launcher, and finds what that needs."""

    name: str
    arguments: list[str] = field(default_factory=list)
    env: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def start(self, sweep_dir: Path, *arguments: str) -> Started:
        """Start a sweep."""
        chosen = [f"hydra/launcher={self.name}", *self.arguments, f"hydra.sweep.dir={sweep_dir}"]
        argv = [sys.executable, "-m", "src.train", "-m", *chosen, *QUIET, *arguments]
        # beside the sweep: a second command for the same directory has an output of its own
        output = Path(tempfile.mkdtemp(dir=sweep_dir.parent)) / "output"
        return command(*argv, output=output, env=self.env)

    def run(self, sweep_dir: Path, *arguments: str) -> tuple[int, str]:
        """Run a sweep to its end; gives its exit status and what it printed."""
        process = self.start(sweep_dir, *arguments)
        return process.end(), process.said()


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
