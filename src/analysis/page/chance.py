"""What guessing gets, as a line in charts: the accuracy of the largest class, and no explained variance at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from src.analysis.page.series import INK
from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.config.metrics import split_of

# Pixels beside a chart, for what stands at the line.
_BESIDE = 94


@dataclass(frozen=True)
class Chance:
    """What guessing gets of a metric: the lowest and the highest of all jobs, whose data may differ."""

    low: float
    high: float
    label: str


def chance_of(metric: str, jobs: Sequence[JobRecord]) -> Chance | None:
    """What guessing gets of a metric; None where nothing tells."""
    split, name = split_of(metric)
    if name == "r2":
        return Chance(0.0, 0.0, "the mean: 0")
    if name != "accuracy":
        return None
    # the training part has the classes of the others, and no number of its own
    keys = [f"{split}/chance"] if split != "train" else ["train/chance", "val/chance"]
    found = [job.metrics[key] for job in jobs for key in keys if key in job.metrics and metric in job.metrics]
    if not found:
        return None
    low, high = min(found), max(found)
    scale = Scale.of(metric)
    texts = list(dict.fromkeys((scale.text(low), scale.text(high))))
    return Chance(low, high, f"chance: {' to '.join(texts)}%")


def with_chance(layout: Mapping[str, Any], chance: Chance | None, *, along: Literal["x", "y"]) -> dict[str, Any]:
    """Add what guessing gets to the layout of a chart whose axis ``along`` is that of the metric."""
    # a logarithmic axis has no place for 0
    if chance is None or layout[f"{along}axis"].get("type") == "log":
        return dict(layout)
    other = "y" if along == "x" else "x"
    ends = {f"{other}0": 0, f"{other}1": 1, f"{along}0": chance.low, f"{along}1": chance.high}
    # a band where the jobs' data differ
    shape = {"type": "rect", f"{other}ref": "paper", **ends}
    line = {"color": INK, "width": 1, "dash": "dot"}
    # above the chart, towards its middle; beside it, where no curve runs
    low, high = layout[f"{along}axis"].get("range", (0.0, 1.0))
    place = (chance.high - low) / (high - low)
    side = "left" if place < 0.25 else "right" if place > 0.75 else "center"
    at = {"x": chance.high, "y": 1, "xanchor": side, "yanchor": "bottom"}
    if along == "y":
        at = {"x": 1.01, "y": chance.high, "xanchor": "left", "yanchor": "middle"}
        layout = {**layout, "margin": {**layout["margin"], "r": _BESIDE}}
    note = {"text": chance.label, "showarrow": False, "font": {"size": 11}, f"{other}ref": "paper", **at}
    return {
        **layout,
        "shapes": [{**shape, "line": line, "fillcolor": INK, "opacity": 0.7 if chance.low == chance.high else 0.15}],
        "annotations": [note],
    }
