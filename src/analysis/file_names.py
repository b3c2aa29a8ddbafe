"""Names of what a report writes: those of a sweep's own metric are plain, and those of another one carry it."""

import re

_LONGEST = 80


def with_metric(name: str, metric: str | None) -> str:
    """A file's name with a metric before its ending: report.html of val/loss is report.val_loss.html.

    Args:
        name: As it is for the sweep's own metric.
        metric: The other metric; None for the sweep's own.
    """
    if metric is None:
        return name
    stem, dot, ending = name.rpartition(".")
    return f"{stem}.{re.sub(r'[^A-Za-z0-9_-]+', '_', metric)[:_LONGEST]}{dot}{ending}"
