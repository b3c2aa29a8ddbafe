"""Finished runs on new rows: files in, files out."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.predict import load, predict
from src.run.directory import RunDir
from src.train import train
from src.use.columns import Columns, identity
from src.use.model import rebuilt
from tests.tasks.runs import QUIET, generator_states, small
from tests.test_stored import STORED
from tests.test_stranger import put
from tests.use.own_module import OwnModule
from tests.use.runs import KINDS, by_hand, content, points, trained


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {kind: trained(folder, kind) for kind in KINDS}


def asked(run: Path, given: Path, output: Path, **more: Any) -> DictConfig:
    cfg = OmegaConf.create({"run": str(run), "input": str(given), "output": str(output), **more})
    assert isinstance(cfg, DictConfig)
    return cfg


def rows_in(path: Path) -> polars.DataFrame:
    if path.suffix == ".csv":
        return polars.read_csv(path)
    if path.suffix == ".parquet":
        return polars.read_parquet(path)
    if path.suffix == ".arrow":
        return polars.read_ipc(path.read_bytes())
    with np.load(path) as arrays:
        return polars.DataFrame({name: arrays[name] for name in arrays.files})


def write(rows: polars.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        rows.write_csv(path)
    elif path.suffix == ".parquet":
        rows.write_parquet(path, row_group_size=7)
    elif path.suffix == ".arrow":
        rows.write_ipc(path)
    elif path.suffix == ".npz":
        arrays: dict[str, Any] = {c.name: c.to_numpy() for c in rows}
        np.savez(path, **{name: a.astype(str) if a.dtype == object else a for name, a in arrays.items()})
    else:
        np.save(path, rows.to_numpy())
    return path


def predicted(run: Path, rows: polars.DataFrame | str, folder: Path, **more: Any) -> polars.DataFrame:
    path = folder / "points.csv"
    path.write_text(rows) if isinstance(rows, str) else rows.write_csv(path)
    predict(asked(run, path, folder / "predictions.csv", **more))
    return polars.read_csv(folder / "predictions.csv")


@pytest.mark.parametrize("kind", ["circles", "blobs", "table"])
def test_classes_are_told_by_name_with_all_probabilities(kind: str, runs: dict[str, Path], tmp_path: Path) -> None:
    rows = points(kind)
    found, expected = predicted(runs[kind], rows, tmp_path), by_hand(runs[kind], rows)
    names = {"circles": ["outer", "inner"], "blobs": [f"blob {i}" for i in range(4)], "table": ["no", "yes"]}[kind]
    assert found.columns == [*rows.columns, "label", *(f"p_{name}" for name in names)]
    assert found.select(rows.columns).equals(rows)
    assert found.select(f"p_{name}" for name in names).to_numpy() == pytest.approx(expected, abs=1e-6)
    assert found["label"].to_list() == [names[i] for i in expected.argmax(1)]
    assert found["label"].n_unique() > 1


@pytest.mark.parametrize("kind", ["line", "numbers"])
def test_a_regression_gives_a_value(kind: str, runs: dict[str, Path], tmp_path: Path) -> None:
    rows = points(kind)
    found = predicted(runs[kind], rows, tmp_path)
    assert found.columns == [*rows.columns, "value"]
    assert found["value"].to_numpy() == pytest.approx(by_hand(runs[kind], rows)[:, 0], rel=1e-6)


def test_order_does_not_matter_and_further_columns_are_carried_along(runs: dict[str, Path], tmp_path: Path) -> None:
    rows = points("table", 3)
    ids = polars.Series("id", ["007", "NA", ' a "b", c'])
    found = predicted(runs["table"], polars.DataFrame([rows["c"], ids, rows["b"], rows["a"]]), tmp_path)
    assert found.columns == ["c", "id", "b", "a", "label", "p_no", "p_yes"]
    with_ids = polars.read_csv(tmp_path / "predictions.csv", infer_schema=False)
    assert with_ids["id"].to_list() == ids.to_list()
    assert found["p_yes"].to_numpy() == pytest.approx(by_hand(runs["table"], rows)[:, 1], abs=1e-6)


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow", "npz", "npy"])
@pytest.mark.parametrize("kind", ["circles", "table"])
def test_every_format_says_the_same(kind: str, ending: str, runs: dict[str, Path], tmp_path: Path) -> None:
    rows = points(kind)
    if kind == "table" and ending == "npy":
        with pytest.raises(ConfigError, match=r"has the shape \(50, 2\); allowed: \(n, 3\), the columns a, b, c"):
            predict(asked(runs[kind], write(rows[["a", "b"]], tmp_path / "p.npy"), tmp_path / "o.csv"))
        return
    given, expected = write(rows, tmp_path / f"p.{ending}"), by_hand(runs[kind], rows)
    for output in ("o.csv", "o.parquet", "o.arrow", "o.npz"):
        predict(asked(runs[kind], given, tmp_path / output))
        found = rows_in(tmp_path / output)
        assert found.columns[: rows.width + 1] == [*rows.columns, "label"]
        assert found[:, -2:].to_numpy() == pytest.approx(expected, abs=1e-6)
        assert found.select(rows.columns).equals(rows)
    predict(asked(runs[kind], given, tmp_path / "o.npy"))
    assert np.load(tmp_path / "o.npy") == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow", "npz", "npy"])
def test_files_that_are_read_in_pieces_come_out_whole(
    ending: str, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = points("circles", 100)
    given = write(rows, tmp_path / f"p.{ending}")
    monkeypatch.setattr("src.use.tables._VALUES", 50)
    monkeypatch.setattr("src.use.tables.PIECE", 300)
    for output in ("o.csv", "o.parquet", "o.arrow", "o.npz"):
        assert predict(asked(runs["circles"], given, tmp_path / output)).n_rows == 100
        found = rows_in(tmp_path / output)
        assert found.select("X1", "X2").equals(rows)
        assert found["p_inner"].to_numpy() == pytest.approx(by_hand(runs["circles"], rows)[:, 1], abs=1e-6)


@pytest.mark.parametrize("piece", [1, 7, 40, 1000])
def test_lines_are_counted_over_pieces_and_quotes(
    piece: int, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.use.tables.PIECE", piece)
    text = 'X1,X2,z\r\n1,2,"two\nlines"\r\n\r\n3,4,"q"\n5,6\n7,,z\n8,oops,z\n9,10,z'
    (tmp_path / "p.csv").write_bytes(text.encode())
    told = predict(asked(runs["circles"], tmp_path / "p.csv", tmp_path / "o.csv", bad_rows="skip"))
    assert (told.n_rows, told.n_bad) == (3, 3)
    assert told.first_bad == [
        "line 6 holds 2 values, and the header names 3 columns",
        "line 7, column 'X2' holds no value, and none was missing in training",
        "line 8, column 'X2' holds 'oops'; a number is asked for",
    ]
    found = polars.read_csv(tmp_path / "o.csv")
    assert found["z"].to_list() == ["two\nlines", "q", "z"]
    assert found["X1"].to_list() == [1, 3, 9]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X2,y\n1,2\n", "has no column 'X1', which the run has learnt from\n"),
        ("x1,X2\n1,2\n", "has no column 'X1', which the run has learnt from; did you mean x1?"),
        ("Ẋ1,X2\n1,2\n", "has no column 'X1', which the run has learnt from; did you mean Ẋ1?"),
        ('X1,"X2, cm"\n1,2\n', "it has 'X1', 'X2, cm'; the run takes 'X1', 'X2'"),
        ("X1,X2\n1,2\n,3\n", "line 3, column 'X1' holds no value"),
        ("X1,X2\n1,2\nNA,3\n", "line 3, column 'X1' holds no value"),
        ("X1,X2\n1,2\n1,a\n", "line 3, column 'X2' holds 'a'; a number is asked for"),
        ("X1,X2\n1,2\n1,inf\n", "line 3, column 'X2' holds a number that is not finite"),
        ("X1,X2\n1,2\n1,1e300\n", "line 3, column 'X2' holds 1e+300, too large"),
        ("X1,X2\n1,2\n1\n", "line 3 holds 1 values, and the header names 2 columns"),
        ("X1,X2\n1,2,3\n,\n", "line 2 holds 3 values, and the header names 2 columns; 1 more"),
        ("X1,X2\n", "holds no rows"),
        ("X1,X2,label\n1,2,3\n", "has a column 'label' itself, which is the name of one that is added"),
        ("X1,X1,X2\n1,2,3\n", "names column 'X1' more than once"),
        ("0.1,0.2\n0.3,0.4\n", "has no header"),
        (
            'X1,X2,z\n1,2,"\n"\n1,2,"open\n3,4,x\n',
            "the row that begins in line 4 cannot be read: a quote is not closed",
        ),
        ("", "is empty"),
    ],
)
def test_rows_that_cannot_be_used_stop_it_and_nothing_is_left(
    text: str, said: str, runs: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        predicted(runs["circles"], text, tmp_path)
    assert said in f"{error.value}\n"
    assert str(error.value).startswith(f"input={tmp_path / 'points.csv'}")
    assert [path.name for path in tmp_path.iterdir()] == ["points.csv"]


@pytest.mark.parametrize(
    ("name", "given"),
    [("größe", "grosse"), ("grosse", "Größe"), ("größe", "groesse"), ("é", "E"), ("Länge", "lange"), ("name", "nmae")],
)
def test_the_nearest_column_is_named_whatever_its_accents(name: str, given: str) -> None:
    with pytest.raises(
        ConfigError, match=f"no column '{name}', which the run has learnt from; did you mean {given}\\?"
    ):
        Columns([identity([name])]).check_names(["else", given], "input=a.csv")


def test_what_is_empty_in_a_further_column_stays_empty(runs: dict[str, Path], tmp_path: Path) -> None:
    predicted(runs["circles"], 'X1,X2,size,note\n1,2,,\n3,4,5,"a, b"\n', tmp_path)
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    assert lines[1].startswith("1,2,,,")
    assert lines[2].startswith('3,4,5,"a, b",')


def test_rows_are_left_out_where_that_is_asked_for(
    runs: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = predicted(runs["circles"], "X1,X2\n1,2\n1,a\n,\n3,4\n", tmp_path, bad_rows="skip")
    assert found["X1"].to_list() == [1, 3]
    assert "2 rows are left out: line 3, column 'X2' holds 'a'" in caplog.text
    with pytest.raises(ConfigError, match="no rows to predict; each of its 1 rows is left out: line 2"):
        predicted(runs["circles"], "X1,X2\n1,a\n", tmp_path, bad_rows="skip")


def test_a_file_that_was_there_stays_as_it_was_where_a_row_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text("before")
    with pytest.raises(ConfigError):
        predicted(runs["circles"], "X1,X2\n1,a\n", tmp_path)
    assert (tmp_path / "predictions.csv").read_text() == "before"


def test_a_category_that_training_did_not_have_is_told_once(
    runs: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = points("table", 4).with_columns(c=polars.Series(["pink", "red", "pink", "red"]))
    found = predicted(runs["table"], rows, tmp_path)
    assert found["p_yes"].to_numpy() == pytest.approx(by_hand(runs["table"], rows)[:, 1], abs=1e-6)
    assert caplog.text.count("column 'c' holds categories that training did not have (rows: 2), such as 'pink'") == 1


def test_a_category_of_numbers_is_known_however_it_is_written(tmp_path: Path) -> None:
    rows = content("table").with_columns(c=polars.col("c").replace_strict(["red", "green", "blue"], [1, 2, 3]))
    given = (f"data.path={tmp_path / 'codes.csv'}", "data.columns={c: category}")
    rows.write_csv(tmp_path / "codes.csv")
    run = trained(tmp_path, "table", *given)
    new = points("table", 3).with_columns(c=polars.Series(["1", "2", "3"]))
    expected = by_hand(run, new)[:, 1]
    for column in (polars.Series("c", ["1.0", " 2", "3e0"]), polars.Series("c", [1.0, 2.0, 3.0])):
        found = predicted(run, new.with_columns(column), tmp_path)
        assert found["p_yes"].to_numpy() == pytest.approx(expected, abs=1e-6)
    write(new.with_columns(c=polars.Series([1, 2, 3], dtype=polars.Int8)), tmp_path / "p.parquet")
    predict(asked(run, tmp_path / "p.parquet", tmp_path / "o.parquet"))
    assert rows_in(tmp_path / "o.parquet")["p_yes"].to_numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("missing", ["mean", "median"])
def test_values_that_may_be_missing_are_filled_as_in_training(missing: str, tmp_path: Path) -> None:
    run = trained(tmp_path, "table", f"data.missing={missing}")
    record = json.loads((run / "data.json").read_text())
    fill = {column["name"]: column["fill"] for column in record["columns"]}
    whole = points("table", 2).with_columns(a=polars.lit(fill["a"]), c=polars.lit(fill["c"]))
    found = predicted(run, whole.with_columns(a=polars.lit("NA"), c=polars.lit("")), tmp_path)
    assert found["p_yes"].to_numpy() == pytest.approx(by_hand(run, whole)[:, 1], abs=1e-6)


def test_a_run_directory_is_enough_also_where_its_table_is_gone(tmp_path: Path) -> None:
    run = trained(tmp_path / "there", "table", "loss.class_weights=balanced")
    expected = by_hand(run, points("table"))
    moved = Path(shutil.move(run, tmp_path / "elsewhere"))
    shutil.rmtree(tmp_path / "there")
    before = sorted(path for path in moved.rglob("*"))
    found = predicted(moved, points("table"), tmp_path)
    assert found["p_yes"].to_numpy() == pytest.approx(expected[:, 1], abs=1e-6)
    assert sorted(path for path in moved.rglob("*")) == before


@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_a_checkpoint_is_chosen(checkpoint: str, runs: dict[str, Path], tmp_path: Path) -> None:
    expected = by_hand(runs["circles"], points("circles"), checkpoint=checkpoint)[:, 1]
    path = runs["circles"] / "checkpoints" / f"{checkpoint}.ckpt"
    for given in (checkpoint, str(path)):
        found = predicted(runs["circles"], points("circles"), tmp_path, checkpoint=given)
        assert found["p_inner"].to_numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["run", "interrupted", "sweep/3", "stacked/1"])
def test_runs_that_an_earlier_version_has_stored_predict(name: str, tmp_path: Path) -> None:
    run = shutil.copytree(STORED / name, tmp_path / "run")
    found = predicted(run, points("circles"), tmp_path)
    assert found["p_inner"].to_numpy() == pytest.approx(by_hand(run, points("circles"))[:, 1], abs=1e-6)


def test_the_runs_of_a_group_are_an_ensemble(tmp_path: Path) -> None:
    sweep = shutil.copytree(STORED / "stacked", tmp_path / "sweep")
    each = np.stack([by_hand(sweep / name, points("circles")) for name in ("0", "1")])
    found = predicted(sweep, points("circles"), tmp_path)
    mean = each.mean(axis=0)
    assert found.select("p_outer", "p_inner").to_numpy() == pytest.approx(mean, abs=1e-6)
    assert found["label"].to_list() == [["outer", "inner"][i] for i in mean.argmax(1)]
    spread = each[:, np.arange(50), mean.argmax(1)].std(axis=0, ddof=1)
    assert found["spread"].to_numpy() == pytest.approx(spread, abs=1e-6)


def test_a_group_is_asked_for_by_the_name_that_the_report_prints(tmp_path: Path) -> None:
    sweep = shutil.copytree(STORED / "sweep", tmp_path / "sweep")
    with pytest.raises(
        ConfigError, match=r"is a sweep of several groups; give one of them: group=circle_v1, group=mlp"
    ):
        predicted(sweep, points("circles"), tmp_path)
    with pytest.raises(ConfigError, match=r"group=circle_v: .* no such group; did you mean circle_v1\?"):
        predicted(sweep, points("circles"), tmp_path, group="circle_v")
    with pytest.raises(ConfigError, match=r"group=mlp: run=.* is no sweep"):
        predicted(sweep / "0", points("circles"), tmp_path, group="mlp")
    found = predicted(sweep, points("circles"), tmp_path, group="circle_v1")
    each = [
        by_hand(path.parent, points("circles"))
        for path in sweep.glob("*/result.json")
        if "model=circle_v1" in json.loads(path.read_text())["overrides"]
    ]
    assert len(each) == 2
    assert found["p_inner"].to_numpy() == pytest.approx(np.mean(each, axis=0)[:, 1], abs=1e-6)


def test_an_ensemble_of_numbers_spreads_by_value(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        trained(tmp_path / "sweep" / str(seed), "line", f"seed={seed}")
    runs = [tmp_path / "sweep" / str(seed) / "line" for seed in (0, 1, 2)]
    found, each = predicted(tmp_path / "sweep", points("line"), tmp_path), [by_hand(r, points("line")) for r in runs]
    assert found["value"].to_numpy() == pytest.approx(np.mean(each, axis=0)[:, 0], abs=1e-6)
    assert found["spread"].to_numpy() == pytest.approx(np.std(each, axis=0, ddof=1)[:, 0], abs=1e-6)


def test_the_configuration_of_a_stranger_runs_nothing(runs: dict[str, Path], tmp_path: Path) -> None:
    run = shutil.copytree(runs["circles"], tmp_path / "run")
    put(run, "model.net", {"_target_": "os.system", "command": f"touch {tmp_path / 'canary'}"})
    with pytest.raises(ConfigError, match="is in none of the packages"):
        predicted(run, points("circles"), tmp_path)
    put(run, "model.net", {"_target_": "torch.hub.load", "repo_or_dir": "x", "model": "y"})
    with pytest.raises(ConfigError, match="a function that does not say"):
        predicted(run, points("circles"), tmp_path)
    assert not (tmp_path / "canary").exists()


def test_the_record_of_a_stranger_is_looked_at(runs: dict[str, Path], tmp_path: Path) -> None:
    run = shutil.copytree(runs["table"], tmp_path / "run")
    (run / "data.json").write_text(json.dumps({"columns": [{"name": 1}], "classes": [], "task": "x"}))
    with pytest.raises(ConfigError, match=r"data\.json does not fit"):
        predicted(run, points("table"), tmp_path)


def test_a_module_of_ones_own_predicts_where_its_data_name_columns(tmp_path: Path) -> None:
    run = tmp_path / "run"
    made = _own_run(run)
    found = predicted(run, points("circles"), tmp_path, trusted_modules=["tests"])
    assert found.columns == ["X1", "X2", "output"]
    x = torch.from_numpy(points("circles").to_numpy().astype(np.float32))
    with torch.no_grad():
        assert found["output"].to_numpy() == pytest.approx(2 * made(x).numpy()[:, 0], abs=1e-6)


def _own_run(run: Path) -> OwnModule:
    given = [
        "data=circles",
        "model=none",
        "task=none",
        "loss=none",
        "optimizer=none",
        "+module._target_=tests.use.own_module.OwnModule",
    ]
    cfg = compose_train([*given, "+module.width=3", *QUIET, "trainer.max_epochs=1"], run_dir=run)
    train(cfg)
    made = OwnModule(width=3)
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    made.load_state_dict(state)
    return made


def test_options_and_files_that_there_are_not_are_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    given, folder = write(points("circles"), tmp_path / "points.csv"), tmp_path / "folder.csv"
    folder.mkdir()
    for changes, said in (
        ({"bad_rows": "drop"}, "bad_rows=drop; allowed: stop, skip"),
        ({"decimal": ";"}, "decimal=;; allowed"),
        ({"separator": "ab"}, "separator='ab'; allowed: one character"),
        ({"input": f"{tmp_path}/point.csv"}, "did you mean points.csv?"),
        ({"input": f"{tmp_path}/points.xlsx"}, ".xlsx is no known format; allowed: .csv"),
        ({"output": f"{tmp_path}/out.txt2"}, ".txt2 is no known format; allowed: .csv"),
        ({"output": str(given)}, "is the input itself"),
        ({"output": str(folder)}, "is a directory; allowed: a file in it"),
        ({"run": str(tmp_path)}, "is not a run directory"),
        ({"checkpoint": f"{tmp_path}/x.ckpt"}, "there is no checkpoint"),
    ):
        cfg = asked(runs["circles"], given, tmp_path / "out.csv")
        with pytest.raises(ConfigError) as error:
            predict(OmegaConf.merge(cfg, changes))  # type: ignore[arg-type] # a mapping
        assert said in str(error.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.csv", "points.csv"]


def test_decimal_commas_are_read_as_the_run_has_read_them(tmp_path: Path) -> None:
    rows = content("table")
    text = rows.write_csv(separator=";").replace(".", ",")
    (tmp_path / "commas.csv").write_text(text)
    run = trained(tmp_path, "table", f"data.path={tmp_path / 'commas.csv'}", "data.decimal=','")
    new = points("table")
    found = predicted(run, new.write_csv(separator=";").replace(".", ","), tmp_path)
    assert found["p_yes"].to_numpy() == pytest.approx(by_hand(run, new)[:, 1], abs=1e-6)


def test_a_model_leaves_the_generators_as_they_are(runs: dict[str, Path]) -> None:
    before = generator_states()
    rebuilt(RunDir(runs["circles"]))
    assert generator_states() == before


def test_data_that_name_no_columns_are_refused(tmp_path: Path) -> None:
    given = ["data=digits_images", "module=digits_cnn", "model=none", "task=none", "loss=none", "optimizer=none"]
    train(compose_train([*given, *QUIET, "trainer.max_epochs=1", "module.channels=1"], run_dir=tmp_path / "run"))
    with pytest.raises(
        ConfigError, match="its data, DigitsImages, do not tell which columns its module DigitsCNN takes"
    ):
        predicted(tmp_path / "run", points("circles"), tmp_path)


def test_a_bar_is_drawn_on_a_terminal_alone(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    predicted(runs["circles"], points("circles"), tmp_path)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr("src.use.predict.open_terminal", lambda: Console(force_terminal=True, width=80))
    predicted(runs["circles"], points("circles"), tmp_path)
    assert "predict" in (said := capsys.readouterr().out)
    assert "100%" in said


def test_a_row_of_which_the_network_says_no_number_is_not_passed_for_a_class(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(small(*QUIET, "model=mlp", "features=playground", "trainer.max_epochs=2", run_dir=run))
    rows = "X1,X2\n1,1\n1e25,1\n"
    with pytest.raises(ConfigError, match="line 3 lies so far from what the network has learnt"):
        predicted(run, rows, tmp_path)
    found = predicted(run, rows, tmp_path, bad_rows="skip")
    assert found.height == 1


def test_what_a_run_has_written_is_no_place_for_predictions(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(small(*QUIET, "logger=csv", "trainer.max_epochs=2", run_dir=run))
    given = tmp_path / "points.csv"
    given.write_text("X1,X2\n1,1\n")
    before = (run / "metrics.csv").read_bytes()
    with pytest.raises(ConfigError, match=r"metrics\.csv is a file of the run or sweep there"):
        predict(asked(run, given, run / "metrics.csv"))
    assert (run / "metrics.csv").read_bytes() == before


def test_a_directory_that_is_no_run_is_told_with_the_one_that_is_meant(tmp_path: Path) -> None:
    make = tmp_path / "sweep" / "0"
    train(small(*QUIET, "trainer.max_epochs=2", run_dir=make))
    with pytest.raises(ConfigError, match=r"run=.*sweeep is not there; did you mean sweep\?"):
        RunDir(tmp_path / "sweeep").config()
    with pytest.raises(ConfigError, match=r"reproduce=.*sweep is no run but holds some; give one .*sweep/0"):
        RunDir(tmp_path / "sweep").config(key="reproduce")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "result.json cannot be read"),
        (b"[]", "result.json cannot be read: it holds no mapping"),
        (b'{"status": "best"}', "result.json cannot be read: status is 'best'"),
        (b'{"status": "completed", "configuration": "0"}', "it is the result of another configuration"),
        (b'{"format": 99}', "is of format 99"),
    ],
)
def test_a_run_whose_result_cannot_be_read_is_not_put_to_use(
    runs: dict[str, Path], tmp_path: Path, content: bytes, said: str
) -> None:
    run = Path(shutil.copytree(runs["circles"], tmp_path / "run"))
    (run / "result.json").write_bytes(content)
    given = write(points("circles"), tmp_path / "points.csv")
    with pytest.raises(ConfigError, match=said):
        predict(asked(run, given, tmp_path / "out.csv"))
    with pytest.raises(ConfigError, match=said):
        load(run)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("result", "said"),
    [(None, "has not ended"), ('{"status": "failed"}', "has failed"), ('{"status": "pruned"}', "was ended early")],
)
def test_a_run_that_has_not_completed_says_so(
    runs: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, result: str | None, said: str
) -> None:
    run, rows = Path(shutil.copytree(runs["circles"], tmp_path / "run")), points("circles")
    (run / "result.json").unlink()
    if result is not None:
        (run / "result.json").write_text(result)
    found = predicted(run, rows, tmp_path)
    assert found["p_inner"].to_numpy() == pytest.approx(by_hand(run, rows)[:, 1], abs=1e-6)
    assert f"run={run} {said}: its weights are those that it had until then" in caplog.text


@pytest.mark.parametrize(("gone", "there"), [("last", "best"), ("best", "last")])
@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_a_checkpoint_that_is_not_there_is_answered_with_the_one_that_is(
    runs: dict[str, Path], tmp_path: Path, gone: str, there: str, how: str
) -> None:
    run = Path(shutil.copytree(runs["circles"], tmp_path / "run"))
    path = RunDir(run).checkpoint(gone)
    path.unlink() if how == "gone" else path.write_bytes(b"damaged")
    with pytest.raises(ConfigError, match=rf"The run has {there}\.ckpt: checkpoint={there} takes it"):
        load(run, checkpoint=gone)
    RunDir(run).checkpoint(there).unlink()
    with pytest.raises(ConfigError, match=r"The run has no other: .*(train again|or the run was shared without it)"):
        load(run, checkpoint=gone)
