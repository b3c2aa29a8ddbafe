"""The terminal that everything is printed to."""

from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

# Columns of a terminal that any table fits into.
_ENDLESS = 10_000


def open_terminal() -> Console:
    """The terminal; in a notebook plain text too, which can be captured like any other."""
    return Console(force_jupyter=False)


def width_of(console: Console, table: Table) -> Measurement:
    """Columns that a table takes: so many with words broken wherever they may be, and as it is."""
    return console.measure(table, options=console.options.update(max_width=_ENDLESS))


def print_table(console: Console, table: Table) -> None:
    """Print a table; where a terminal is too narrow for its numbers each row becomes a few lines."""
    if width_of(console, table).minimum <= console.width:
        console.print(table)
        return
    if table.title:
        console.print(Text(str(table.title)))
    names = [_plain(column.header, ", ") for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        first, *rest = map(_plain, row)
        console.print(Text(first))
        for name, cell in zip(names[1:], rest, strict=True):
            if cell:
                console.print(Text(f"  {name}: {cell}"))


def _plain(cell: object, between: str = " ") -> str:
    """A cell on one line."""
    text = cell.plain if isinstance(cell, Text) else str(cell)
    return between.join(line for line in text.splitlines() if line)


def shown(path: Path) -> Path:
    """A path as one would type it: relative where it lies below the current directory."""
    here = Path.cwd()
    whole = path.absolute()
    return whole.relative_to(here) if whole.is_relative_to(here) and whole != here else path
