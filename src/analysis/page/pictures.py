"""The pictures that jobs have drawn, side by side: linear beside ReLU.

Of each group the job in its middle; of few groups also the best and the worst, so that the page tells whether a group
does well or only its luckiest seed or fold.
"""

import base64
import io
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeAlias

from src.analysis.page.series import Series
from src.analysis.records import JobRecord
from src.analysis.scale import Scale
from src.analysis.varying.units import FOLD

# Whether a job has left a picture of a name.
Has: TypeAlias = Callable[[JobRecord, str], bool]

# What a run may have drawn, the most telling first.
KINDS = {"boundary.png": "Decision boundaries", "predictions.png": "Predictions", "confusion.png": "Confusion matrices"}
RANKS = ("best", "middle", "worst")
N_COMPARED = 24  # in columns; each takes 40 kB and 40 ms
N_PLAIN = 12
_N_BYTES = 1_800_000  # of all together, beside 1.9 MB of plotly.js
_MAX_COLUMNS = 4
_WIDTH = 640  # pixels
_MOST_PIXELS = 16_000_000  # of a picture that is read; a run's have one or two million


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

    @property
    def which(self) -> tuple[str, ...]:
        """What sets the job apart from others of its group: fold, draw and seed, those that differ there."""
        group = self.series.ranked.group
        all_told = [group.told(job) for job in group.jobs]
        told = {
            key: text for key, text in group.told(self.job).items() if len({each.get(key) for each in all_told}) > 1
        }
        has_seeds = self.job.seed is not None and len({job.seed for job in group.jobs}) > 1
        words = {"fold" if key == FOLD else key: text for key, text in told.items()}
        return tuple(
            f"{key} {text}" for key, text in {**words, **({"seed": self.job.seed} if has_seeds else {})}.items()
        )


@dataclass(frozen=True)
class Grid:
    """Pictures in rows.

    Attributes:
        title: What they show.
        key: The swept value that differs from column to column; None where rows are simply full.
        columns: Its values.
        cells: Pictures row by row; None is an empty place.
        ranks: Which job of its group each place shows, of `RANKS`; the same in a row of columns. Empty where all show
            the middle one.
        scale: Of the metric that ranks; None where no job has a number.
        n_left_out: Groups whose picture has no place here.
    """

    title: str
    key: str | None
    columns: tuple[str, ...]
    cells: tuple[JobPicture | None, ...]
    ranks: tuple[str, ...]
    scale: Scale | None
    n_left_out: int

    @property
    def is_mixed(self) -> bool:
        """Whether some groups have one picture where others have more."""
        counts = Counter(id(cell.series) for cell in self.cells if cell)
        return len(set(counts.values())) > 1 and 1 in counts.values()


def picture_grid(series: Sequence[Series]) -> Grid | None:
    """Choose jobs of each group, and a place for each; None where no job has left a picture."""
    chosen = _choose(series, has_left)
    if chosen is None:
        return None
    cells = _filled(chosen.places, chosen.name)
    ranks = tuple(place.rank for place in chosen.places)
    return Grid(
        title=KINDS[chosen.name],
        key=chosen.key,
        columns=chosen.columns,
        cells=cells,
        ranks=ranks if set(ranks) != {"middle"} else (),
        scale=None if chosen.metric is None else series[0].ranked.scale(chosen.metric),
        n_left_out=chosen.n_groups - len({id(cell.series) for cell in cells if cell}),
    )


def shown_jobs(series: Sequence[Series], has: Has) -> list[tuple[JobRecord, str]]:
    """The jobs whose pictures the page would show, and the file of each.

    Args:
        series: The groups.
        has: Which job has left a file, or could still do so.
    """
    chosen = _choose(series, has)
    return [] if chosen is None else [(place.job, chosen.name) for place in chosen.places if place.job]


def has_left(job: JobRecord, name: str) -> bool:
    """Whether a job has drawn a picture."""
    return _file(job, name).is_file()


class _Place(NamedTuple):
    """Where a picture of a group may stand: that of its job of a rank, if it has one."""

    rank: str
    series: Series | None
    job: JobRecord | None


@dataclass(frozen=True)
class _Chosen:
    """One kind of picture, and whose, row by row; ``metric`` ranks the jobs of ``n_groups`` that have left one."""

    name: str
    metric: str | None
    key: str | None
    columns: tuple[str, ...]
    places: Sequence[_Place]
    n_groups: int


