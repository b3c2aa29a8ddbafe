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
        ("optimizer.lr", {"run", "group", "stack", "samples", "show", "fold"}),
        ("a.key.of.ones.own", {"run", "group", "stack", "samples", "show", "fold"}),
        ("run_dir", {"samples", "fold"}),
        ("sweep", {"samples", "fold"}),
        ("sweep.dry_run", {"samples", "fold"}),
        ("seed", {"run", "samples", "show", "fold"}),
        ("optimized_metric", {"run", "samples", "show", "fold"}),
        ("evaluate", {"run", "group", "samples", "show", "fold"}),
        ("logger.csv.save_dir", {"run", "group", "samples", "fold"}),
        ("suggested.lr", {"run", "group", "samples", "fold"}),
        ("callbacks.checkpoint.monitor", {"run", "group", "stack", "samples", "fold"}),
        ("callbacks.pictures.draw", {"stack", "samples", "fold"}),
        ("model.name", {"run", "group", "samples", "show", "fold"}),
        ("model.net.hidden", {"run", "group", "stack", "samples", "show", "fold"}),
        ("data.batch_size", {"run", "group", "stack", "show"}),
        ("data.seed", {"run", "stack", "samples", "show", "fold"}),
        ("data.split_seed", {"run", "stack", "samples", "show", "fold"}),
        ("data.val_seed", {"run", "stack", "samples", "show"}),
        ("data.fold", {"run", "stack", "samples", "show"}),
        ("data.columns", {"run", "group", "stack", "samples", "show"}),
        # a key whose name begins like another one
        ("seeds", {"run", "group", "stack", "samples", "show", "fold"}),
    ],
)
def test_what_a_key_counts_for(key: str, matters_for: set[Purpose]) -> None:
    assert {purpose for purpose in get_args(Purpose) if counts(key, purpose)} == matters_for


def test_every_key_of_the_table_is_one_of_the_configuration() -> None:
    from src.config.keys import _DOES_NOT_COUNT_FOR

    # of drawn data, and of a table
    found = [compose_train(), compose_train(["data=iris"])]
    for key in _DOES_NOT_COUNT_FOR:
        assert any(OmegaConf.select(cfg, key, default="absent") != "absent" for cfg in found), key


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


def test_a_tuple_is_the_list_that_is_stored_of_it() -> None:
    cfg = {"betas": (0.9, 0.999), "parts": [{"at": (1, (2,))}], "net": {"hidden": ()}}
    leaves = {"betas": [0.9, 0.999], "parts": [{"at": [1, [2]]}], "net.hidden": []}
    assert flatten(cfg) == flatten(OmegaConf.create(cfg)) == leaves


def test_differences_say_what_is_stored_and_what_is_given() -> None:
    stored = {"a": 1, "b": None, "same": [1], "run_dir": "here", "gone": 0.5}
    given = {"a": 2, "same": [1], "run_dir": "there", "sweep.dry_run": True, "new": "x", "gone": 0.5}
    assert (
        differences(stored, given) == "  a: stored 1, given 2\n  b: stored None, not given\n  new: not stored, given x"
    )
    assert differences(stored, {**stored, "run_dir": "elsewhere"}) == ""
