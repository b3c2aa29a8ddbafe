"""Tables: what columns are taken for, how they are encoded, and what is refused."""

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from src.config.errors import ConfigError
from src.data.table.module import TableDataModule
from tests.data.table.tables import frame, table, written


def refused(content: Any, folder: Path, **given: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        _ = table(written(folder, content), **given).parts
    return str(caught.value)


# What is seen


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no", "yes"] * 30, "binary", ("no", "yes")),
        (["c", "a", "b"] * 20, "multiclass", ("a", "b", "c")),
        ([True, False] * 30, "binary", ("false", "true")),
        ([1.0, 0.0] * 30, "binary", ("0", "1")),
        ([10, 2, 1] * 20, "multiclass", ("1", "2", "10")),
        ([0.5, 1.25, 3.0] * 20, "regression", ("y",)),
        (list(range(60)), "regression", ("y",)),
    ],
)
def test_the_target_tells_the_task(values: list[Any], task: str, classes: tuple[str, ...], tmp_path: Path) -> None:
    datamodule = table(written(tmp_path, frame(y=values)))
    assert (datamodule.spec.task, datamodule.spec.class_names) == (task, classes)
    y = torch.cat([part.y for part in datamodule.parts])
    assert len(y) == 60
    if task != "regression":
        names = [str(values[i]).lower().removesuffix(".0") for i in np.concatenate(datamodule._read().rows)]
        assert [classes[label] for label in y.tolist()] == names


def test_keys_overrule_what_is_seen(tmp_path: Path) -> None:
    path = written(tmp_path, frame(y=[1, 2, 3] * 20, a=[1, 2] * 30))
    assert table(path, task="regression").spec.task == "regression"
    assert table(path, columns={"a": "category"}, drop=["b"]).spec.feature_names == (
        *("a=1", "a=2"),
        *("c=blue", "c=green", "c=red"),
    )
    assert table(path, columns=["b"]).spec.feature_names == ("b",)


