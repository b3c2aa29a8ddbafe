"""How a search went: the charts of Optuna that it has left in its directory, in the look of the page."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from src.analysis.page.series import Chart, axis, chart_layout
from src.run.reading import PARSE_ERRORS, UnreadableError, read_json

CHARTS = "study.json"
"""The file, with ``charts``: a list of ``title``, and ``data`` and ``layout`` as plotly.js takes them."""

# What a chart of another hand may say of its layout; the rest, such as pictures from elsewhere, is the page's.
_TAKEN = ("annotations", "barmode", "coloraxis", "legend", "shapes", "showlegend")
_AXIS = re.compile(r"[xy]axis\d*")

# Pixels that a panel of several needs.
_PANEL = 230


def search_charts(sweep_dirs: Sequence[Path]) -> list[Chart]:
    """Charts of each search among the sweeps, with ``title``, ``alt`` and the ``width`` that they need in pixels."""
    return [chart for sweep_dir in sweep_dirs for chart in _charts(sweep_dir / CHARTS)]


def _charts(path: Path) -> Iterator[Chart]:
    try:
        for each in read_json(path, instead="the search's command writes it again")["charts"]:
            yield _chart(str(each["title"]), list(each["data"]), dict(each["layout"]))
    except (OSError, UnreadableError, *PARSE_ERRORS):
        return


def _chart(title: str, data: list[Any], layout: dict[str, Any]) -> Chart:
    given = {"xaxis": {}, "yaxis": {}, **layout}
    axes = {key: _axis(dict(node)) for key, node in given.items() if _AXIS.fullmatch(key)}
    taken = {key: layout[key] for key in _TAKEN if key in layout}
    n_panels = sum(key.startswith("x") for key in axes)
    whole = chart_layout(height=380, margin={"l": 70, "r": 16, "t": 20, "b": 60}, **taken, **axes)
    alt = f"{title}; its numbers stand in the table of jobs"
    width = _PANEL * n_panels if n_panels > 1 else 0
    return {"title": title, "data": data, "layout": whole, "alt": alt, "width": width}


def _axis(node: dict[str, Any]) -> dict[str, Any]:
    title = node.pop("title", None) or {}
    text = title.get("text", "") if isinstance(title, dict) else title
    # what is written small between powers of ten is hard to read
    plain = {"tickformat": "~g", "dtick": 1} if node.get("type") == "log" and "tickvals" not in node else {}
    return axis(str(text), **{**plain, **node})
