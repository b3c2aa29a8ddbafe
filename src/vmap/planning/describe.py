"""What the jobs of a stack have in common, where they differ, and what sets one stack apart from the others."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

from src.config.keys import counts, flatten

# In place of a value: there is none.
_ABSENT: Any = object()

_NONE: Mapping[Hashable, Any] = {_ABSENT: _ABSENT}

# Values of one key, and keys, that a line holds.
_MOST = 6

Config: TypeAlias = Mapping[str, Any]


def describe(stacks: Sequence[Sequence[Config]], *, deciding: Callable[[Config], Config]) -> list[str]:
    """A line for each stack.

    Args:
        stacks: Resolved configurations of the jobs of each.
        deciding: Leaves of a configuration, by key, that may keep a job out of a stack.
    """
    apart = _apart([_values(map(deciding, cfgs)) for cfgs in stacks] if len(stacks) > 1 else [{} for _ in stacks])
    return [
        _describe(cfgs) + (f"; unlike the other{'s' if len(stacks) > 2 else ''}, {own}" if own else "")
        for cfgs, own in zip(stacks, apart, strict=True)
    ]


def _describe(cfgs: Sequence[Config]) -> str:
    """What the jobs of a stack have in common and where they differ."""
    first = cfgs[0]
    found = set[str]().union(*(_differing(first, cfg) for cfg in cfgs))
    differing = [key for key in flatten(first) if key in found and counts(key, "show") and counts(key, "samples")]
    names = "/".join(dict.fromkeys(str(cfg["model"]["name"]) for cfg in cfgs))
    kinds = [str(first[key]["_target_"]).rsplit(".", 1)[-1].replace("_", " ") for key in ("task", "optimizer", "loss")]
    size = first["data"].get("batch_size")
    batches = f"batches of {size}" if size else "one batch an epoch"
    is_padded = any(cfg["model"]["net"] != first["model"]["net"] for cfg in cfgs)
    network = "networks of one depth, padded to common widths" if is_padded else "the same network"
    return (
        f"{len(cfgs)} models {names} are stacked: {network}, {', '.join(kinds)}, "
        f"{first['trainer']['max_epochs']} epochs, {batches}; they differ in {', '.join(differing) or 'nothing'}"
    )


def _differing(first: Config, other: Config, above: str = "") -> Iterator[str]:
    """Leaves of the first that are others in the other; branches that jobs share are not looked into."""
    for key, value in first.items():
        own = other.get(key)
        if own is value:
            continue
        if isinstance(value, dict) and value and isinstance(own, dict):
            yield from _differing(value, own, f"{above}{key}.")
        elif own != value:
            yield from (f"{above}{name}" for name in flatten({key: value}))


def _apart(stacks: Sequence[Mapping[str, Mapping[Hashable, Any]]]) -> list[str]:
    """Of each stack its values of all keys by which some two stacks have none in common."""
    keys = [key for key in dict.fromkeys(key for each in stacks for key in each) if _separates(key, stacks)]
    # what follows from another class is no reason of its own
    classes = {key.removesuffix("_target_") for key in keys if key.endswith("._target_")}
    keys = [key for key in keys if key.endswith("._target_") or not key.startswith(tuple(classes))]
    more = f" and {len(keys) - _MOST} more" if len(keys) > _MOST else ""
    return [
        ", ".join(_text(key, list(each.get(key, _NONE).values())) for key in keys[:_MOST]) + more for each in stacks
    ]


def _separates(key: str, stacks: Sequence[Mapping[str, Mapping[Hashable, Any]]]) -> bool:
    values = [each.get(key, _NONE).keys() for each in stacks]
    return any(one.isdisjoint(other) for one, other in combinations(values, 2))


def _values(all_leaves: Iterable[Config]) -> dict[str, dict[Hashable, Any]]:
    """The values that the jobs of a stack have, by key; each by what is equal for equal ones."""
    found: dict[str, dict[Hashable, Any]] = {}
    for i, leaves in enumerate(all_leaves):
        for key, value in leaves.items():
            if key not in found:
                # those before have none
                found[key] = dict(_NONE) if i else {}
            found[key].setdefault(_hashable(value), value)
        for key in found.keys() - leaves.keys():
            found[key] |= _NONE
    return found


def _hashable(value: Any) -> Hashable:
    if isinstance(value, dict):
        return frozenset((key, _hashable(each)) for key, each in value.items())
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _text(key: str, values: Sequence[Any]) -> str:
    name = key.removesuffix("._target_")
    given = [value for value in values if value is not _ABSENT]
    texts = [str(value).rsplit(".", 1)[-1] if name != key else _as_given(value) for value in given]
    if len(given) < len(values):
        return f"{name}={' or '.join(texts)}, or none" if texts else f"no {name}"
    more = [f"{len(texts) - _MOST} more"] if len(texts) > _MOST else []
    return f"{name}={' or '.join([*texts[:_MOST], *more])}"


def _as_given(value: Any) -> str:
    """A value as a command line gives it."""
    if isinstance(value, list):
        return f"[{','.join(map(_as_given, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)
