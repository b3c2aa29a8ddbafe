"""Folds are those of scikit-learn's splitters for the same seed, and what is learnt is learnt within each."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import model_selection as sk

from src.config.errors import ConfigError
from tests.data.table.tables import frame, table, written


def labels(path: Path) -> NDArray[Any]:
    return table(path)._read().target.values


@pytest.mark.parametrize(
    ("given", "splitter"),
    [
        ({}, sk.StratifiedKFold(5, shuffle=True, random_state=42)),
        ({"repeats": 3}, sk.RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=42)),
        ({"group": "who"}, sk.StratifiedGroupKFold(5, shuffle=True, random_state=42)),
        ({"y": "a"}, sk.KFold(5, shuffle=True, random_state=42)),
        ({"y": "a", "repeats": 3}, sk.RepeatedKFold(n_splits=5, n_repeats=3, random_state=42)),
        ({"y": "a", "group": "who"}, sk.GroupKFold(5)),
    ],
)
def test_folds_are_those_of_scikit_learn(given: dict[str, Any], splitter: Any, tmp_path: Path) -> None:
    people = np.array([i % 20 for i in range(60)])
    path = written(tmp_path, frame(who=people))
    target = given.pop("y", "y")
    y = labels(path) if target == "y" else np.zeros(60)
    expected = list(splitter.split(np.zeros(60), y, people if "group" in given else None))
    for fold, (rest, test) in enumerate(expected):
        datamodule = table(path, folds=5, fold=fold, target=target, **given)
        train, val, found = datamodule._read().rows
        np.testing.assert_array_equal(found, test)
        assert sorted([*train, *val]) == sorted(rest)
        if "group" in given:
            assert not set(people[train]) & set(people[val])
        columns = {each["name"]: each for each in datamodule.record["columns"]}
        b = datamodule._read().table.frame["b"].to_numpy()
        assert columns["b"]["mean"] == pytest.approx(b[train].mean())


def test_a_column_of_fold_numbers_is_used(tmp_path: Path) -> None:
    path = written(tmp_path, frame(f=[1, 2, 3] * 20))
    assert list(table(path, fold_column="f", fold=2)._read().rows[2]) == list(range(1, 60, 3))
    for fold in (None, 0):
        with pytest.raises(ConfigError, match=r"data\.fold=(null|0); data\.fold_column=f holds 1, 2, 3"):
            _ = table(path, fold_column="f", fold=fold).spec


def test_more_folds_than_rows_of_a_class_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, frame(y=["no"] * 56 + ["yes"] * 4))
    with pytest.raises(ConfigError, match=r"data.folds=5, but the rows of the smallest class are 4; allowed: at most"):
        _ = table(path, folds=5, fold=0).spec
