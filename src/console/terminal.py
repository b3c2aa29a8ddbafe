"""The terminal that everything is printed to."""

from rich.console import Console


def open_terminal() -> Console:
    """The terminal; in a notebook plain text too, which can be captured like any other."""
    return Console(force_jupyter=False)
