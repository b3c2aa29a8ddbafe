"""How long a run trains, by its configuration. No torch."""

import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from src.config.keys import Difference

# What makes a training longer; the first is what a data set suggests for the second.
_LENGTHS = ("suggested.max_epochs", "trainer.max_epochs", "trainer.max_steps", "trainer.max_time")

# Epochs of a trainer that is told nothing of an end.
_LIGHTNINGS = 1000


def is_longer(changes: Iterable[Difference], before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a run differs from another one only in that it trains for longer.

    Args:
        changes: In what they differ.
        before: Leaves of the other one by dotted key, with what references lead to.
        now: Those of the run.
    """
    if any(change.key not in _LENGTHS and not _is_time(change.key) for change in changes):
        return False
    try:
        ends, longer = _ends(before), _ends(now)
    except (TypeError, ValueError):
        # no lengths, which is told where the configuration is checked
        return False
    return ends != longer and all(a <= b for a, b in zip(ends, longer, strict=True))


def follows(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Keys whose values refer to the length of a run, and with it are others: of leaves as `is_longer` takes them."""
    return sorted(
        key
        for key in before.keys() & now.keys()
        if before[key] != now[key] and key not in _LENGTHS and not _is_time(key) and key != "run_dir"
    )


def _is_time(key: str) -> bool:
    return key.startswith("trainer.max_time.")


def _ends(leaves: Mapping[str, Any]) -> tuple[float, float, float]:
    """Most epochs, steps and seconds."""
    epochs, steps, seconds = leaves.get("trainer.max_epochs"), leaves.get("trainer.max_steps"), _seconds(leaves)
    if epochs is None:
        epochs = _LIGHTNINGS if steps in (None, -1) and seconds == math.inf else -1
    return _most(epochs), _most(-1 if steps is None else steps), seconds


def _most(n: Any) -> float:
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(n)
    return math.inf if n == -1 else n


def _seconds(leaves: Mapping[str, Any]) -> float:
    given = leaves.get("trainer.max_time")
    if isinstance(given, str):
        days, hours, minutes, seconds = (int(part) for part in given.split(":"))
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds).total_seconds()
    parts = {key.rsplit(".", 1)[1]: value for key, value in leaves.items() if _is_time(key)}
    return timedelta(**parts).total_seconds() if parts else math.inf
