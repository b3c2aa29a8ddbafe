"""Leaves of configurations that share most of their blocks."""

from pathlib import Path

from src.analysis.leaves import Leaves, unlike
from src.analysis.records import read_jobs
from tests.analysis.jobs import make_job


def test_it_is_the_mapping_that_its_blocks_make() -> None:
    blocks: list[dict[str, int | None]] = [{"a": 1, "b.c": 2}, {}, {"b.c": 3, "d": None}]
    found = Leaves(blocks)
    assert found == {"a": 1, "b.c": 3, "d": None}
    assert list(found) == ["a", "b.c", "d"]
    assert len(found) == 3
    assert found.get("e", "none") == "none"
    assert not Leaves([{}])


def test_what_differs_is_found_in_blocks_and_in_plain_mappings() -> None:
    shared = {"a": 1, "b": 2}
    one, other = Leaves([shared, {"seed": 1, "c": 1}]), Leaves([shared, {"seed": 2, "c": 1, "d": 4}])
    assert unlike(one, other) == unlike(dict(one), dict(other)) == {"seed", "d"}
    assert unlike(one, Leaves([shared])) == {"seed", "c"}


def test_jobs_hold_the_blocks_once_in_which_they_agree(tmp_path: Path) -> None:
    for i in range(5):
        make_job(tmp_path / str(i), f"seed={i}", metrics={"val/loss": 0.5})
    jobs = read_jobs([tmp_path])
    blocks = [[block for block in job.leaves.blocks if "seed" not in block] for job in jobs]  # type: ignore[attr-defined] # of `Leaves`
    assert len({id(block) for own in blocks for block in own}) == len(blocks[0])
    assert len({id(name) for job in jobs for name in job.metrics}) == 1
    assert [job.leaves["seed"] for job in jobs] == list(range(5))
