"""Finished runs as one file each: what the file says is what the network says, or there is no file."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.export import export
from src.predict import load
from src.train import train
from src.use import export as exports
from src.use.export import Format
from src.use.graph import Graph
from tests.tasks.runs import QUIET, generator_states
from tests.use.runs import KINDS, by_hand, content, points, trained

# torch and onnxscript of their own parts
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

FORMATS = ["torch_export", pytest.param("onnx", marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {kind: trained(folder, kind) for kind in KINDS}


def asked(run: Path, output: Path, form: str = "torch_export", **more: Any) -> DictConfig:
    cfg = OmegaConf.create({"run": str(run), "format": form, "output": str(output), **more})
    assert isinstance(cfg, DictConfig)
    return cfg


def file_of(folder: Path, form: str) -> Path:
    return folder / f"model{exports.ENDINGS[form]}"


def opened(path: Path) -> tuple[Any, dict[str, Any]]:
    """What other software does with a file: a function of points, and what stands beside it."""
    if path.suffix == ".onnx":
        onnxruntime = importlib.import_module("onnxruntime")
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        notes = session.get_modelmeta().custom_metadata_map
        return lambda x: session.run(None, {"points": x}), {key: _plain(value) for key, value in notes.items()}
    files = {"metadata.json": ""}
    module = torch.export.load(path, extra_files=files).module()
    return lambda x: [each.detach().numpy() for each in module(torch.from_numpy(x))], json.loads(files["metadata.json"])


def _plain(text: str) -> Any:
    return json.loads(text) if text[:1] in "[{" else text


def coded(rows: polars.DataFrame, notes: dict[str, Any]) -> Any:
    """Points by the metadata alone."""
    columns = []
    for note in notes["columns"]:
        values = rows[note["name"]].to_list()
        columns.append([note["codes"].get(each, -1.0) for each in values] if note["kind"] == "category" else values)
    return np.array(columns, np.float64).T.copy()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_says_what_the_run_says(kind: str, form: Format, runs: dict[str, Path], tmp_path: Path) -> None:
    path, rows = file_of(tmp_path, form), points(kind)
    compared = export(asked(runs[kind], path, form))
    assert compared.difference <= 1e-6
    assert compared.n_own > 0
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    call, notes = opened(path)
    expected = by_hand(runs[kind], rows)
    # of any size
    for n in (50, 1, 2):
        found = call(coded(rows[:n], notes))
        assert found[0] == pytest.approx(expected[:n], rel=1e-6, abs=1e-6)
        if kind not in ("line", "numbers"):
            assert found[1].tolist() == expected[:n].argmax(1).tolist()
    names = {
        "circles": ["outer", "inner"],
        "blobs": [f"blob {i}" for i in range(4)],
        "line": ["y"],
        "table": ["no", "yes"],
        "numbers": ["y"],
    }[kind]
    assert notes.get("classes", notes.get("values")) == names
    assert [note["name"] for note in notes["columns"]] == rows.columns
    assert notes["outputs"] == (["values"] if kind in ("line", "numbers") else ["probabilities", "labels"])


@pytest.mark.parametrize("form", FORMATS)
def test_what_fills_and_tells_missing_values_is_in_the_file(form: Format, tmp_path: Path) -> None:
    rows = content("table").with_columns(c=polars.col("c").replace_strict(["red", "green", "blue"], [10, 20, 35]))
    holes = rows.with_columns(
        a=polars.when(polars.int_range(polars.len()) % 7 == 0).then(None).otherwise(polars.col("a")),
        c=polars.when(polars.int_range(polars.len()) % 5 == 0).then(None).otherwise(polars.col("c")),
    )
    holes.write_csv(tmp_path / "holes.csv")
    for missing in ("median", "indicator"):
        given = (f"data.path={tmp_path / 'holes.csv'}", "data.columns={c: category}", f"data.missing={missing}")
        run, path = trained(tmp_path / missing, "table", *given), file_of(tmp_path, form)
        assert export(asked(run, path, form)).difference <= 1e-6
        call, notes = opened(path)
        # numbers stand for themselves
        assert notes["columns"][2]["codes"] == {"10": 10.0, "20": 20.0, "35": 35.0}
        new = holes.drop("y")
        array = new.cast(polars.Float64).to_numpy()
        assert np.isnan(array).any()
        assert call(array.copy())[0] == pytest.approx(load(run)(new), abs=1e-6)


@pytest.mark.parametrize("form", FORMATS)
def test_a_deeper_network_with_norms_and_features_is_exported(form: Format, tmp_path: Path) -> None:
    more = ("model.net.hidden=[8,8]", "model.net.norm=batch", "model.net.dropout=0.1", "features=squares")
    run = trained(tmp_path, "circles", *more)
    assert export(asked(run, file_of(tmp_path, form), form)).difference <= 1e-6


def test_a_run_whose_table_is_gone_is_compared_on_random_points(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = trained(tmp_path, "table")
    (tmp_path / "table.csv").unlink()
    compared = export(asked(run, tmp_path / "model.pt2"))
    assert (compared.n_own, compared.n_random) == (0, 1000)
    assert "the run's own points are not there" in caplog.text


def test_a_file_that_says_something_else_is_not_left(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = Graph.features
    monkeypatch.setattr(Graph, "features", lambda self, x: features(self, x) + 1e-3)
    (tmp_path / "model.pt2").write_bytes(b"before")
    said = r"says something else than the network, by up to \d.*allowed: 1e-06\. Nothing is written"
    with pytest.raises(ConfigError, match=said):
        export(asked(runs["table"], tmp_path / "model.pt2"))
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt2"]
    assert (tmp_path / "model.pt2").read_bytes() == b"before"


def test_labels_are_compared_too(runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = Graph.forward
    monkeypatch.setattr(Graph, "forward", lambda self, points: (forward(self, points)[0], 1 - forward(self, points)[1]))
    with pytest.raises(ConfigError, match="says something else than the network"):
        export(asked(runs["circles"], tmp_path / "model.pt2"))


def test_rounding_alone_is_told_from_a_difference_in_64_bits(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "TOLERANCE", 1e-9)
    compared = export(asked(runs["circles"], tmp_path / "model.pt2"))
    assert compared.difference > 1e-9
    assert compared.difference_64 is not None
    assert compared.difference_64 <= 1e-9
    assert (tmp_path / "model.pt2").is_file()


def test_a_network_of_64_bits_stays_one(tmp_path: Path) -> None:
    run = trained(tmp_path, "circles", "trainer.precision=64-true")
    compared = export(asked(run, tmp_path / "model.pt2"))
    assert compared.difference <= 1e-12
    call, _ = opened(tmp_path / "model.pt2")
    assert call(points("circles").to_numpy().copy())[0].dtype == np.float64


def test_formats_endings_and_packages_are_checked_first(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name != "onnx" else object())
    for form, output, said in (
        (
            "onnx",
            "m.onnx",
            "not installed: onnxscript, onnxruntime; install them with pip install -c constraints.txt -e",
        ),
        ("torch_export", "m.onnx", "a file of format=torch_export ends with .pt2"),
        ("pickle", "m.pkl", "format=pickle; allowed: onnx, torch_export"),
        ("torchscript", "m.pt", "TorchScript is not offered"),
    ):
        with pytest.raises(ConfigError, match=re.escape(said)):
            export(asked(runs["circles"], tmp_path / output, form))
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_cannot_be_exported_is_refused(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = Graph.features
    monkeypatch.setattr(Graph, "features", lambda self, x: features(self, x * float(x.sum())))
    with pytest.raises(ConfigError, match="cannot be exported as format=torch_export: "):
        export(asked(runs["circles"], tmp_path / "model.pt2"))
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_is_chosen_and_generators_stay(runs: dict[str, Path], tmp_path: Path) -> None:
    before = generator_states()
    export(asked(runs["line"], tmp_path / "last.pt2", checkpoint="last"))
    assert generator_states() == before
    call, notes = opened(tmp_path / "last.pt2")
    rows = points("line")
    assert call(rows.to_numpy().copy())[0] == pytest.approx(by_hand(runs["line"], rows, checkpoint="last"), abs=1e-6)
    assert notes["weights"] == "last epoch"


def test_a_module_of_ones_own_gives_what_its_predict_step_does(tmp_path: Path) -> None:
    own = ["+module._target_=tests.use.own_module.OwnModule", "+module.width=3", "model=none", "task=none", "loss=none"]
    cfg = compose_train(
        ["data=circles", *own, "optimizer=none", *QUIET, "trainer.max_epochs=1"], run_dir=tmp_path / "run"
    )
    train(cfg)
    export(asked(tmp_path / "run", tmp_path / "model.pt2", trusted_modules=["tests"]))
    call, notes = opened(tmp_path / "model.pt2")
    rows = points("circles")
    expected = load(tmp_path / "run", trusted_modules=["tests"])(rows)
    assert notes["outputs"] == ["outputs"]
    assert call(rows.to_numpy().copy())[0] == pytest.approx(expected, abs=1e-6)