def _choose(series: Sequence[Series], has: Has) -> _Chosen | None:
    for name in KINDS:
        middles = {id(each): job for each in series if (job := _representative(each, name, has))}
        drawn = [each for each in series if id(each) in middles]
        if drawn:
            # the groups are ranked, so that the first one has what ranks them
            metric = next(iter(series[0].ranked.estimates), None)
            key = _column_key(drawn)
            columns = tuple(dict.fromkeys(_value(each, key) for each in _as_asked(drawn))) if key else ()
            rows = _rows(drawn, key, columns) if key else [[each] for each in drawn]
            n_places = N_COMPARED if key else N_PLAIN
            is_roomy = len(RANKS) * len(rows) * len(rows[0]) <= n_places
            rows = rows[: n_places // len(rows[0])]
            ranked = {id(each): _ranked(each, metric, name, has) for each in drawn} if metric and is_roomy else {}
            jobs = {key: ranked.get(key) or {"middle": middle} for key, middle in middles.items()}
            return _Chosen(name, metric, key, columns, _places(rows, jobs), len(drawn))
    return None


def _places(rows: Sequence[Sequence[Series | None]], jobs: Mapping[int, Mapping[str, JobRecord]]) -> list[_Place]:
    """Rows of places: a row of groups is one of each rank that a group in it has; ``jobs`` are by the series' id."""
    places: list[_Place] = []
    for row in rows:
        found = [jobs[id(each)] if each else {} for each in row]
        for rank in RANKS:
            if any(rank in own for own in found):
                places += [_Place(rank, each, own.get(rank)) for each, own in zip(row, found, strict=True)]
    return places


def _filled(places: Sequence[_Place], name: str) -> tuple[JobPicture | None, ...]:
    """Read the pictures, of each group the middle one first, until there are too many bytes of them."""
    cells: list[JobPicture | None] = [None] * len(places)
    left = _N_BYTES
    for i in sorted(range(len(places)), key=lambda i: places[i].rank != "middle"):
        _, series, job = places[i]
        found = None if series is None or job is None or left <= 0 else _picture(series, job, name)
        left -= len(found.source) if found else 0
        cells[i] = found if left > 0 else None
    return tuple(cells)


def _representative(each: Series, name: str, has: Has) -> JobRecord | None:
    """Among the jobs that left such a picture the one in the middle of the group."""
    metric = next(iter(each.ranked.estimates), None)
    jobs = _completed(each)
    if metric is None or not jobs:
        return next((job for job in jobs if has(job, name)), None)
    return _middle(jobs, metric, name, has)


def _ranked(each: Series, metric: str, name: str, has: Has) -> dict[str, JobRecord]:
    """The best, the middle and the worst job by rank; empty where there are not three, or only one has a picture.

    The middle one gives way to its neighbours where it has none. Who is best or worst is so whether it is seen or not.
    """
    jobs = [job for job in _completed(each) if metric in job.metrics]
    if len(jobs) < len(RANKS):
        return {}
    lower_is_better = each.ranked.scale(metric).lower_is_better
    best, *others, worst = sorted(jobs, key=lambda job: job.metrics[metric], reverse=not lower_is_better)
    found = {rank: job for rank, job in (("best", best), ("worst", worst)) if has(job, name)}
    if found and (middle := _middle(others, metric, name, has)):
        found["middle"] = middle
    return found if len(found) > 1 else {}


def _middle(jobs: Sequence[JobRecord], metric: str, name: str, has: Has) -> JobRecord | None:
    """The job with a picture whose number is nearest to the median; jobs without a number come last."""
    values = {id(job): job.metrics[metric] for job in jobs if metric in job.metrics}
    middle = median(values.values())
    nearest = sorted(jobs, key=lambda job: abs(values.get(id(job), float("inf")) - middle))
    # looking for files takes time where there are thousands
    return next((job for job in nearest[:5] if has(job, name)), None)


def _completed(each: Series) -> list[JobRecord]:
    return [job for job in each.ranked.group.jobs if job.status == "completed"]


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


def _rows(drawn: Sequence[Series], key: str, columns: Sequence[str]) -> list[list[Series | None]]:
    """Place groups that differ in nothing but the key in one row; if few do, the best of each column, and so on."""
    rows: dict[tuple[str | None, ...], dict[str, Series]] = {}
    for each in drawn:
        rest = tuple(value for name, value in each.ranked.group.values.items() if name != key)
        rows.setdefault(rest, {})[_value(each, key)] = each
    if len(drawn) > 0.6 * len(rows) * len(columns):
        return [[row.get(column) for column in columns] for row in rows.values()]
    ranked = ([each for each in drawn if _value(each, key) == column] for column in columns)
    return [list(row) for row in itertools.zip_longest(*ranked)]


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
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError("far too much")
        height = max(1, round(image.height * _WIDTH / image.width))
        small = image.convert("RGB").resize((_WIDTH, height), Image.Resampling.LANCZOS, reducing_gap=2)
    data = io.BytesIO()
    small.save(data, "WEBP", quality=80, method=2)
    return f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode()}"
