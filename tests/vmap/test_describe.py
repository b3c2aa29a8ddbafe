"""What a line says of a stack, and that it takes no longer for many jobs than for few."""

from collections.abc import Iterator
from typing import Any

from src.vmap.planning.describe import describe


class Counted(int):
    """A number that counts how often one is compared."""

    n = 0

    def __eq__(self, other: object) -> bool:
        Counted.n += 1
        return int(self) == other

    __hash__ = int.__hash__


def configs(name: str, seeds: Iterator[int]) -> list[dict[str, Any]]:
    shared = {
        "task": {"_target_": "a.Task"},
        "optimizer": {"_target_": "a.SGD"},
        "loss": {"_target_": "a.Loss"},
        "trainer": {"max_epochs": 1},
    }
    model = {"name": name, "net": {"hidden": [5]}}
    return [{**shared, "model": model, "data": {"seed": seed, "sizes": [seed, 1]}} for seed in seeds]


def leaves(cfg: Any) -> dict[str, Any]:
    return {"model": cfg["model"]["name"], "data.seed": cfg["data"]["seed"], "data.sizes": cfg["data"]["sizes"]}


def test_values_are_compared_no_more_often_than_there_are_jobs() -> None:
    n = 2000
    stacks = [configs(name, map(Counted, range(at, at + n))) for name, at in (("one", 0), ("two", n // 2))]
    Counted.n = 0
    first, second = describe(stacks, deciding=leaves)
    assert Counted.n < 20 * n
    assert first.endswith("they differ in data.seed, data.sizes; unlike the other, model=one")
    assert second.endswith("they differ in data.seed, data.sizes; unlike the other, model=two")


def test_a_key_that_some_jobs_have_not_is_a_value_of_its_own() -> None:
    stacks = [configs("one", iter(range(2))), configs("one", iter(range(2)))]

    def deciding(cfg: Any) -> dict[str, Any]:
        is_first = any(cfg is each for each in stacks[0])
        return {"decay": 0.1} if is_first and cfg["data"]["seed"] else {}

    assert [line.partition("; unlike")[2] for line in describe(stacks, deciding=deciding)] == ["", ""]
