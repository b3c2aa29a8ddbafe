"""The tables of docs/explanations/speed.md, from what `make bench` has measured.

``python -m benchmarks.speed outputs/bench.json`` keeps a measurement in docs/measured/bench.json, with its pictures
and writes its tables into the page; without a file it writes those of what is kept.
"""

import json
import re
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import ROOT

PAGE = ROOT / "docs" / "explanations" / "speed.md"
KEPT = ROOT / "docs" / "measured" / "bench.json"
PICTURES = ROOT / "docs" / "pictures"
END = "<!-- end of what is made -->"

# By table what the names of its claims hold; each claim stands in the first that fits.
TABLES = {
    "busy": "busy loops",
    "start": "import hydra$",
    "compile": "^compile=true",
    "big": "an epoch over|DataLoader",
    "together": "together|folds|around training",
    "run": "",
}


def tables(found: Mapping[str, Any]) -> dict[str, str]:
    """All tables in Markdown, by name, and a line on the machine."""
    claims: dict[str, list[Any]] = {table: [] for table in TABLES}
    for claim in found["claims"]:
        claims[next(table for table, part in TABLES.items() if re.search(part, claim["name"]))].append(claim)
    machine = found["machine"]
    return {
        "machine": f"Measured on {machine['cores']} cores of an {machine['cpu']}, Python {machine['python']}, PyTorch "
        f"{machine['torch']} on {'the CPU' if machine['device'] == 'cpu' else machine['device']}.",
        **{table: _claims(of_table) for table, of_table in claims.items()},
        "curve": _rows(
            found["curve"],
            {
                "points": "n",
                "ns per point and epoch": "ns_per_point",
                "memory, in bytes of the tensors": "memory_ratio",
            },
        ),
        "models": _rows(found["models"], {"models": "n", "ms per model and epoch": "ms", "memory, GiB": "peak_gb"}),
        "stream": _rows(
            [
                {**row, "file": row["file_bytes"] / 2**20, "more": (row["peak_bytes"] - row["base_bytes"]) / 2**20}
                for row in found["stream"]
            ],
            {"rows": "n", "file, MiB": "file", "memory for it, MiB": "more"},
        ),
        "table": _rows(
            found["table"],
            {"rows": "n", "seconds": "load_s", "memory, in bytes of the values": "ratio"},
            title="A CSV file of numbers, read into tensors:",
        ),
    }


def _claims(claims: Sequence[Mapping[str, Any]]) -> str:
    rows = []
    for claim in claims:
        ours, other = (_time(statistics.median(claim[side])) for side in ("ours_s", "other_s"))
        ratio, target = claim["ratio"], claim["target"]
        missed = ": missed" if target is not None and ratio > target else ""
        said = "" if target is None else f"≤ {_number(target)}{missed}"
        rows.append([claim["name"], ours, other, _number(ratio), said])
    return _table(["first / second", "first", "second", "ratio", "target"], rows)


def _rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, title: str = "") -> str:
    shown = {name: key for name, key in columns.items() if any(row.get(key) is not None for row in rows)}
    made = _table(list(shown), [[_cell(row.get(key)) for key in shown.values()] for row in rows])
    return f"{title}\n\n{made}" if title and made else made


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


def _time(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.1 * size:
            return f"{seconds / size:.2f} {unit}"
    return f"{1e6 * seconds:.1f} µs"


def _number(ratio: float) -> str:
    return f"1/{1 / ratio:.3g}" if ratio < 0.4 else f"{ratio:.3g}"


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def filled(page: str, found: Mapping[str, Any]) -> str:
    """The page with these tables between its marks.

    Raises:
        ValueError: If a table has no place in the page.
    """
    for name, text in tables(found).items():
        begin = f"<!-- made by python -m benchmarks.speed: {name} -->"
        if begin not in page:
            raise ValueError(f"{PAGE} has no line {begin}")
        before, rest = page.split(begin, 1)
        page = f"{before}{begin}\n\n{text}\n\n".rstrip() + f"\n\n{END}{rest.split(END, 1)[1]}"
    return page


def main(measured: Path | None = None) -> None:
    """Keep a measurement, if one is given, and write the page."""
    if measured is not None:
        KEPT.write_text(json.dumps(json.loads(measured.read_text()), indent=1, ensure_ascii=False) + "\n")
        for picture in measured.parent.glob("cost_per_*.png"):
            shutil.copy(picture, PICTURES)
    PAGE.write_text(filled(PAGE.read_text(), json.loads(KEPT.read_text())))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
