"""Pairs of measurements taken in turn, and what they add up to."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
PAIRS = 5
# Largest difference of two weights that are called the same.
WEIGHTS_WITHIN = 1e-5
# Of the ratios of the pairs of one claim, largest over smallest: beyond this the machine was too busy to be believed.
NOISY = 1.6


@dataclass
class Claim:
    """Two ways to the same result, and how long each takes.

    Attributes:
        name: What is compared with what.
        ours_s: Seconds, one per pair.
        other_s: Seconds, one per pair.
        target: Largest ratio of the medians that is promised; None where nothing is.
        problems: Why the comparison cannot be trusted, if it cannot.
    """

    name: str
    ours_s: list[float]
    other_s: list[float]
    target: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Ours over the other, pair by pair."""
        return [a / b for a, b in zip(self.ours_s, self.other_s, strict=True)]

    @property
    def ours(self) -> float:
        """Median seconds."""
        return statistics.median(self.ours_s)

    @property
    def other(self) -> float:
        """Median seconds."""
        return statistics.median(self.other_s)

    def holds(self) -> bool:
        """Whether both sides did the same work and the promise, if any, is kept."""
        return not self.problems and (self.target is None or self.ratio <= self.target)

    @property
    def ratio(self) -> float:
        """Median over pairs."""
        return statistics.median(self.ratios)

    def verdict(self) -> str:
        """Whether the promise holds, or why nobody can tell."""
        spread = max(self.ratios) / min(self.ratios)
        if self.problems:
            return "not comparable: " + "; ".join(self.problems)
        noisy = f", noisy: pairs from {min(self.ratios):.2f} to {max(self.ratios):.2f}" if spread > NOISY else ""
        if self.target is None:
            return "reported" + noisy
        return ("met" if self.holds() else "missed") + noisy

    def as_json(self) -> dict[str, Any]:
        """For the file that `make bench` writes."""
        return {**asdict(self), "ratio": self.ratio, "verdict": self.verdict()}


def in_turn(
    name: str,
    ours: Callable[[], float],
    other: Callable[[], float],
    *,
    target: float | None = None,
    pairs: int = PAIRS,
    check: Callable[[Claim], None] | None = None,
) -> Claim:
    """Time two ways in turn, after one run of each that does not count.

    Args:
        name: What is compared with what.
        ours: Runs our way, and tells its seconds.
        other: Runs the other way, and tells its seconds.
        target: Largest ratio that is promised.
        pairs: Number of pairs that count.
        check: Notes in the claim where the first two runs have not computed the same.
    """
    claim = Claim(name, [], [], target)
    ours(), other()
    if check is not None:
        check(claim)
    for _ in range(pairs):
        claim.ours_s.append(ours())
        claim.other_s.append(other())
    return claim


def command(*arguments: str) -> float:
    """Seconds of a whole Python process that draws its progress bar as on a terminal."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": "100"}
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed: {done.stderr}")
    return seconds


def failing_command(*arguments: str) -> float:
    """Seconds of a whole Python process that ends with status 1."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 1, done
    return time.perf_counter() - start


def difference(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """Largest difference of two lists of weights."""
    return max(float((a.detach().cpu() - b.detach().cpu()).abs().max()) for a, b in zip(first, second, strict=True))


def check_weights(claim: Claim, first: Sequence[Tensor], second: Sequence[Tensor]) -> None:
    """Note in the claim if both sides have not computed the same network."""
    largest = difference(first, second)
    if not largest <= WEIGHTS_WITHIN:
        claim.problems.append(f"weights differ by {largest:.1e}")


def scratch() -> Path:
    """A new directory that the operating system clears."""
    return Path(tempfile.mkdtemp(prefix="bench-"))


def machine() -> dict[str, Any]:
    """Where this was measured."""
    names = [line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def write(path: Path, results: dict[str, Any]) -> None:
    """Write results as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2))