def test_the_line_that_is_logged_says_what_was_taken_for_what(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _ = table(written(tmp_path, frame(y=["no", "yes"] * 30))).spec
    assert "60 rows, 36 to train, 12 to validate, 12 to test; y is one of 2 classes (no 30, yes 30); " in caplog.text
    assert "numbers: a, b; categories: c (3)" in caplog.text


# How it is encoded


@pytest.mark.parametrize("missing", ["error", "mean", "median", "indicator"])
def test_inputs_are_those_of_scikit_learn_fitted_on_the_training_part(missing: Any, tmp_path: Path) -> None:
    content = frame(200)
    if missing != "error":
        holes = np.random.default_rng(1).random(200) < 0.2
        content = content.with_columns(
            a=polars.Series([None if h else v for h, v in zip(holes, content["a"], strict=True)])
        )
    datamodule = table(written(tmp_path, content), missing=missing)
    rows = datamodule._read().rows
    strategy = "median" if missing == "median" else "mean"
    numbers = make_pipeline(SimpleImputer(strategy=strategy), StandardScaler())
    other = ColumnTransformer([("n", numbers, [0, 1]), ("c", OneHotEncoder(sparse_output=False), [2])])
    table_of = content.select("a", "b", "c").to_numpy()
    table_of[:, 0] = [np.nan if value is None else value for value in table_of[:, 0]]
    other.fit(table_of[rows[0]])
    names = list(datamodule.spec.feature_names)
    for part, chosen in zip(datamodule.parts, rows, strict=True):
        x = part.x.numpy()
        places = [names.index(name) for name in ("a", "b", "c=blue", "c=green", "c=red")]
        np.testing.assert_allclose(x[:, places], other.transform(table_of[chosen]), atol=1e-5)
        if missing == "indicator":
            np.testing.assert_array_equal(x[:, names.index("a missing")], content["a"].is_null().to_numpy()[chosen])


def learnt(datamodule: TableDataModule) -> dict[str, Any]:
    """What a record says of the columns, whatever file they are of."""
    return {key: value for key, value in datamodule.record.items() if key != "sha256"}


def test_nothing_but_the_training_part_is_learnt_from(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = frame(60)
    before = learnt(table(written(tmp_path, content)))
    rows = table(tmp_path / "t.csv")._read().rows
    others = np.concatenate(rows[1:])
    a = content["a"].to_numpy().copy()
    a[others] += 1000
    c = content["c"].to_numpy().copy()
    c[others] = "new"
    changed = table(written(tmp_path, content.with_columns(a=polars.Series(a), c=polars.Series(c))))
    assert learnt(changed) == before
    # a category that was not learnt is none of the others
    with caplog.at_level(logging.WARNING):
        _ = changed.parts
    assert "column 'c' holds categories that training did not have (rows: 12), such as 'new'" in caplog.text
    assert not changed.parts.test.x[:, -3:].any()


def test_missing_values_are_counted_for_each_column(tmp_path: Path) -> None:
    content = "a,c,y\n1,x,0\n,x,1\n3,,0\n,y,1\n" + "5,x,0\n6,y,1\n" * 5
    text = refused(content, tmp_path)
    assert "'a' 2 of 14 (the first in line 3, column 'a'); 'c' 1 of 14 (the first in line 4, column 'c')" in text
    assert "Choose data.missing=mean, median, drop or indicator" in text


def test_rows_that_lack_a_value_are_dropped_where_that_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "a,c,y\n1,x,0\n,x,1\n3,,0\n,y,1\n" + "5,x,0\n6,y,1\n" * 5)
    assert sum(len(part.x) for part in table(path, missing="drop").parts) == 11


@pytest.mark.parametrize("missing", ["mean", "median", "indicator", "error"])
def test_a_target_that_is_missing_is_refused_whatever_is_done_about_the_others(missing: Any, tmp_path: Path) -> None:
    text = refused("a,y\n1,0\n2,\n" + "5,0\n6,1\n" * 5, tmp_path, missing=missing)
    assert "'y' 1 of 12 (the first in line 3, column 'y'). Choose data.missing=drop" in text


def test_what_a_run_has_learnt_encodes_another_file(tmp_path: Path) -> None:
    first = table(written(tmp_path, frame(100), "one.csv"))
    record = first.record
    content = frame(100, a=np.arange(100.0), c=["red"] * 100)
    # another order of columns, and one more
    other = table(written(tmp_path, content.select("y", "c", "b", "a").with_columns(z=polars.lit("?")), "two.csv"))
    other.use(record)
    mean, scale = record["columns"][0]["mean"], record["columns"][0]["scale"]
    rows = other._read().rows[2]
    np.testing.assert_allclose(other.parts.test.x[:, 0], (np.arange(100.0)[rows] - mean) / scale, rtol=1e-5)
    assert other.spec.feature_names == first.spec.feature_names
    assert other.parts.test.x[:, -1].all()


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record.pop("columns"),
        lambda record: record.update(columns=[{"name": 1}]),
        lambda record: record.update(task="else"),
        lambda record: record["columns"][0].update(mean="x"),
        lambda record: record["columns"][0].update(levels=None),
        lambda record: record.update(classes=3),
    ],
)
def test_a_record_that_is_none_is_refused(damage: Any, tmp_path: Path) -> None:
    datamodule = table(written(tmp_path, frame()))
    record = datamodule.record
    damage(record)
    with pytest.raises(ValueError, match=r"its task is|is no record of a table"):
        datamodule.use(record)


# What is refused


