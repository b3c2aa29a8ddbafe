"""The table of groups: best first, a column per metric, the best of each in bold."""

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from src.analysis.sentences import mean
from src.analysis.summary import RankedGroup, Summary
from src.analysis.tables import mean_of, p_text, plain, plurals

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "±": r"$\pm$",
}


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
    """Groups with the number of seeds, draws or folds, and mean ± interval by metric."""
    first = summary.metrics[0]
    header = ("group", plurals(summary), *(summary.scales[name].heading for name in summary.metrics))
    best = {name: _best(summary, name) for name in summary.metrics}
    rows = []
    for ranked in summary.groups:
        found = ranked.estimates.get(first)
        cells = [Cell(plain(ranked.group.label)), Cell(str(found.n if found else 0))]
        for name in summary.metrics:
            own = ranked.estimates.get(name)
            cells.append(Cell(mean(ranked, name) or "-", own is not None and own.mean == best[name]))
        rows.append(tuple(cells))
    return PaperTable(header, tuple(rows), _caption(summary))


def _caption(summary: Summary) -> str:
    sizes = {ranked.estimates[name].n for ranked in summary.groups for name in ranked.estimates}
    over = f"{mean_of(summary).capitalize()} ± 95 % interval"
    if sizes == {1}:
        over = f"One {summary.units[0].noun} per group"
    return f"{over}.{' The best of each column is bold.' if len(summary.groups) > 1 else ''}"


def _best(summary: Summary, metric: str) -> float | None:
    means = [ranked.estimates[metric].mean for ranked in summary.groups if metric in ranked.estimates]
    if len(means) < 2:
        return None
    return min(means) if summary.scales[metric].lower_is_better else max(means)


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
        rf"  \caption{{{in_latex(table.caption)}}}",
        rf"  \label{{tab:{re.sub(r'[^A-Za-z0-9-]+', '-', label)}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(table.header) - 1)}}}",
        r"    \toprule",
        f"    {' & '.join(map(in_latex, table.header))} \\\\",
        r"    \midrule",
        *(f"    {' & '.join(_latex_cell(cell, i) for i, cell in enumerate(row))} \\\\" for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def in_latex(text: str) -> str:
    """A text whose characters stand for themselves."""
    escaped = "".join(_LATEX.get(char, char) for char in plain(text))
    # two would be a dash, and an open bracket behind a line's end its argument
    return escaped.replace("--", "-{}-").replace("[", "{[}").replace("]", "{]}")


def _latex_cell(cell: Cell, column: int) -> str:
    text = in_latex(cell.text)
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
    """A row per group: its values by key, and by metric mean, ends of the interval, number of values, p value.

    Numbers have all their digits; shares are those of 1. The p value is that of the comparison with the best group.
    """
    keys = list(dict.fromkeys(key for ranked in summary.groups for key in ranked.group.values))
    parts: Sequence[tuple[str, Callable[[RankedGroup, str], object]]] = (
        ("mean", lambda ranked, name: ranked.estimates[name].mean),
        ("low", lambda ranked, name: _end(ranked, name, 0)),
        ("high", lambda ranked, name: _end(ranked, name, 1)),
        ("n", lambda ranked, name: ranked.estimates[name].n),
        ("p", lambda ranked, name: _p_value(summary, ranked, name)),
    )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["group", *keys, *(f"{name} {part}" for name in summary.metrics for part, _ in parts)])
    for ranked in summary.groups:
        values = [ranked.group.values.get(key) for key in keys]
        numbers = [
            give(ranked, name) if name in ranked.estimates else None for name in summary.metrics for _, give in parts
        ]
        writer.writerow(["" if cell is None else cell for cell in (ranked.group.label, *values, *numbers)])
    return text.getvalue()


def _end(ranked: RankedGroup, metric: str, i: int) -> float | None:
    found = ranked.estimates[metric]
    return None if found.half_width is None else ranked.scale(metric).bounds(found.mean, found.half_width)[i]


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
            texts = (f"{each.second} {_equation(each.p_value)}" for each in tested)
            found.append(f"{name}, {tested[0].first} against: {'; '.join(texts)}.")
    return found


def _equation(value: float | None) -> str:
    text = p_text(value)
    return f"p {text[0]} {text[1:]}" if text.startswith("<") else f"p = {text}"
