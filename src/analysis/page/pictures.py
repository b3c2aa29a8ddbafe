"""The pictures that jobs have drawn, side by side: linear beside ReLU, one job per group."""

import base64
import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeAlias

from src.analysis.page.series import Series
from src.analysis.records import JobRecord

# Whether a job has left a picture of a name.
Has: TypeAlias = Callable[[JobRecord, str], bool]

# What a run may have drawn, the most telling first.
KINDS = {"boundary.png": "Decision boundaries", "predictions.png": "Predictions", "confusion.png": "Confusion matrices"}
N_COMPARED = 24  # in columns; each takes 40 kB and 40 ms
N_PLAIN = 12
_N_BYTES = 1_800_000  # of all together, beside 5 MB of plotly.js
_MAX_COLUMNS = 4
_WIDTH = 640  # pixels


@dataclass(frozen=True)
class JobPicture:
    """One job's picture.

    Attributes:
        series: The group that it stands for.
        job: Whose it is.
        path: Where the job has left it.
        source: A smaller copy, as the address that holds it.
    """

    series: Series
    job: JobRecord
    path: Path
    source: str


@dataclass(frozen=True)
class Grid:
    """Pictures in rows.

    Attributes:
        title: What they show.
        key: The swept value that differs from column to column; None where rows are simply full.
        columns: Its values.
        cells: Pictures row by row; None is an empty place.
        n_left_out: Groups whose picture has no place here.
    """

    title: str
    key: str | None
    columns: tuple[str, ...]
    cells: tuple[JobPicture | None, ...]
    n_left_out: int


def picture_grid(series: Sequence[Series]) -> Grid | None:
    """Choose a job per group, and a place for each; None where no job has left a picture."""
    chosen = _choose(series, has_left)
    if chosen is None:
        return None
    cells = _filled(chosen.places, chosen.jobs, chosen.name)
    n_left_out = len(chosen.jobs) - sum(cell is not None for cell in cells)
    return Grid(KINDS[chosen.name], chosen.key, chosen.columns, cells, n_left_out)


def shown_jobs(series: Sequence[Series], has: Has) -> list[tuple[JobRecord, str]]:
    """The jobs whose pictures the page would show, and the file of each.

    Args:
        series: The groups.
        has: Which job has left a file, or could still do so.
    """
    chosen = _choose(series, has)
    return [] if chosen is None else [(chosen.jobs[id(each)], chosen.name) for each in chosen.places if each]


def has_left(job: JobRecord, name: str) -> bool:
    """Whether a job has drawn a picture."""
    return _file(job, name).is_file()


@dataclass(frozen=True)
class _Chosen:
    """One kind of picture, and whose: the job of each group, by the id of its series."""

    name: str
    jobs: Mapping[int, JobRecord]
    key: str | None
    columns: tuple[str, ...]
    places: Sequence[Series | None]


def _choose(series: Sequence[Series], has: Has) -> _Chosen | None:
    for name in KINDS:
        found = {id(each): job for each in series if (job := _representative(each, name, has))}
        drawn = [each for each in series if id(each) in found]
        if drawn:
            key = _column_key(drawn)
            columns = tuple(dict.fromkeys(_value(each, key) for each in _as_asked(drawn))) if key else ()
            places = _rows(drawn, key, columns) if key else drawn[:N_PLAIN]
            return _Chosen(name, found, key, columns, places)
    return None


def _filled(places: Sequence[Series | None], jobs: Mapping[int, JobRecord], name: str) -> tuple[JobPicture | None, ...]:
    """Read the pictures, until there are too many bytes of them."""
    cells: list[JobPicture | None] = []
    left = _N_BYTES
    for each in places:
        found = None if each is None or left <= 0 else _picture(each, jobs[id(each)], name)
        left -= len(found.source) if found else 0
        cells.append(found if left > 0 else None)
    return tuple(cells)


def _representative(each: Series, name: str, has: Has) -> JobRecord | None:
    """Among the jobs that left such a picture the one in the middle of the group."""
    metric = next(iter(each.ranked.estimates), None)
    # looking for files takes time where there are thousands
    jobs = [job for job in each.ranked.group.jobs if job.status == "completed"]
    if metric is None or not jobs:
        return next((job for job in jobs if has(job, name)), None)
    values = {id(job): job.metrics[metric] for job in jobs if metric in job.metrics}
    middle = median(values.values())
    nearest = sorted(jobs, key=lambda job: abs(values.get(id(job), float("inf")) - middle))
    return next((job for job in nearest[:5] if has(job, name)), None)


def _file(job: JobRecord, name: str) -> Path:
    return job.path / "plots" / name


def _column_key(drawn: Sequence[Series]) -> str | None:
    """The key to compare from column to column: the activation or the network if it was swept, else the first small."""
    values: Mapping[str, set[str]] = {
        key: {_value(each, key) for each in drawn} for key in drawn[0].ranked.group.values
    }
    small = [key for key, found in values.items() if 1 < len(found) <= _MAX_COLUMNS]
    return min(small, key=lambda key: not key.endswith(("activation", "model")), default=None)


def _value(each: Series, key: str | None) -> str:
    return (each.ranked.group.values.get(key) if key else None) or "-"


def _as_asked(drawn: Sequence[Series]) -> list[Series]:
    """Groups in the order of their first jobs; the summary's is by rank."""
    return sorted(drawn, key=lambda each: _number(each.ranked.group.jobs[0].name))


def _number(name: str) -> tuple[int, str]:
    return int(name) if name.isdecimal() else 0, name


def _rows(drawn: Sequence[Series], key: str, columns: Sequence[str]) -> list[Series | None]:
    """Place groups that differ in nothing but the key in one row; if few do, the best of each column, and so on."""
    rows: dict[tuple[str | None, ...], dict[str, Series]] = {}
    for each in drawn:
        rest = tuple(value for name, value in each.ranked.group.values.items() if name != key)
        rows.setdefault(rest, {})[_value(each, key)] = each
    n_rows = N_COMPARED // len(columns)
    if len(drawn) > 0.6 * len(rows) * len(columns):
        return [row.get(column) for row in list(rows.values())[:n_rows] for column in columns]
    ranked = ([each for each in drawn if _value(each, key) == column] for column in columns)
    by_rank = list(itertools.zip_longest(*ranked))[:n_rows]
    return [each for row in by_rank for each in row]


def _picture(each: Series, job: JobRecord, name: str) -> JobPicture | None:
    from PIL import Image

    path = _file(job, name)
    try:
        return JobPicture(each, job, path, _smaller(path))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        # what Pillow raises for a file that holds no picture, half of one, or far too much
        return None


def _smaller(path: Path) -> str:
    from PIL import Image

    with Image.open(path) as image:
        height = max(1, round(image.height * _WIDTH / image.width))
        small = image.convert("RGB").resize((_WIDTH, height), Image.Resampling.LANCZOS, reducing_gap=2)
    data = io.BytesIO()
    small.save(data, "WEBP", quality=80, method=2)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