@pytest.mark.parametrize(
    ("content", "given", "shown"),
    [
        (frame(), {"target": "yy"}, r"data.target=yy: .* has no such column; did you mean y\?"),
        (frame(), {"drop": ["d"]}, "data.drop=d: .* has no such column"),
        (frame(), {"columns": ["a", "y"]}, "data.columns names data.target=y"),
        (frame(), {"columns": ["a"], "drop": ["a"]}, "both name 'a'"),
        (frame(), {"drop": ["a", "b", "c"]}, "no column is left to predict from"),
        (
            "a,y\n1,0\n2,1\nx7,0\n" + "5,0\n6,1\n" * 5,
            {},
            "line 4, column 'a' holds 'x7', which is no number, but 12 of 13",
        ),
        (
            "a;y\n1,5;0\n2,5;1\n" + "5,1;0\n6,1;1\n" * 5,
            {},
            r"line 2, column 'a' holds '1,5', a number with a decimal comma",
        ),
        (frame(y=["no"] * 60), {}, "data.target=y holds no only"),
        (frame(y=["no"] * 59 + ["yes"]), {}, r"class 'yes' of data.target=y has 1 row \(line 61, column 'y'\)"),
        (frame(c=[f"id{i}" for i in range(60)] * 1), {"columns": {"c": "number"}}, "line 2, column 'c' holds 'id0'"),
        (frame(150, c=[f"id{i}" for i in range(150)]), {}, "column 'c' holds 150 different words in 150 rows"),
        (frame(y=["a", "b", "c"] * 20), {"task": "binary"}, "data.task=binary, but data.target=y holds 3 classes"),
        (frame(), {"task": "regression"}, "line 2, column 'y' holds '(yes|no)', which is no number"),
        (
            frame(a=[float("inf")] + [1.0, 2.0, 3.0] * 19 + [1.0, 2.0]),
            {},
            "line 2, column 'a' holds a number that is not",
        ),
        (
            frame(y=[1.5] * 59 + [float("inf")]),
            {},
            r"line 61, column 'y' holds inf; numbers to predict are at most 3\.4e\+38",
        ),
        (frame(y=[1.5, 1e300] * 30), {}, r"line 3, column 'y' holds 1e\+300; numbers to predict"),
        (frame(a=["1,234.5", "950.0"] * 30), {}, "line 2, column 'a' holds '1,234.5', a number whose thousands"),
        (frame(a=["1.234.567", "2.5"] * 30), {}, "line 2, column 'a' holds '1.234.567', a number whose thousands"),
        ("1.5,2,yes\n" * 5, {}, "data.target=y: .* has no such column; allowed: .*; its first line looks like values"),
        (frame(a=[None] * 60), {"missing": "mean"}, "column 'a' is empty; leave it out with data.drop="),
        (
            frame(a=[None] * 59 + [1.0], part=["train"] * 58 + ["val", "test"]),
            {"missing": "mean", "split_column": "part"},
            "column 'a' holds no value in any of the 58 rows to train on; leave it out with",
        ),
        (
            frame(c=[None] * 59 + ["x"], part=["train"] * 58 + ["val", "test"]),
            {"missing": "median", "split_column": "part"},
            "column 'c' holds no value in any of the 58 rows to train on; leave it out with",
        ),
        *(
            (
                frame(d=[None, *map(str, range(59))] if key == "time" else [None, *range(59)]),
                {key: "d", "missing": missing, "columns": ["a", "b"], **given},
                r"values are missing: 'd' 1 of 60 \(the first in line 2, column 'd'\). Choose data.missing=drop",
            )
            for missing in ("error", "mean")
            for key, given in (
                ("split_column", {}),
                ("group", {"folds": 3, "fold": 0}),
                ("time", {}),
                ("fold_column", {"fold": 0}),
            )
        ),
        *(
            (
                frame(when=[day] * 60),
                {"time": "when"},
                f"line 2, column 'when' holds '{day}', and data.time=when orders words by their letters; write dates",
            )
            for day in ("1.2.2024", "02/01/24", "2024-2-1", "2024-02-1", "3 Mar 2024", "March 3, 2024")
        ),
        (frame(g=["x"] * 60), {"group": "g"}, "data.test_size=0.2 has rows of one group to part; data.group needs"),
        (frame(k=[0] * 60), {"fold_column": "k", "fold": 0}, "data.val_size=0.25 has 0 rows to part"),
        (frame(), {"val_size": 0.999}, r"val_size=0.999 of \d+ rows makes parts of 0 and \d+; allowed: .* classes, 2,"),
        (frame(), {"test_size": 0.001}, r"data.test_size=0.001 of 60 rows makes parts of 59 and 1; allowed: "),
        (frame(), {"target": "a", "val_size": 0.999}, r"val_size=0.999 .* 0 and \d+; allowed: .* each one or more"),
        (
            frame(g=[i % 4 for i in range(60)]),
            {"group": "g", "val_size": 0.9},
            "data.val_size=0.9 of 3 groups makes parts of 0 and 3; allowed: .* each one or more",
        ),
        (
            frame(k=[0, 1] * 30, y=["no"] * 58 + ["yes"] * 2),
            {"fold_column": "k", "fold": 0},
            "data.val_size=0.25 of 30 rows: 1 class of data.target has a single row there",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(content: Any, given: Any, shown: str, tmp_path: Path) -> None:
    assert re.search(shown, refused(content, tmp_path, **given))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"fold": 1}, r"data.fold=1 needs data.folds"),
        ({"folds": 5}, r"data.fold=null; allowed with data.folds=5 and data.repeats=1: 0 to 4"),
        ({"folds": 5, "repeats": 2, "fold": 10}, "0 to 9"),
        ({"repeats": 2}, "data.repeats=2 needs data.folds"),
        ({"folds": 5, "fold": 0, "time": "a"}, "data.time and data.folds each decide"),
        ({"group": "c", "time": "a"}, "data.time and data.group each decide"),
        ({"split_column": "c", "fold_column": "a"}, "each decide"),
        ({"folds": 1, "fold": 0}, "data.folds must be null or a whole number of at least 2"),
        ({"test_size": 1.0}, "data.test_size must be"),
        ({"columns": {"a": "categroy"}}, "data.columns says 'categroy' of 'a'; allowed: number, category"),
        ({"columns": []}, "data.columns names no column"),
        ({"drop": ["y"]}, "data.drop names data.target=y"),
        ({"separator": ",,"}, "data.separator=',,'; allowed: one character"),
        ({"separator": ""}, "data.separator=''; allowed: one character"),
    ],
)
def test_keys_that_contradict_each_other_are_refused(given: Any, shown: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=shown):
        table("t.csv", **given)


