"""What a process keeps from job to job of a sweep: a callback of Hydra that writes it down."""

import collections
import ctypes
import gc
import importlib
import json
import logging
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

# Jobs, or stacks, that have ended in this process.
_ended = 0


class Kept(Callback):
    """Writes a file ``<process>_<n>.json`` once so many jobs, or stacks, have ended in a process.

    Args:
        folder: Where to.
        at: The numbers of jobs.
    """

    def __init__(self, folder: str, at: Sequence[int]) -> None:
        self.folder, self.at = Path(folder), list(at)

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Look at stacks as well, of which Hydra hears nothing."""
        if not str(config.hydra.launcher._target_).endswith(".VmapLauncher"):
            return
        run: Any = importlib.import_module("src.vmap.run")
        train_stack = run.train_stack

        def count_and_train(*args: Any, **kwargs: Any) -> Any:
            outcomes = train_stack(*args, **kwargs)
            self.count()
            return outcomes

        run.train_stack = count_and_train

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:  # noqa: ARG002
        """Count it."""
        self.count()

    def count(self) -> None:
        """One more has ended."""
        global _ended
        _ended += 1
        if _ended in self.at:
            (self.folder / f"{os.getpid()}_{_ended}.json").write_text(json.dumps(_kept()))


def _kept() -> dict[str, Any]:
    """Counts, by name, and bytes in memory once all that is free has gone back to the system."""
    # objects that are set aside while stacks train are objects all the same
    gc.unfreeze()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    return {
        "memory": resident,
        "files": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 the names alone
        "threads": threading.active_count(),
        "handlers": sum(len(each.handlers) for each in loggers if isinstance(each, logging.Logger)),
        "objects": collections.Counter(f"{type(each).__module__}.{type(each).__name__}" for each in gc.get_objects()),
    }
