"""What was done, in sentences for a paper: estimates, intervals, test, correction, and what it was computed with."""

from src.analysis.data_sets.across import across_data
from src.analysis.page.origin import made_with
from src.analysis.paper.table import p_values
from src.analysis.scale import percent
from src.analysis.settling import file as settling_file
from src.analysis.stats.comparison import Comparison
from src.analysis.stats.estimates import Estimate, Name
from src.analysis.summary import Summary
from src.analysis.words.headings import plurals
from src.analysis.words.remarks import counts
from src.analysis.words.tables import plain

_PACKAGES = ("torch", "lightning", "torchmetrics", "scikit-learn", "numpy", "commit", "device")
_INTERVALS: dict[Name, str] = {
    "median": "intervals of order statistics",
    "iqm": "bootstrap intervals (percentiles widened as in Hesterberg, 2015)",
    "mean": "intervals for bounded values by betting (Waudby-Smith and Ramdas, 2024)",
}


def methods(summary: Summary) -> str:
    """Sentences, one a line."""
    lines = [_estimates(summary), *_tests(summary), *p_values(summary), *_failed(summary), *_choice(summary)]
    lines += [*_data_sets(summary), *_until(summary)]
    lines += [_made_with(summary), f"{counts(summary)}{_left_out(summary)}."]
    return "\n".join(plain(line) for line in lines if line) + "\n"


def _estimates(summary: Summary) -> str:
    found = [each for ranked in summary.groups for each in ranked.estimates.values()]
    sizes = sorted({each.n for each in found})
    n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}" if sizes else "0"
    if sizes == [1]:
        return f"Numbers are those of one {summary.units[0].noun} per group."
    names = " or ".join(dict.fromkeys(f"{each.words}s" for each in found))
    said = f"Numbers are {names} over {n} {plurals(summary)} per group{_with_intervals(summary, found)}."
    return f"{said} Intervals cover {summary.covers}." if summary.covers else said


def _with_intervals(summary: Summary, found: list[Estimate]) -> str:
    levels = sorted({each.interval.level for each in found if each.interval is not None})
    if not levels:
        return ""
    kinds = [_INTERVALS[name] for name in dict.fromkeys(each.name for each in found)]
    if _overlaps(summary):
        kinds = [
            "intervals of the t distribution, with the variance of the mean corrected for overlapping training parts "
            "(Nadeau and Bengio, 2003)"
        ]
    return f" with {' or '.join(map(percent, levels))} {' or '.join(kinds)}"


def _tests(summary: Summary) -> list[str]:
    tested = [each for each in summary.comparisons if each.p_value is not None]
    if not tested:
        return []
    noun = tested[0].unit.noun
    name = "Wilcoxon's signed rank test (exact)"
    if _overlaps(summary):
        name = "the corrected resampled t test (Nadeau and Bengio, 2003)"
    several = max(sum(each.metric == name_ for each in tested) for name_ in summary.metrics) > 1
    holm = ", and p values are corrected for the number of pairs of groups by Holm's method (1979)" if several else ""
    first = f"The best group by {summary.metrics[0]} is compared with each other group {noun} by {noun} by {name}"
    equal = "; where all differences are equal, by the exact sign test" if _has_equal(summary, tested) else ""
    return [f"{first}, two-sided{equal}{holm}.", *_margins(tested)]


def _margins(tested: list[Comparison]) -> list[str]:
    margins = {each.metric: each.margin for each in tested if each.margin is not None}
    listed = ", ".join(f"{margin:g} of {metric}" for metric, margin in margins.items())
    equal = "groups are called practically equal where the whole interval of their difference is within it"
    return [f"Differences up to {listed} do not matter: {equal}."] if listed else []


def _failed(summary: Summary) -> list[str]:
    if not summary.tells_failed:
        return []
    by = f"{summary.criterion}, or where it has no number" if summary.criterion else "it has no number"
    exact = any(ranked.failed.interval for ranked in summary.groups)
    interval = ", with exact intervals of its share (Clopper and Pearson, 1934)" if exact else ""
    return [f"A run has failed where {by}{interval}."]


def _choice(summary: Summary) -> list[str]:
    if not summary.by_test:
        return []
    return [f"The test part was used to choose (by {', '.join(summary.by_test)}), which flatters the best group."]


def _data_sets(summary: Summary) -> list[str]:
    found = across_data(summary, summary.metrics[0]) if summary.metrics else None
    if found is None:
        return []
    return [
        f"Over {len(found.data_sets)} data sets groups are compared by their average ranks, with Friedman's test "
        "(exact) and Nemenyi's critical difference at 5% (Demšar, 2006)."
    ]


def _until(summary: Summary) -> list[str]:
    if not any(settling_file.read(path) for path in summary.sweep_dirs):
        return []
    return [
        "Seeds were added in batches until the comparison of the best group with each other one was clear, by an "
        "e-process on which of two runs with one seed is the better one (a mixture of likelihood ratios; Robbins, "
        "1970), with an error of at most 5% over all looks and groups."
    ]


def _made_with(summary: Summary) -> str:
    found = dict(made_with(summary.jobs))
    listed = [f"{name} {' or '.join(text for text, _ in found[name])}" for name in _PACKAGES if name in found]
    return f"Computed with {', '.join(listed)}." if listed else ""


def _left_out(summary: Summary) -> str:
    return "" if summary.counts["completed"] == len(summary.jobs) else "; numbers are of those that completed"


def _overlaps(summary: Summary) -> bool:
    return any(ranked.group.unit.overlap for ranked in summary.groups)


def _has_equal(summary: Summary, tested: list[Comparison]) -> bool:
    """Whether folds differed by the same amount, for which the t test is not defined."""
    ends = (each.difference.interval for each in tested if each.difference is not None)
    return _overlaps(summary) and any(found is not None and found.low == found.high for found in ends)
