"""The rows of a table that is too long for a page: compressed by column, to be opened by many.js where they are seen.

A browser takes half a minute for a table of a hundred thousand rows, and 100 MB; of text that it does not parse it
takes no notice. So the rows stand in the page, which stays one file, and DecompressionStream opens them.
"""

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from src.analysis.page.job_table import Column, JobTable
from src.analysis.words.tables import plain


def packed(table: JobTable, href: Callable[[Path], str], *, has_several: bool) -> dict[str, Any]:
    """All rows, for many.js.

    Args:
        table: The table.
        href: Address of a folder, as seen from the page.
        has_several: Whether several sweeps are shown, so that a job is named with its own.
    """
    folders = list(dict.fromkeys(job.sweep_dir for job in table.jobs))
    place = {folder: i for i, folder in enumerate(folders)}
    colors = list(dict.fromkeys(table.colors))
    return {
        "n": len(table.jobs),
        "folders": [{"href": href(folder), "label": f"{folder.name}/" if has_several else ""} for folder in folders],
        "colors": colors,
        "names": _pack([job.name for job in table.jobs]),
        "of": _pack([place[job.sweep_dir] for job in table.jobs]),
        "color": _pack([colors.index(color) for color in table.colors]),
        "statuses": _pack([job.status for job in table.jobs]),
        "columns": [_column(column, len(table.jobs)) for column in table.columns],
    }


def _column(column: Column, n: int) -> dict[str, Any]:
    """Texts of a column, and numbers to sort by where it is shown at once; others are sorted by their texts."""
    cells = [column.cell(i) for i in range(n)]
    values = [float(cell.value) if cell.value else None for cell in cells]
    has_values = not column.is_extra and any(value is not None for value in values)
    return {
        "extra": column.is_extra,
        "texts": _pack([plain(cell.text) for cell in cells]),
        "values": _pack(values) if has_values else None,
    }


def _pack(values: Sequence[Any]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()
