"""What the jobs of a stack have in common, where they differ, and what sets one stack apart from the others."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

from src.config.keys import counts, flatten

# In place of a value: there is none.
_ABSENT: Any = object()

# Values of one key that a line holds.
_MOST = 6

Config: TypeAlias = Mapping[str, Any]


def describe(stacks: Sequence[Sequence[Config]], *, deciding: Callable[[Config], Config]) -> list[str]:
    """A line for each stack.

    Args:
        stacks: Resolved configurations of the jobs of each.
        deciding: Leaves of a configuration, by key, that may keep a job out of a stack.
    """
    apart = _apart([[deciding(cfg) for cfg in cfgs] for cfgs in stacks])
    return [
        _describe(cfgs) + (f"; unlike the other{'s' if len(stacks) > 2 else ''}, {own}" if own else "")
        for cfgs, own in zip(stacks, apart, strict=True)
    ]


def _describe(cfgs: Sequence[Config]) -> str:
    """What the jobs of a stack have in common and where they differ."""
    first = cfgs[0]
    leaves = [flatten(cfg) for cfg in cfgs]
    keys = [key for key in leaves[0] if counts(key, "show") and counts(key, "samples")]
    differing = [key for key in keys if any(each.get(key) != leaves[0][key] for each in leaves)]
    names = "/".join(dict.fromkeys(str(cfg["model"]["name"]) for cfg in cfgs))
    kinds = [str(first[key]["_target_"]).rsplit(".", 1)[-1] for key in ("task", "optimizer", "loss")]
    size = first["data"].get("batch_size")
    batches = f"batches of {size}" if size else "one batch an epoch"
    is_padded = any(cfg["model"]["net"] != first["model"]["net"] for cfg in cfgs)
    network = "networks of one depth, padded to common widths" if is_padded else "the same network"
    return (
        f"{len(cfgs)} models {names} are stacked: {network}, {', '.join(kinds)}, "
        f"{first['trainer']['max_epochs']} epochs, {batches}; they differ in {', '.join(differing) or 'nothing'}"
    )


def _apart(stacks: Sequence[Sequence[Config]]) -> list[str]:
    """Of each stack its values of all keys by which some two stacks have none in common."""
    found = [_values(leaves) for leaves in stacks]
    keys = [key for key in dict.fromkeys(key for each in found for key in each) if _separates(key, found)]
    # what follows from another class is no reason of its own
    classes = {key.removesuffix("_target_") for key in keys if key.endswith("._target_")}
    keys = [key for key in keys if key.endswith("._target_") or not key.startswith(tuple(classes))]
    return [", ".join(_text(key, each.get(key, [_ABSENT])) for key in keys) for each in found]


def _separates(key: str, found: Sequence[Mapping[str, list[Any]]]) -> bool:
    values = [each.get(key, [_ABSENT]) for each in found]
    return any(not any(value in one for value in other) for one, other in combinations(values, 2))


def _values(leaves: Sequence[Config]) -> dict[str, list[Any]]:
    """The values that the jobs of a stack have, by key."""
    found: dict[str, list[Any]] = {}
    for key in dict.fromkeys(key for each in leaves for key in each):
        values = found[key] = []
        for each in leaves:
            if (value := each.get(key, _ABSENT)) not in values:
                values.append(value)
    return found


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
