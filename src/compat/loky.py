"""The processes of a pool of loky, which joblib brings: it ends them by `kill` alone."""

import os
import signal
from contextlib import suppress
from typing import Any


def send(pool: Any, sent: signal.Signals) -> None:
    """Send a signal to all processes of a pool that still run."""
    for process in list((pool._processes or {}).values()):
        with suppress(ProcessLookupError):
            os.kill(process.pid, sent)
