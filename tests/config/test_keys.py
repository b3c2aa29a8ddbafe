"""Keys that do not count, and configurations as flat tables of keys."""

from typing import Any, get_args

import pytest
from omegaconf import OmegaConf

from src.config.compose import compose_train
from src.config.keys import Purpose, counts, differences, flatten

CONFIG: dict[str, Any] = {
    "seed": 42,
    "model": {"net": {"hidden": [10, 10]}},
    "optimizer": {"lr": "${suggested.lr}"},
    "suggested": {"lr": 0.1},
    "scheduler": {},
}


@pytest.mark.parametrize(
    ("key", "matters_for"),
    [
        ("optimizer.lr", {"run", "group", "stack", "samples", "show"}),
        ("a.key.of.ones.own", {"run", "group", "stack", "samples", "show"}),
        ("run_dir", {"samples"}),
        ("sweep", {"samples"}),
        ("sweep.dry_run", {"samples"}),
        ("seed", {"run", "samples", "show"}),
        ("optimized_metric", {"run", "samples", "show"}),
        ("evaluate", {"run", "group", "samples", "show"}),
        ("logger.csv.save_dir", {"run", "group", "samples"}),
        ("suggested.lr", {"run", "group", "samples"}),
        ("callbacks.checkpoint.monitor", {"run", "group", "stack", "samples"}),
        ("model.name", {"run", "group", "samples", "show"}),
        ("model.net.hidden", {"run", "group", "stack", "samples", "show"}),
        ("data.batch_size", {"run", "group", "stack", "show"}),
        ("data.seed", {"run", "group", "stack", "samples", "show"}),
        # a key whose name begins like another one
        ("seeds", {"run", "group", "stack", "samples", "show"}),
    ],
)
def test_what_a_key_counts_for(key: str, matters_for: set[Purpose]) -> None:
    assert {purpose for purpose in get_args(Purpose) if counts(key, purpose)} == matters_for


def test_every_key_of_the_table_is_one_of_the_configuration() -> None:
    from src.config.keys import _DOES_NOT_COUNT_FOR

    cfg = compose_train()
    assert all(OmegaConf.select(cfg, key, default="absent") != "absent" for key in _DOES_NOT_COUNT_FOR)


def test_flatten_gives_leaves_by_dotted_key() -> None:
    cfg = OmegaConf.create(CONFIG)
    assert flatten(cfg) == {
        "seed": 42,
        "model.net.hidden": [10, 10],
        "optimizer.lr": "${suggested.lr}",
        "suggested.lr": 0.1,
        "scheduler": {},
    }
    assert flatten(cfg, resolve=True)["optimizer.lr"] == 0.1
    assert flatten({"a": {"b": {"c": 1}}, 3: 4}) == {"a.b.c": 1, "3": 4}


def test_differences_say_what_is_stored_and_what_is_given() -> None:
    stored = {"a": 1, "b": None, "same": [1], "run_dir": "here", "gone": 0.5}
    given = {"a": 2, "same": [1], "run_dir": "there", "sweep.dry_run": True, "new": "x", "gone": 0.5}
    assert (
        differences(stored, given) == "  a: stored 1, given 2\n  b: stored None, not given\n  new: not stored, given x"
    )
    assert differences(stored, {**stored, "run_dir": "elsewhere"}) == ""
