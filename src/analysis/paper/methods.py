"""What was done, in sentences for a paper: means, intervals, test, correction, and what it was computed with."""

from src.analysis.page.origin import made_with
from src.analysis.paper.table import p_values
from src.analysis.stats import LEVEL
from src.analysis.summary import Summary
from src.analysis.tables import counts, plain, plurals

_PACKAGES = ("torch", "lightning", "torchmetrics", "scikit-learn", "numpy", "commit", "device")


def methods(summary: Summary) -> str:
    """Sentences, one a line."""
    lines = [_means(summary), *_tests(summary), *p_values(summary), *_choice(summary), _made_with(summary)]
    lines.append(f"{counts(summary)}{_left_out(summary)}.")
    return "\n".join(plain(line) for line in lines if line) + "\n"


def _means(summary: Summary) -> str:
    sizes = sorted(
        {found.n for ranked in summary.groups if (found := ranked.estimates.get(summary.metrics[0])) is not None}
    )
    n = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}" if sizes else "0"
    if sizes == [1]:
        return f"Numbers are those of one {summary.units[0].noun} per group."
    plural = plurals(summary)
    interval = f"{100 * LEVEL:.0f} % intervals of the t distribution"
    corrected = _overlaps(summary)
    if corrected:
        interval += ", with the variance of the mean corrected for overlapping training parts (Nadeau and Bengio, 2003)"
    return f"Numbers are means over {n} {plural} per group with {interval}."


def _tests(summary: Summary) -> list[str]:
    tested = [each for each in summary.comparisons if each.p_value is not None]
    if not tested:
        return []
    noun = tested[0].unit.noun
    name = "the corrected resampled t test (Nadeau and Bengio, 2003)" if _overlaps(summary) else "the paired t test"
    several = max(sum(each.metric == name_ for each in tested) for name_ in summary.metrics) > 1
    holm = ", and p values are corrected for the number of comparisons by Holm's method (1979)" if several else ""
    first = f"The best group by {summary.metrics[0]} is compared with each other group {noun} by {noun} by {name}"
    equal = "; where all differences are equal, by the exact sign test" if _has_equal(summary) else ""
    return [f"{first}, two-sided{equal}{holm}."]


def _choice(summary: Summary) -> list[str]:
    if not summary.by_test:
        return []
    return [f"The test part was used to choose (by {', '.join(summary.by_test)}), which flatters the best group."]


def _made_with(summary: Summary) -> str:
    found = dict(made_with(summary.jobs))
    listed = [f"{name} {' or '.join(text for text, _ in found[name])}" for name in _PACKAGES if name in found]
    return f"Computed with {', '.join(listed)}." if listed else ""


def _left_out(summary: Summary) -> str:
    return "" if summary.counts["completed"] == len(summary.jobs) else "; means are of those that completed"


def _overlaps(summary: Summary) -> bool:
    return any(ranked.group.unit.overlap for ranked in summary.groups)


def _has_equal(summary: Summary) -> bool:
    """Whether a comparison had no spread, so that the t test is not defined."""
    return any(each.difference is not None and each.difference.half_width == 0 for each in summary.comparisons)
