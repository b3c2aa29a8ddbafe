"""Runs over a table of one's own: from a CSV file to result, evaluation and pictures."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from omegaconf import DictConfig, OmegaConf

from src.build import build_data
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.draw import draw
from src.eval import evaluate
from src.run.directory import RunDir
from src.run.metrics import read_metrics
from src.tasks.training.network import OneNetwork
from src.train import train
from tests.data.table.tables import frame, written
from tests.tasks.runs import QUIET, interrupted


def labelled(n: int = 120) -> polars.DataFrame:
    """Rows whose class a straight line tells."""
    content = frame(n)
    return content.with_columns(
        y=polars.Series(["yes" if a + 10 * b > -5 else "no" for a, b in zip(content["a"], content["b"], strict=True)])
    )


def config(path: Path, run_dir: Path, *overrides: str) -> DictConfig:
    given = ["data=table", f"data.path={path}", "data.target=y", "model=mlp", "optimizer=adam", "optimizer.lr=0.05"]
    return compose_train([*given, "trainer.max_epochs=40", *QUIET, *overrides], run_dir=run_dir)


def evaluated(run_dir: Path, **changes: Any) -> dict[str, float]:
    overrides = [f"{key}={value}" for key, value in changes.items()]
    return evaluate(OmegaConf.create({"run": str(run_dir), "checkpoint": "best", "overrides": overrides})).metrics


def test_a_csv_file_is_learnt_and_measured_again(tmp_path: Path) -> None:
    train(config(written(tmp_path, labelled()), tmp_path / "run"))
    run = RunDir(tmp_path / "run")
    result, record = run.result(), run.data_record()
    assert result is not None
    assert record is not None
    assert (result.metrics["test/accuracy"] or 0) > 0.9
    assert [row["class"] for row in result.per_class] == ["no", "yes"]
    assert (record["task"], record["classes"]) == ("binary", ["no", "yes"])
    assert evaluated(run.path) == pytest.approx({k: v for k, v in result.metrics.items() if not k.startswith("train")})


def test_other_rows_are_measured_as_the_run_has_learnt_to_read_them(tmp_path: Path) -> None:
    path = written(tmp_path, labelled())
    train(config(path, tmp_path / "run"))
    before = evaluated(tmp_path / "run")
    # a row each of all that a split needs, far from what was learnt: means and spreads stay those of the run
    other = labelled(400).with_columns(d=polars.lit("further"))
    found = evaluated(tmp_path / "run", **{"data.path": written(tmp_path, other, "other.csv")})
    assert found["test/accuracy"] > 0.9
    assert found != before


def test_an_interrupted_run_goes_on_to_the_same_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, labelled())
    more = ("logger=csv", "callbacks.checkpoint.every_s=0", "task.log_every_n_epochs=1")
    whole = train(config(path, tmp_path / "whole", *more))
    start_epoch = OneNetwork.start_epoch

    def interrupt(self: OneNetwork, epoch: int) -> None:
        if epoch == 15:
            raise KeyboardInterrupt
        start_epoch(self, epoch)

    cfg = config(path, tmp_path / "run", *more)
    with monkeypatch.context() as patch:
        patch.setattr(OneNetwork, "start_epoch", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(cfg)
    run = RunDir(tmp_path / "run")
    assert run.data_record() == build_data(cfg).record
    assert run.look(cfg) == "resume"
    assert train(cfg) == whole
    assert read_metrics(run.metrics_file) == read_metrics(tmp_path / "whole" / "metrics.csv")


def test_a_run_that_goes_on_refuses_other_data(tmp_path: Path) -> None:
    path = written(tmp_path, labelled())
    cfg = config(path, tmp_path / "run", "callbacks.checkpoint.every_s=0", "task.log_every_n_epochs=1")
    interrupted(cfg, epoch=5)
    RunDir(tmp_path / "run").write_data_record(build_data(cfg).record or {})
    written(tmp_path, labelled().with_columns(a=polars.Series(np.arange(120.0))))
    with pytest.raises(ConfigError, match=r"was begun with other data than these: .*data\.json tells"):
        train(cfg)


def relabelled(path: Path) -> None:
    """One row gets the other class, and the file its old size."""
    lines = path.read_text().splitlines()
    i = next(i for i, line in enumerate(lines) if line.endswith(",yes"))
    j = next(i for i, line in enumerate(lines) if line.endswith(",no"))
    lines[i], lines[j] = lines[i].replace(",yes", ",no"), lines[j].replace(",no", ",yes")
    path.write_text("\n".join(lines) + "\n")


def test_a_run_of_an_earlier_version_goes_on_without_knowing_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, labelled())
    cfg = config(path, tmp_path / "run", "callbacks.checkpoint.every_s=0", "task.log_every_n_epochs=1")
    interrupted(cfg, epoch=5)
    record = build_data(cfg).record or {}
    run = RunDir(tmp_path / "run")
    run.write_data_record({key: value for key, value in record.items() if key != "sha256"})
    assert run.look(cfg) == "resume"
    train(cfg)
    assert "sha256" not in (run.data_record() or {})


def test_a_file_that_has_changed_is_told_and_no_temperature_is_fitted_to_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, run = written(tmp_path, labelled()), tmp_path / "run"
    train(config(path, run))
    fit = OmegaConf.create({"run": str(run), "checkpoint": "best", "overrides": [], "temperature": "fit"})
    said = f"data.path={path} has changed since the run was trained"
    evaluated(run)
    assert said not in caplog.text
    relabelled(path)
    evaluated(run, **{"data.path": path})
    assert said not in caplog.text
    evaluated(run)
    assert f"{said} (data.json holds another sha256): its rows are cut into parts anew" in caplog.text
    with pytest.raises(ConfigError, match=r"temperature=fit: data\.path=.* has changed since .* Put the file back"):
        evaluate(fit)
    assert not (run / "calibration.json").exists()
    caplog.clear()
    draw(OmegaConf.create({"run": str(run), "checkpoint": None, "pictures": ["confusion"], "folder": str(tmp_path)}))
    assert said in caplog.text


def test_a_run_that_starts_afresh_stores_again_what_it_learns(tmp_path: Path) -> None:
    cfg = config(written(tmp_path, labelled()), tmp_path / "run", "callbacks.checkpoint.every_s=0")
    interrupted(cfg, epoch=20)
    run = RunDir(tmp_path / "run")
    run.write_data_record(build_data(cfg).record or {})
    for path in run.checkpoints.glob("*.ckpt"):
        path.write_bytes(b"damaged")
    train(cfg)
    assert run.data_record() == build_data(cfg).record


def test_a_run_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    more = ("model.net.norm=batch", "data.batch_size=1")
    with pytest.raises(ConfigError, match="batch"):
        train(config(written(tmp_path, labelled()), tmp_path / "run", *more))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", ["", "[]", '{"columns": 3}', '{"columns": [], "classes": ["a"], "task": "else"}'])
def test_a_damaged_record_is_named(content: str, tmp_path: Path) -> None:
    train(config(written(tmp_path, labelled()), tmp_path / "run", "trainer.max_epochs=2"))
    RunDir(tmp_path / "run").data_file.write_text(content)
    with pytest.raises(ConfigError, match=r"data\.json"):
        evaluated(tmp_path / "run")


def test_two_features_and_words_for_classes_are_drawn(tmp_path: Path) -> None:
    path = written(tmp_path, labelled())
    train(config(path, tmp_path / "run", "data.drop=[c]"))
    cfg = OmegaConf.create({"run": str(tmp_path / "run"), "checkpoint": None, "pictures": None, "folder": None})
    assert {file.stem for file in draw(cfg)} >= {"boundary", "confusion", "probabilities"}


def test_a_regression_and_classes_choose_task_and_loss_by_themselves(tmp_path: Path) -> None:
    path = written(tmp_path, labelled())
    train(config(path, tmp_path / "run", "data.target=a", "data.drop=[y]", "trainer.max_epochs=2"))
    result = RunDir(tmp_path / "run").result()
    assert result is not None
    assert "test/r2" in result.metrics


def test_what_a_run_stores_is_plain(tmp_path: Path) -> None:
    train(config(written(tmp_path, labelled()), tmp_path / "run", "trainer.max_epochs=2"))
    stored = json.loads((tmp_path / "run" / "data.json").read_text())
    assert {column["name"]: column["kind"] for column in stored["columns"]} == {
        "a": "number",
        "b": "number",
        "c": "category",
    }
    assert stored["rows"] == {"train": 76, "val": 20, "test": 24}
