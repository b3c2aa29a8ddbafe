"""Leaves of many configurations, which differ in few of the blocks that they are stored in: each block is held once."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

_ABSENT: Any = object()


class Leaves(Mapping[str, Any]):
    """Leaves by dotted key.

    Args:
        blocks: Leaves of each block, which nobody may change; of a key that several have the last one counts.
    """

    __slots__ = ("blocks",)

    def __init__(self, blocks: Sequence[Mapping[str, Any]] = ()) -> None:
        self.blocks = tuple(block for block in blocks if block)

    def __getitem__(self, key: str) -> Any:
        found = self.get(key, _ABSENT)
        if found is _ABSENT:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return any(key in block for block in self.blocks)

    def get(self, key: str, default: Any = None) -> Any:
        """Asked for often, also for what is not there: without an exception."""
        for block in reversed(self.blocks):
            if key in block:
                return block[key]
        return default

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(chain.from_iterable(self.blocks)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self.blocks)


def unlike(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """Keys that two mappings do not both have with one value; what `Leaves` share is not looked into."""
    keys = {*one, *other} if (own := _unshared(one, other)) is None else own
    return {key for key in keys if one.get(key, _ABSENT) != other.get(key, _ABSENT)}


def _unshared(one: Mapping[str, Any], other: Mapping[str, Any]) -> set[str] | None:
    if not (isinstance(one, Leaves) and isinstance(other, Leaves) and len(one.blocks) == len(other.blocks)):
        return None
    pairs = zip(one.blocks, other.blocks, strict=True)
    return {key for pair in pairs if pair[0] is not pair[1] for block in pair for key in block}