def test_a_constant_column_and_one_that_tells_everything_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = frame(b=[2.0] * 60)
    content = content.with_columns(c=polars.Series(["t" if each == "yes" else "f" for each in content["y"]]))
    with caplog.at_level(logging.WARNING):
        datamodule = table(written(tmp_path, content))
        assert datamodule.parts.train.x[:, 1].eq(0).all()
    assert "column b: the same in all rows; data.drop=[b] leaves it out" in caplog.text
    assert "column 'c' tells data.target=y by itself in every row" in caplog.text


def test_a_column_whose_words_are_almost_all_different_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = frame(c=[f"u{i:02}" for i in range(60)])
    with caplog.at_level(logging.WARNING):
        assert table(written(tmp_path, content)).spec.n_features == 2 + 36
    assert "column 'c' holds 36 different words in 36 rows to train on, such as 'u" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert table(written(tmp_path, frame(c=[f"u{i % 12}" for i in range(60)]))).spec.n_features > 2 + 10
    assert not caplog.text


def test_numbers_whose_squares_overflow_are_standardised_as_others_are(tmp_path: Path) -> None:
    small = table(written(tmp_path, frame(), "small.csv")).parts.train.x
    large = table(written(tmp_path, frame(a=frame()["a"] * 1e300), "large.csv")).parts.train.x
    torch.testing.assert_close(large, small)


def test_a_later_number_out_of_all_proportion_is_refused(tmp_path: Path) -> None:
    run = table(written(tmp_path, frame(), "t.csv"))
    later = table(written(tmp_path, frame(a=[1.0] * 59 + [1e300]), "later.csv"))
    later.use(run.record)
    with pytest.raises(ConfigError, match=r"line 61, column 'a' holds 1e\+300, too large beside training's mean of"):
        later.parts  # noqa: B018 - it is read by being asked for


@pytest.mark.parametrize(
    ("trained", "given", "task"),
    [
        ([i / 1 for i in range(60)], [float(i % 2) for i in range(60)], "regression"),
        (["a", "b", "c"] * 20, ["b"] * 60, "multiclass"),
        ([0, 1] * 30, [1] * 60, "binary"),
        ([0, 1] * 30, [1.0, 0.0] * 30, "binary"),
    ],
)
def test_another_file_is_read_for_the_task_of_the_run(trained: Any, given: Any, task: str, tmp_path: Path) -> None:
    run = table(written(tmp_path, frame(y=trained), "t.csv"))
    later = table(written(tmp_path, frame(y=given), "later.csv"))
    later.use(run.record)
    assert later.spec.task == run.spec.task == task
    assert later.spec.n_outputs == run.spec.n_outputs
    y = later.parts.test.y.flatten().tolist()
    assert set(y) <= ({1} if len(set(given)) == 1 else {0, 1})


