"""Which runs a query names."""

from collections.abc import Iterable, Sequence
from typing import Any

from src.analysis.scale import Scale
from src.analysis.varying.units import ABSENT, as_text, followed
from src.config.errors import ConfigError, suggest
from src.config.metrics import split_of, words_of
from src.find.index import Found
from src.find.words import Condition, Words, number

RECORDED = ("status", "seed", "duration_s", "n_parameters", "directory")


def value_of(run: Found, key: str) -> Any:
    """What a run has under a key, `ABSENT` if nothing: a record, metric, chosen option, or value of its configuration.

    ``directory`` is its name.
    """
    if key in RECORDED:
        value = run.name if key == "directory" else getattr(run, key)
        return ABSENT if value is None else value
    if key in run.metrics:
        return run.metrics[key]
    if key in run.choices:
        return run.choices[key]
    if (value := followed(run.leaves, key)) is not ABSENT:
        return value
    return run.overrides.get(key, ABSENT)


def select(runs: Sequence[Found], words: Words) -> list[Found]:
    """The runs that a query names; one that lacks a key is named by no condition on it.

    Raises:
        ConfigError: If no run at all has a key.
    """
    check_keys(runs, [each.key for each in words.conditions])
    since, until = words.since, words.until
    return [
        run
        for run in runs
        if (since is None or run.begun >= since)
        and (until is None or run.begun < until)
        and all(_holds(run, each) for each in words.conditions)
    ]


def check_keys(runs: Sequence[Found], keys: Iterable[str]) -> None:
    """Refuse a key that no run has, with the nearest one that some have.

    Raises:
        ConfigError: If there is such a key.
    """
    for key in keys:
        if runs and all(value_of(run, key) is ABSENT for run in runs) and key not in RECORDED:
            known = dict.fromkeys(
                (*RECORDED, *(each for run in runs for each in (*run.metrics, *run.choices, *run.leaves)))
            )
            # an end of a name is nearer than what only looks like it
            ends = [each for each in known if each.endswith((f".{key}", f"/{key}"))]
            hint = f"did you mean {min(ends, key=_split)}?" if ends else suggest(key, list(known))
            if hint.startswith("allowed"):
                hint = "allowed: a metric, a group, or a key of a configuration, such as val/loss, data or optimizer.lr"
            raise ConfigError(f"{key}: no run has it; {hint}")


def unseen(runs: Sequence[Found], words: Words) -> str | None:
    """A hint for a value that no run has though another one is near; None where there is none."""
    for each in words.conditions:
        texts = {as_text(value) for run in runs if (value := value_of(run, each.key)) is not ABSENT}
        for given in each.values if each.operator == "=" else ():
            if number(given) is None and given not in texts:
                hint = suggest(given, sorted(texts), prefix=f"{each.key}=")
                if hint.startswith("did you mean"):
                    return f"no run has {each.key}={given}; {hint}"
    return None


def ordered(items: Sequence[Any], key: str, values: Sequence[Any]) -> list[Any]:
    """Items by what they have under a key, numbers before texts; those that have nothing last.

    Args:
        items: What to sort.
        key: With ``-`` before it from high to low.
        values: Of the items; `ABSENT` for none.
    """
    known = [pair for pair in zip(items, values, strict=True) if pair[1] is not ABSENT]
    rest = [item for item, value in zip(items, values, strict=True) if value is ABSENT]
    known.sort(key=lambda pair: _order(pair[1]), reverse=key.startswith("-"))
    return [*(item for item, _ in known), *rest]


def best_by_metric(runs: Sequence[Found]) -> dict[str, Found]:
    """The best completed run by each metric, validation first."""
    ended = [run for run in runs if run.status == "completed"]
    names = dict.fromkeys(name for run in ended for name in run.metrics)
    found: dict[str, Found] = {}
    # what the data give is no merit of a run
    for name in sorted((name for name in names if "chance" not in words_of(name)), key=_split):
        having = [run for run in ended if name in run.metrics]
        pick = min if Scale.of(name).lower_is_better else max
        found[name] = pick(having, key=lambda run: run.metrics[name])
    return found


def _split(metric: str) -> int:
    """Validation before test, and training last."""
    order = ("val", "test", "train")
    split = split_of(metric)[0]
    return order.index(split) if split in order else len(order)


def _holds(run: Found, condition: Condition) -> bool:
    value = value_of(run, condition.key)
    if value is ABSENT:
        return False
    if condition.operator in ("=", "!="):
        found = any(_is(value, given) for given in condition.values)
        if condition.key == "directory":
            # a sweep's stands for its jobs
            found = found or any(run.name.startswith(f"{given.rstrip('/')}/") for given in condition.values)
        return found == (condition.operator == "=")
    limit = number(condition.value)
    if not isinstance(value, int | float) or isinstance(value, bool) or limit is None:
        return False
    return {
        ">": value > limit,
        ">=": value >= limit,
        "<": value < limit,
        "<=": value <= limit,
    }[condition.operator]


def _is(value: Any, given: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(given) == value
    return given.replace(" ", "") == as_text(value).replace(" ", "")


def _order(value: Any) -> tuple[int, float, str]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return (0, float(value), "") if is_number else (1, 0.0, as_text(value))
