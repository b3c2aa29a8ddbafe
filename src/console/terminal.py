"""The terminal that everything is printed to."""

from pathlib import Path

from rich.console import Console


def open_terminal() -> Console:
    """The terminal; in a notebook plain text too, which can be captured like any other."""
    return Console(force_jupyter=False)


def shown(path: Path) -> Path:
    """A path as one would type it: relative where it lies below the current directory."""
    here = Path.cwd()
    whole = path.absolute()
    return whole.relative_to(here) if whole.is_relative_to(here) and whole != here else path
