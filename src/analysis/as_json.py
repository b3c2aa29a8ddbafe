"""The whole answer as data: ``format=json``. docs/reference/report_json.md tells what each field holds.

Fields are added under the same version, and neither removed nor given another meaning.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from src.analysis.data_sets.across import AcrossData, across_data
from src.analysis.settling import file as settling_file
from src.analysis.stats.comparison import Comparison
from src.analysis.stats.estimates import NAMES, Distribution, Estimate
from src.analysis.stats.interval import LEVEL, Interval
from src.analysis.summary import RankedGroup, Summary
from src.analysis.varying.covered import covered
from src.analysis.words.sentences import lead, sentence

SCHEMA = "sweep-report"
VERSION = 1

# What more seeds would show takes a moment for each of them.
_N_OUTLOOKS = 20


def as_json(summary: Summary) -> str:
    """The answer as a JSON text with a line break at its end; numbers have all their digits, shares are those of 1."""
    return json.dumps(answer(summary), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def answer(summary: Summary) -> dict[str, Any]:
    """The answer as plain dictionaries, lists, texts and numbers."""
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "sweeps": [str(path) for path in summary.sweep_dirs],
        "metric": summary.metrics[0] if summary.metrics else None,
        "metrics": {
            name: {"lower_is_better": scale.lower_is_better, "is_share": scale.is_share}
            for name, scale in summary.scales.items()
        },
        "level": LEVEL,
        "failed_if": None if summary.criterion is None else str(summary.criterion),
        "intervals_cover": summary.covers,
        "chosen_by_test": list(summary.by_test),
        "jobs": {"all": len(summary.jobs), **summary.counts},
        "is_complete": summary.is_complete,
        "answer": lead(summary),
        "groups": [_group(summary, ranked) for ranked in summary.groups],
        "data_sets": [_ranked(found) for metric in summary.metrics if (found := across_data(summary, metric))],
        "until": [asdict(record) for path in summary.sweep_dirs if (record := settling_file.read(path))],
        "comparisons": [_comparison(each, i < _N_OUTLOOKS) for i, each in enumerate(summary.comparisons)],
    }


def _group(summary: Summary, ranked: RankedGroup) -> dict[str, Any]:
    first = summary.metrics[0] if summary.metrics else None
    return {
        "name": ranked.group.label,
        "values": dict(ranked.group.values),
        "unit": ranked.group.unit.noun,
        **_estimated(ranked, first),
        "runs": ranked.failed.of,
        "failed": ranked.failed.n,
        "failed_interval": _ends(ranked.failed.interval),
        "intervals_cover": covered([ranked.group]),
        "metrics": {
            name: {**_estimated(ranked, name), **_described(found, ranked.group.by_unit(name))}
            for name, found in ranked.distributions.items()
        },
    }


def _ranked(found: AcrossData) -> dict[str, Any]:
    ranking = found.ranking
    return {
        "metric": found.metric,
        "data_sets": list(found.data_sets),
        "groups": [{"name": found.labels[i], "rank": ranking.average[i]} for i in ranking.order],
        "p": ranking.p_value,
        "critical_difference": ranking.critical,
        "words": found.sentences,
    }


def _estimated(ranked: RankedGroup, metric: str | None) -> dict[str, Any]:
    found = None if metric is None else ranked.estimates.get(metric)
    if found is None:
        return {"n": 0, "estimate_name": None, "estimate": None, "interval": None, "level": None}
    return {"n": found.n, "estimate_name": found.name, "estimate": found.value, **_interval(found)}


def _described(found: Distribution, by_unit: Mapping[Any, float]) -> dict[str, Any]:
    estimates = {name: {"estimate": found.of(name).value, **_interval(found.of(name))} for name in NAMES}
    return {"all": list(by_unit.values()), "quartiles": list(found.quartiles), "estimates": estimates}


def _comparison(each: Comparison, with_outlook: bool) -> dict[str, Any]:  # noqa: FBT001 - of this module
    found = each.difference
    outlook = each.outlook if with_outlook else None
    return {
        "metric": each.metric,
        "first": each.first,
        "second": each.second,
        "verdict": each.verdict,
        "winner": each.winner,
        "n": each.n,
        "difference_name": None if found is None else found.name,
        "difference": None if found is None else found.value,
        **({"interval": None, "level": None} if found is None else _interval(found)),
        "p": each.p_value,
        "margin": each.margin,
        "wins": each.wins,
        "ties": each.ties,
        "losses": each.losses,
        "wins_interval": _ends(each.wins_interval),
        "superiority": each.superiority,
        "cliffs_delta": each.delta,
        "n_to_settle": None if outlook is None else outlook.n,
        "smallest_shown": None if outlook is None else outlook.smallest,
        "words": sentence(each),
    }


def _interval(found: Estimate) -> dict[str, Any]:
    return {"interval": _ends(found.interval), "level": None if found.interval is None else found.interval.level}


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]
