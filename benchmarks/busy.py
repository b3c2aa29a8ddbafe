"""Whole commands on a machine that is busy with other work, beside the same on one that is not.

Two loops for each core leave a third of it to a command that takes its share: a ratio of three is as good as it can be.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks.timing import Claim, command, in_turn, scratch
from src.launch.resources import n_cores

TARGET = 3.5
LOOPS_PER_CORE = 2
_LOOP = "while True: pass"


@contextmanager
def busy() -> Iterator[None]:
    """Keep all cores busy inside this."""
    loops = [subprocess.Popen([sys.executable, "-c", _LOOP]) for _ in range(LOOPS_PER_CORE * n_cores())]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def claims() -> list[Claim]:
    """The default command, and a sweep of 256 models."""
    common = ("-m", "src.train", "trainer.max_epochs=1000")

    def default() -> float:
        return command(*common, f"hydra.run.dir={scratch()}/run")

    def stacked() -> float:
        sweep = ("-m", "model=circle_v2", "seed=range(256)", "logger=csv", "hydra/launcher=vmap")
        return command("-m", "src.train", *sweep, "trainer.max_epochs=1000", f"hydra.sweep.dir={scratch()}/sweep")

    return [_beside("the default command", default), _beside("256 stacked models, 1,000 epochs", stacked)]


def _beside(name: str, run: Callable[[], float]) -> Claim:
    def ours() -> float:
        with busy():
            return run()

    return in_turn(f"{name}, {LOOPS_PER_CORE} busy loops a core / idle", ours, run, target=TARGET, pairs=2)
