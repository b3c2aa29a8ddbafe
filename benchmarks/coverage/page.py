"""What the studies have found, as the tables of docs/explanations/statistics.md."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from benchmarks.coverage.results import NUMBERS_OF_SEEDS, ROOT
from benchmarks.coverage.study import FOLDS, Row

PAGE = ROOT / "docs" / "explanations" / "statistics.md"
BEGIN, END = "<!-- made by python -m benchmarks.coverage -->\n", "<!-- end of what is made -->\n"

NAIVE = "mean and t distribution"
_SHOWN = "no interval"


def render(rows: Sequence[Row]) -> str:
    """All tables, in Markdown."""
    return "\n".join((_coverage(rows), _alarms(rows), _widths(rows), _power(rows), _folds(rows)))


def replace(text: str, made: str) -> str:
    """The page with other tables."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + made + "\n" + END + rest.split(END)[1]


def write(rows: Sequence[Row]) -> None:
    """Put the tables into docs/explanations/statistics.md."""
    PAGE.write_text(replace(PAGE.read_text(), render(rows)))


def by_n(rows: Iterable[Row], study: str, name: str, number: str, n: int) -> list[float]:
    """A number of each distribution."""
    return [row[number] for row in rows if (row["study"], row["name"], row["n"]) == (study, name, n)]


def names(rows: Iterable[Row], study: str) -> list[str]:
    """What a study has looked at."""
    return list(dict.fromkeys(row["name"] for row in rows if row["study"] == study))


def _coverage(rows: Sequence[Row]) -> str:
    def cell(name: str, n: int) -> str:
        held = by_n(rows, "coverage", name, "share", n)
        if not held:
            return _SHOWN if any(by_n(rows, "coverage", name, "share", m) for m in NUMBERS_OF_SEEDS) else ""
        level = by_n(rows, "coverage", name, "level", n)[0]
        said = "" if level >= 0.95 else f" (says {100 * level:.4g}%)"
        return f"{_percent(min(held))}, {_percent(_middle(held))}{said}"

    methods = [name for name in names(rows, "coverage") if name != NAIVE]
    given = [(name, [cell(name, n) for n in NUMBERS_OF_SEEDS]) for name in methods]
    chosen = [
        _pair(by_n(rows, "chosen", name, "share", n), min) for name in names(rows, "chosen") for n in NUMBERS_OF_SEEDS
    ]
    given.append((f"*{NAIVE}: not printed*", [cell(NAIVE, n) for n in NUMBERS_OF_SEEDS]))
    given.append((f"*median of {names(rows, 'chosen')[0]}*", chosen))
    head = "Of 100 intervals so many hold the truth: on the worst distribution, and on the one in the middle."
    return f"{head}\n\n{_table('interval of the', _seeds(), given)}"


def _alarms(rows: Sequence[Row]) -> str:
    found = names(rows, "alarms")
    fixed = [name for name in found if not name.startswith("sweep.")]
    given = [(name, [_pair(by_n(rows, "alarms", name, "rate", n), max) for n in NUMBERS_OF_SEEDS]) for name in fixed]
    looks = [
        (name, [_pair(by_n(rows, "alarms", name, "rate", 64), max)]) for name in found if name.startswith("sweep.")
    ]
    looks += [(name, [_percent(by_n(rows, "ranks", name, "rate", 8)[0])]) for name in names(rows, "ranks")]
    return (
        "So many of 100 comparisons are wrong, on the worst distribution and in the middle: one group is called better "
        f"that is not, or both equal that are not.\n\n{_table('groups', _seeds(), given)}\n"
        "The same of `sweep.until=clear` over all of its looks, from 8 to 64 seeds; and of ranks over data sets:\n\n"
        f"{_table('groups', ['ever wrong'], looks)}"
    )


def _widths(rows: Sequence[Row]) -> str:
    shown = ("median", "interquartile mean", "mean of a share", "median difference")

    def cell(name: str, n: int) -> str:
        found = [
            row["width"]
            for row in rows
            if (row["study"], row["name"], row["n"]) == ("coverage", name, n) and row["of"].endswith("accuracy")
        ]
        return _points(_middle(found)) if found else _SHOWN

    given = [(name, [cell(name, n) for n in NUMBERS_OF_SEEDS]) for name in shown]
    head = "What that costs: mean width of intervals of accuracy in points, on the distribution in the middle."
    return f"{head}\n\n{_table('interval of the', _seeds(), given)}"


def _power(rows: Sequence[Row]) -> str:
    ns = [n for n in NUMBERS_OF_SEEDS if n > 5]

    def cell(by: str, n: int) -> str:
        found = by_n(rows, "power", by, "better", n)
        return f"{_percent(min(found))}, {_percent(_middle(found))}, {_percent(max(found))}"

    def until(by: str) -> str:
        found, seeds = (by_n(rows, "until", by, number, 64) for number in ("better", "seeds"))
        return f"{_percent(_middle(found))} with {_middle(seeds):.0f} seeds"

    given = [
        (f"{by} point{'' if by == '1' else 's'}", [*(cell(by, n) for n in ns), until(by)])
        for by in names(rows, "power")
    ]
    head = (
        "So many of 100 comparisons find which of two groups is better, where all accuracies of one are lower by so "
        "much: on the distribution where it is hardest, in the middle, and where it is easiest. Last, in the middle, "
        "what `sweep.until=clear` finds and how many seeds it takes."
    )
    return f"{head}\n\n{_table('difference', [*(f'{n} seeds' for n in ns), 'until clear'], given)}"


def _folds(rows: Sequence[Row]) -> str:
    def cell(name: str, n: int) -> str:
        alarms, power, held = (by_n(rows, "folds", name, number, n) for number in ("false_alarms", "power", "held"))
        return f"{_percent(max(alarms))}; {_percent(min(power))} to {_percent(max(power))}; {_percent(min(held))}"

    given = [(name, [cell(name, n) for n in FOLDS]) for name in names(rows, "folds")]
    head = (
        "Folds of generated data sets of 120 rows, with classes of equal size and of one to four: false alarms of the "
        "corrected test between two equal learners, on the worse of both; how often it finds that a learner with a "
        "feature twice as good is better; how many of 100 intervals of the mean accuracy hold the truth, on the worse."
    )
    return f"{head}\n\n{_table('learner', [f'{n} folds' for n in FOLDS], given)}"


def _seeds() -> list[str]:
    return [f"{n} seeds" for n in NUMBERS_OF_SEEDS]


def _table(of: str, columns: Sequence[str], given: Sequence[tuple[str, Sequence[str]]]) -> str:
    lines = [f"| {of} | {' | '.join(columns)} |", "| --- " * (len(columns) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in given]
    return "\n".join(lines) + "\n"


def _pair(found: Sequence[float], worst: Callable[[Sequence[float]], float]) -> str:
    return f"{_percent(worst(found))}, {_percent(_middle(found))}"


def _middle(found: Sequence[float]) -> float:
    return float(np.median(found))


def _percent(share: float) -> str:
    return f"{100 * share:.1f}" if share < 0.9995 else "100"


def _points(width: float) -> str:
    return f"{100 * width:.1f}"