def test_a_column_that_a_run_has_learnt_from_is_asked_for(tmp_path: Path) -> None:
    run = table(written(tmp_path, frame(), "t.csv"))
    later = table(written(tmp_path, frame().drop("b"), "later.csv"))
    later.use(run.record)
    with pytest.raises(ConfigError, match="has no column 'b', which the run has learnt from; it has a, c, y"):
        later.parts  # noqa: B018 - it is read by being asked for


# How rows are cut


def test_a_draw_keeps_the_shares_of_classes_and_is_that_of_scikit_learn(tmp_path: Path) -> None:
    datamodule = table(written(tmp_path, frame(200, y=["no"] * 150 + ["yes"] * 50)))
    labels = np.array([0] * 150 + [1] * 50)
    rest, test = train_test_split(np.arange(200), test_size=0.2, random_state=42, stratify=labels)
    rows = datamodule._read().rows
    np.testing.assert_array_equal(rows[2], test)
    assert [int(part.y.sum()) / len(part.y) for part in datamodule.parts] == [0.25] * 3
    assert sorted(np.concatenate(rows[:2])) == sorted(rest)


def test_a_column_says_which_part_a_row_belongs_to(tmp_path: Path) -> None:
    words = ["train", "Val", "test"] * 20
    datamodule = table(written(tmp_path, frame(part=words)), split_column="part")
    assert datamodule.spec.feature_names[:2] == ("a", "b")
    assert not any("part" in name for name in datamodule.spec.feature_names)
    assert [list(rows) for rows in datamodule._read().rows] == [list(range(i, 60, 3)) for i in range(3)]
    with pytest.raises(ConfigError, match="holds 'other'; allowed: train, val, test"):
        _ = table(written(tmp_path, frame(part=["train", "val", "other"] * 20)), split_column="part").spec


def test_a_group_stays_in_one_part(tmp_path: Path) -> None:
    people = [f"p{i % 15}" for i in range(60)]
    datamodule = table(written(tmp_path, frame(who=people)), group="who")
    parts = [{people[i] for i in rows} for rows in datamodule._read().rows]
    assert all(parts)
    assert sum(len(part) for part in parts) == 15
    assert not any("who" in name for name in datamodule.spec.feature_names)


def test_the_last_rows_in_time_test(tmp_path: Path) -> None:
    days = [f"2026-{1 + i % 12:02d}-{1 + i // 12:02d}" for i in range(60)]
    datamodule = table(written(tmp_path, frame(day=days)), time="day")
    train, val, test = ([days[i] for i in rows] for rows in datamodule._read().rows)
    assert max(train) < min(val) <= max(val) < min(test)
    assert (len(train), len(val), len(test)) == (36, 12, 12)


def test_a_record_tells_its_file_from_any_other(tmp_path: Path) -> None:
    path = written(tmp_path, frame(60))
    run = table(path)
    record = run.record
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert run.changed is None
    later = table(path)
    later.use(record)
    assert later.changed is None
    written(tmp_path, path.read_text().replace("yes", "no", 1))
    later = table(path)
    later.use(record)
    assert (later.changed or "").startswith(f"data.path={path} has changed since the run was trained")
    # what an earlier version has stored says nothing of it
    del record["sha256"]
    later.use(record)
    assert later.changed is None
    assert "sha256" not in table("sklearn:iris", target="target").record


def test_rows_in_two_parts_are_named_by_their_lines(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [(i, "uv"[i % 2], "train") for i in range(20)]
    # two rows are such as came before
    rows += [(7, "v", "test"), (30, "u", "test"), (4, "u", "val"), (9, "u", "val")]
    path = written(tmp_path, polars.DataFrame(rows, schema=["a", "y", "part"], orient="row"))
    with caplog.at_level(logging.WARNING):
        assert len(table(path, split_column="part").parts.train.x) == 20
    said = [f"1 of the 20 samples of part train are in part {part} too, such as " for part in ("test", "val")]
    assert f"data.path={path}: {said[0]}line 9, which equals line 22: " in caplog.text
    assert f"data.path={path}: {said[1]}line 6, which equals line 24: " in caplog.text
