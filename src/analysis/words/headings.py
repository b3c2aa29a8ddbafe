"""What numbers of a summary are, in words: estimates, what they are over, and how sure their intervals are."""

from collections.abc import Iterable

from src.analysis.scale import percent
from src.analysis.stats.estimates import Estimate
from src.analysis.stats.interval import LEVEL
from src.analysis.summary import Summary

_N_NAMED = 3  # keys of a title


def estimate_of(summary: Summary) -> str:
    """What stands in the columns: "median over seeds [95% interval]", "mean over 10 folds [95% interval]"."""
    found = shown(summary)
    words = list(dict.fromkeys(each.words for each in found)) or ["median"]
    sizes = {each.n for each in found}
    over = plurals(summary)
    if [unit.noun for unit in summary.units] == ["fold"] and len(sizes) == 1:
        over = summary.units[0].number(*sizes)
    interval = interval_of(summary)
    return f"{' or '.join(words)} over {over}{f' [{interval}]' if interval else ''}"


def interval_of(summary: Summary) -> str:
    """How sure the intervals are: "95% interval", or what fewer seeds reach; empty where there is none."""
    levels = _levels(summary)
    if len(levels) > 1:
        return f"{percent(LEVEL)} interval, or the level in brackets"
    return f"{percent(*levels)} interval" if levels else ""


def is_mixed(summary: Summary) -> bool:
    """Whether some intervals are less sure than others, so that each says how sure it is."""
    return len(_levels(summary)) > 1


def _levels(summary: Summary) -> set[float]:
    return {each.interval.level for each in shown(summary) if each.interval is not None}


def shown(summary: Summary) -> list[Estimate]:
    """The estimates that stand in front, of all groups and metrics."""
    return [each for ranked in summary.groups for each in ranked.estimates.values()]


def plurals(summary: Summary) -> str:
    """What estimates are taken over, in a word; two where groups differ in it."""
    return " or ".join(unit.plural for unit in summary.units)


def compared(summary: Summary) -> str:
    """What was compared, as a title: "Test accuracy by model and lr, over 8 seeds"; empty without a number."""
    if not summary.metrics:
        return ""
    metric = summary.metrics[0]
    keys = dict.fromkeys(key for ranked in summary.groups for key in ranked.group.values)
    names = [_last(key, keys) for key in keys if len({each.group.values.get(key) for each in summary.groups}) > 1]
    if len(names) > _N_NAMED:
        names = [*names[: _N_NAMED - 1], f"{len(names) - _N_NAMED + 1} more keys"]
    by = f" by {', '.join(names[:-1])}{' and ' if names[1:] else ''}{names[-1]}" if names else ""
    sizes = sorted({each.estimates[metric].n for each in summary.groups if metric in each.estimates})
    over = f", over {f'{sizes[0]} to ' if sizes[1:] else ''}{_number(sizes[-1], summary)}" if sizes else ""
    words = summary.scales[metric].words
    return f"{words[:1].upper()}{words[1:]}{by}{over}"


def _last(key: str, keys: Iterable[str]) -> str:
    """The last word of a key, where that is no other one's."""
    last = key.rpartition(".")[2]
    return key if sum(other.rpartition(".")[2] == last for other in keys) > 1 else last


def _number(n: int, summary: Summary) -> str:
    units = summary.units
    return units[0].number(n) if len(units) == 1 else f"{n} {plurals(summary)}"
