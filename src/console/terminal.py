"""The terminal that everything is printed to, and numbers that fit into its columns."""

from rich.console import Console


def open_terminal() -> Console:
    """The terminal; in a notebook plain text too, which can be captured like any other."""
    return Console(force_jupyter=False)


def number(value: float) -> str:
    """Four decimals, or where a diverging run would need too many columns for that, four digits."""
    return f"{value:.4f}" if abs(value) < 1e6 else f"{value:.4g}"
