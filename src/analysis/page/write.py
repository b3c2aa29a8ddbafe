"""Put the page together: the answer, charts and tables into the template."""

import base64
import functools
import gzip
import os
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from src.analysis.page.curves import N_RUNS, curve_charts
from src.analysis.page.dots import N_GROUPS, dot_chart
from src.analysis.page.failures import N_ERRORS, group_failures
from src.analysis.page.importance import importances
from src.analysis.page.job_table import build_job_table
from src.analysis.page.many import packed
from src.analysis.page.origin import commands, made_with, times
from src.analysis.page.parallel import parallel_axes
from src.analysis.page.pictures import picture_grid
from src.analysis.page.search import search_charts
from src.analysis.page.series import MANY, Chart, Series, all_series
from src.analysis.page.values import N_KEYS, Swept, value_charts
from src.analysis.scale import Scale
from src.analysis.stats.comparison import Comparison
from src.analysis.stats.estimates import NAMES, WORDS
from src.analysis.summary import RankedGroup, Summary
from src.analysis.words.headings import compared, estimate_of, plurals
from src.analysis.words.hints import shared_hints
from src.analysis.words.remarks import remarks
from src.analysis.words.sentences import failed, is_of_luck, lead, number, p_text, verdicts
from src.analysis.words.tables import job_name, plain
from src.run.files import write_atomically

PAGE = "report.html"
_HERE = Path(__file__).parent
_OURS = {
    "css": "report.css",
    "charts_js": "charts.js",
    "parallel_js": "parallel.js",
    "many_js": "many.js",
    "js": "report.js",
}
_N_DOTS = 3  # charts of groups, a metric each
# Groups in a table of many, the best ones.
_N_LISTED = 200
_LIMITS = {"runs": N_RUNS, "dots": N_GROUPS, "errors": N_ERRORS, "keys": N_KEYS}


def write_page(path: Path, summary: Summary) -> None:
    """Write report.html in one step: all that is shown stands in it, nothing is fetched.

    Raises:
        OSError: If it cannot be written.
    """
    write_atomically(path, page_html(summary, folder=path.parent).encode("utf-8", errors="replace"))


def page_html(summary: Summary, *, folder: Path) -> str:
    """The page as HTML.

    Args:
        summary: What the jobs have come to.
        folder: Where the page will lie; links to jobs start there.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["plain"] = plain
    environment.globals.update(
        number=number,
        p_text=p_text,
        failed=failed,
        name=lambda job: job_name(job, summary),
        href=lambda target: _href(target, folder),
    )
    series = all_series(summary)
    swept = Swept(summary, series)
    charts = _charts(summary, series, swept)
    lines = parallel_axes(swept, summary)
    ours = {name: Markup((_HERE / file).read_text(encoding="utf-8")) for name, file in _OURS.items()}
    library = _packed_plotly() if any(charts.values()) else ""
    table = build_job_table(summary, series)
    rows = None
    if len(summary.jobs) > MANY:
        rows = packed(table, lambda target: _href(target, folder), has_several=len(summary.sweep_dirs) > 1)
    return environment.get_template("report.html.j2").render(
        **ours,
        plotly=library,
        charts=charts,
        importances=importances(swept),
        lines=lines,
        table=table,
        packed=rows,
        drawn=f", {swept.n_drawn} of {len(swept.jobs)} drawn at random" if swept.n_drawn < len(swept.jobs) else "",
        **_texts(summary, series),
    )


def _charts(summary: Summary, series: list[Series], swept: Swept) -> dict[str, list[Chart]]:
    """Charts by the section in which they stand."""
    groups = [dot_chart(series, metric) for metric in summary.metrics[:_N_DOTS]]
    return {
        "dots": [chart for chart in groups if chart],
        "curves": curve_charts(series),
        "values": value_charts(swept),
        "search": search_charts(summary.sweep_dirs),
    }


def _texts(summary: Summary, series: list[Series]) -> dict[str, Any]:
    failed = [job for job in summary.jobs if job.status == "failed"]
    return {
        "summary": summary,
        "title": compared(summary),
        "names_of_sweeps": ", ".join(path.resolve().name for path in summary.sweep_dirs),
        "written": datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        "lead": lead(summary),
        "sentences": verdicts(summary),
        "remarks": list(remarks(summary, failed))[:-1],  # the last one counts jobs, as the header does
        "scales": [summary.scales[name] for name in summary.metrics],
        "over": estimate_of(summary) if summary.metrics else "",
        "plurals": plurals(summary),
        "nouns": [unit.noun for unit in summary.units],
        "series": series,
        "listed": series[:_N_LISTED] if len(series) > MANY else series,
        "estimates": _side_by_side(summary),
        "versus": {
            each.second: _versus(each, summary.scales[each.metric])
            for each in summary.comparisons[: _N_LISTED if len(series) > MANY else None]
            if each.metric == summary.metrics[0] and not is_of_luck(summary)
        },
        "grid": picture_grid(series),
        "failures": group_failures(summary.jobs),
        "hints": shared_hints(summary.jobs),
        "commands": commands(summary.sweep_dirs, summary.jobs),
        "made_with": made_with(summary.jobs),
        "times": times(summary.sweep_dirs, summary.jobs),
        "limits": _LIMITS,
        "names": [WORDS[name] for name in NAMES],
    }


def _side_by_side(summary: Summary) -> list[tuple[str, list[tuple[RankedGroup, list[str]]]]]:
    """By the heading of each metric: groups with quartiles and every estimate, as texts."""
    tables = []
    for scale in summary.scales.values():
        rows = []
        for ranked in summary.groups[:N_GROUPS]:
            found = ranked.distributions.get(scale.metric)
            if found is not None and found.n > 1:
                quartiles = [scale.text(each) for each in (found.quartiles[0], found.quartiles[2])]
                estimates = [found.of(name) for name in NAMES]
                texts = [scale.with_interval(each.value, each.interval, level=True) for each in estimates]
                rows.append((ranked, [" to ".join(quartiles), *texts]))
        if rows:
            tables.append((scale.heading, rows))
    return tables


def _versus(each: Comparison, scale: Scale) -> dict[str, str]:
    """Cells of a comparison with the best group."""
    found, wins = each.difference, each.wins_interval
    if found is None:
        return {"difference": "-", "wins": "", "delta": "", "p": p_text(None), "verdict": ""}
    share = f" ({100 * wins.low:.0f} to {100 * wins.high:.0f}%)" if wins else ""
    return {
        "difference": scale.with_interval(found.value, found.interval, level=True),
        "wins": f"{each.wins} of {each.n}{share}",
        "delta": f"{each.delta:.2f}",
        "p": p_text(each.p_value),
        "verdict": {"better": f"{each.winner} is better", "equal": "practically equal"}.get(each.verdict, "unclear"),
    }


@functools.cache
def _packed_plotly() -> str:
    """plotly.js as charts.js unpacks it: 1.9 MB of text instead of 4.8 MB."""
    from plotly.offline import get_plotlyjs

    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 6, mtime=0)).decode()


def _href(target: Path, folder: Path) -> str:
    """Address of a file or folder of the sweep, as seen from the page."""
    return quote(os.path.relpath(target.resolve(), folder.resolve()).replace(os.sep, "/"))
