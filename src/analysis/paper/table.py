"""The table of groups: best first, a column per metric, the best of each in bold, and what failed."""

import csv
import io
import re
from dataclasses import dataclass

from src.analysis.paper.letters import in_latex
from src.analysis.stats.estimates import NAMES
from src.analysis.summary import RankedGroup, Summary
from src.analysis.words.headings import estimate_of, is_mixed, plurals
from src.analysis.words.sentences import failed, number, p_equation
from src.analysis.words.tables import plain


@dataclass(frozen=True)
class Cell:
    """A text, and whether it stands out."""

    text: str
    is_best: bool = False


@dataclass(frozen=True)
class PaperTable:
    """Cells of a table.

    Attributes:
        header: Heading of each column; the first one is that of the names, and the others are numbers.
        rows: As long as the header, best group first.
        caption: What the numbers are.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str


def table_of(summary: Summary) -> PaperTable:
    """Groups with the number of seeds, draws or folds, estimate and interval by metric, and the share that failed."""
    first, mixed = summary.metrics[0], is_mixed(summary)
    metrics = [summary.scales[name].heading for name in summary.metrics]
    header = ("group", plurals(summary), *metrics, *(["failed, %"] if summary.tells_failed else []))
    best = {name: _best(summary, name) for name in summary.metrics}
    rows = []
    for ranked in summary.groups:
        found = ranked.estimates.get(first)
        cells = [Cell(plain(ranked.group.label)), Cell(str(found.n if found else 0))]
        for name in summary.metrics:
            own = ranked.estimates.get(name)
            cells.append(Cell(number(ranked, name, level=mixed) or "-", own is not None and own.value == best[name]))
        rows.append((*cells, *([Cell(failed(ranked))] if summary.tells_failed else [])))
    return PaperTable(header, tuple(rows), _caption(summary))


def _caption(summary: Summary) -> str:
    sizes = {each.n for ranked in summary.groups for each in ranked.estimates.values()}
    over = estimate_of(summary).capitalize()
    if sizes == {1}:
        over = f"One {summary.units[0].noun} per group"
    best = " The best of each column is bold." if len(summary.groups) > 1 else ""
    if not summary.tells_failed:
        return f"{over}.{best}"
    by = f"{summary.criterion}, or no number" if summary.criterion else "no number"
    return f"{over}.{best} Failed: {by}."


def _best(summary: Summary, metric: str) -> float | None:
    found = [ranked.estimates[metric].value for ranked in summary.groups if metric in ranked.estimates]
    if len(found) < 2:
        return None
    return min(found) if summary.scales[metric].lower_is_better else max(found)


def latex(table: PaperTable, *, methods: str, label: str) -> str:
    """A table environment for the package booktabs.

    Args:
        table: The cells.
        methods: Sentences that stand in it as comments.
        label: Behind ``tab:``.
    """
    lines = [
        r"% \usepackage{booktabs} in the preamble",
        *(f"% {plain(sentence)}" for sentence in methods.splitlines()),
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{in_latex(plain(table.caption))}}}",
        rf"  \label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', label)}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
        r"    \toprule",
        f"    {' & '.join(in_latex(plain(name)) for name in table.header)} \\\\",
        r"    \midrule",
        *(f"    {_latex_row(row)} \\\\" for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(row: tuple[Cell, ...]) -> str:
    text = " & ".join(_latex_cell(cell, i) for i, cell in enumerate(row))
    # a star behind a line's end would belong to that
    return f"{{*}}{text[1:]}" if text.startswith("*") else text


def _latex_cell(cell: Cell, column: int) -> str:
    text = in_latex(plain(cell.text))
    if column:
        text = re.sub(r"(?<![\w.])-(?=\d)", "$-$", text) if text != "-" else "--"
    return rf"\textbf{{{text}}}" if cell.is_best else text


def markdown(table: PaperTable, *, methods: str) -> str:
    """A table of Markdown, and the sentences below it."""
    rows = [
        list(map(in_markdown, table.header)),
        ["---", *["---:"] * (len(table.header) - 1)],
        *([_markdown_cell(cell) for cell in row] for row in table.rows),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", in_markdown(table.caption), "", *map(in_markdown, methods.splitlines())]) + "\n"


def in_markdown(text: str) -> str:
    """A text whose characters stand for themselves, in a cell too."""
    return re.sub(r"([\\`*_\[\]|~#$])", r"\\\1", plain(text)).replace("&", "&amp;").replace("<", "&lt;")


def _markdown_cell(cell: Cell) -> str:
    text = in_markdown(cell.text)
    return f"**{text}**" if cell.is_best else text


def as_csv(summary: Summary) -> str:
    """A row per group: its values by key, its failed runs, and by metric all estimates with ends and levels, and p.

    Numbers have all their digits; shares are those of 1. The p value is that of the comparison with the best group.
    """
    keys = list(dict.fromkeys(key for ranked in summary.groups for key in ranked.group.values))
    parts = [f"{name}{part}" for name in NAMES for part in ("", " low", " high", " level")]
    header = [f"{metric} {part}" for metric in summary.metrics for part in ("n", *parts, "p")]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", *keys, "runs", "failed", "failed low", "failed high", *header])
    for ranked in summary.groups:
        values = [ranked.group.values.get(key) for key in keys]
        own = ranked.failed
        lost = [own.of, own.n, *((None, None) if own.interval is None else own.interval[:2])]
        numbers = [cell for metric in summary.metrics for cell in _numbers(summary, ranked, metric)]
        cells = (ranked.group.label, *values, *lost, *numbers)
        writer.writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()


def _numbers(summary: Summary, ranked: RankedGroup, metric: str) -> list[float | None]:
    found = ranked.distributions.get(metric)
    if found is None:
        return [None] * (2 + 4 * len(NAMES))
    cells: list[float | None] = [found.n]
    for name in NAMES:
        each = found.of(name)
        cells += [each.value, *(each.interval or (None, None, None))]
    return [*cells, _p_value(summary, ranked, metric)]


def _p_value(summary: Summary, ranked: RankedGroup, metric: str) -> float | None:
    return next(
        (each.p_value for each in summary.comparisons if (each.metric, each.second) == (metric, ranked.group.label)),
        None,
    )


def p_values(summary: Summary) -> list[str]:
    """A sentence for each metric with the p values of all comparisons."""
    found = []
    for name in summary.metrics:
        tested = [each for each in summary.comparisons if each.metric == name and each.p_value is not None]
        if tested:
            texts = (f"{each.second} {p_equation(each.p_value)}" for each in tested)
            found.append(f"{name}, {tested[0].first} against: {'; '.join(texts)}.")
    return found
