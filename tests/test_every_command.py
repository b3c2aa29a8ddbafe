"""What uses a finished run, on a run of each kind that has come about in each way."""

import json
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import polars
import polars.selectors
import pytest
from omegaconf import DictConfig, OmegaConf

from src.analysis.records import read_job
from src.config.compose import CONF_DIR, compose_train
from src.draw import draw
from src.eval import evaluate
from src.export import export
from src.find.index import find_all
from src.find.query import select
from src.find.words import read_words
from src.predict import load, predict
from src.report import report
from src.run.directory import RunDir, beside
from src.share import share_or_open
from src.sweep.jobs import Job
from src.train import reproduce, train
from src.vmap.train import StackOptions, train_stack
from tests.use.runs import by_hand, content, points

KINDS = ("circles", "blobs", "line", "table")
WAYS = ("single", "extended", "sweep", "stacked")
COMMON = ("trainer=cpu", "callbacks=[checkpoint]", "logger=csv", "optimizer=adam", "model=mlp", "model.net.hidden=[8]")
EPOCHS = 8


def asked(command: str, **given: Any) -> DictConfig:
    cfg = OmegaConf.load(CONF_DIR / f"{command}.yaml")
    assert isinstance(cfg, DictConfig)
    del cfg["defaults"]
    cfg.update({key: str(value) if isinstance(value, Path) else value for key, value in given.items()})
    return cfg


def made(kind: str, way: str, folder: Path) -> Path:
    """A run, or a job of a sweep of two."""
    given = [f"data={kind}"]
    if kind == "table":
        content(kind).write_csv(folder / "rows.csv")
        given = ["data=table", f"data.path={folder / 'rows.csv'}", "data.target=y"]
    jobs = []
    for number, seed in enumerate((1, 2)):
        overrides = (*COMMON, *given, f"trainer.max_epochs={EPOCHS}", f"seed={seed}")
        cfg = compose_train(overrides, run_dir=folder / "runs" / str(number))
        jobs.append(Job.of(number, overrides, cfg, OmegaConf.create({"hydra": {"job": {"num": number}}})))
    if way == "stacked":
        train_stack(jobs, StackOptions())
    else:
        for job in jobs if way == "sweep" else jobs[:1]:
            cfg = job.cfg.copy()
            cfg.trainer.max_epochs = EPOCHS // 2 if way == "extended" else EPOCHS
            train(cfg, overrides=job.own_overrides)
        if way == "extended":
            longer = jobs[0].cfg.copy()
            longer.resume = "extend"
            train(longer, overrides=jobs[0].own_overrides)
    if way in ("sweep", "stacked"):
        (folder / "runs" / "multirun.yaml").write_text("hydra: {}\n")
    return folder / "runs" / "0"


def measured(run: Path) -> dict[str, float]:
    return evaluate(asked("eval", run=run, checkpoint="best", overrides=[])).metrics


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_command_takes_a_run_of_every_kind(kind: str, way: str, tmp_path: Path) -> None:
    run, rows = made(kind, way, tmp_path), points(kind)
    is_job = way in ("sweep", "stacked")
    stored = json.loads((run / "result.json").read_text())["metrics"]
    job = read_job(run, run.parent)
    assert (job.status, job.problems) == ("completed", ())

    # eval and draw
    found = measured(run)
    assert found == pytest.approx({name: stored[name] for name in found}, rel=1e-4, abs=1e-6)
    names = {file.stem for file in draw(asked("draw", run=run))}
    assert names >= ({"predictions", "residuals"} if kind == "line" else {"confusion", "calibration"})

    # predict, in files and in Python
    expected = by_hand(run, rows)
    rows.write_csv(tmp_path / "rows_new.csv")
    predict(asked("predict", run=run, input=tmp_path / "rows_new.csv", output=tmp_path / "out.parquet"))
    written = polars.read_parquet(tmp_path / "out.parquet")
    values = written.select("value" if kind == "line" else polars.selectors.starts_with("p_")).to_numpy()
    assert values == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert load(run)(rows) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    if is_job:
        members = np.stack([load(run.parent / name)(rows) for name in ("0", "1")])
        assert load(run.parent)(rows) == pytest.approx(members.mean(axis=0), abs=1e-12)

    # export
    export(asked("export", run=run, format="torch_export", output=tmp_path / "model.pt2"))
    assert (tmp_path / "model.pt2").is_file()

    # reproduce, in one go and by itself
    again = beside(run)
    assert reproduce(run, again) or way == "stacked"
    now = json.loads((again / "result.json").read_text())["metrics"]
    assert now == pytest.approx(stored, rel=1e-3, abs=1e-5)

    # runs
    catalogue = find_all(tmp_path / "runs")
    words = read_words(["status=completed", "since=today"], now=datetime.now(timezone.utc))
    assert [each.name for each in select(catalogue.runs, words)] == (["0", "1"] if is_job else ["0", "0_reproduced"])

    # share, and all that opens it elsewhere
    what: dict[str, Any] = {"sweep": run.parent} if is_job else {"run": run}
    share_or_open(asked("share", **what, output=tmp_path / "shared.zip"))
    theirs = share_or_open(asked("share", open=tmp_path / "shared.zip", into=tmp_path / "elsewhere" / "theirs"))
    one = theirs / "0" if is_job else theirs
    assert RunDir(one).begun == RunDir(run).begun
    assert load(one)(rows) == pytest.approx(expected, rel=1e-5, abs=1e-6)
    if kind == "table":
        # its path is not theirs
        assert str(tmp_path) not in (one / ".hydra" / "config.yaml").read_text()
    else:
        assert measured(one) == found
    if is_job:
        (group,) = report(asked("report", sweep=theirs)).groups
        assert group.estimates["val/loss"].n == 2


ENDINGS = ("failed", "unfinished", "no weights")


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_what_has_not_completed_is_shared_opened_and_answered(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    run = made("circles", "single", tmp_path)
    if ending == "failed":
        (run / "result.json").write_text('{"status": "failed", "error": {"type": "ValueError", "message": "no"}}')
    elif ending == "unfinished":
        (run / "result.json").unlink()
    else:
        shutil.rmtree(run / "checkpoints")
    share_or_open(asked("share", run=run, output=tmp_path / "shared.zip"))
    said = capsys.readouterr().out
    assert {
        "failed": "missing: the run has failed: no",
        "unfinished": "missing: the run has not ended",
        "no weights": "missing: the run has no weights, so that src.eval and src.draw cannot open it",
    }[ending] in said
    theirs = share_or_open(asked("share", open=tmp_path / "shared.zip", into=tmp_path / "theirs"))
    status = {"failed": "failed", "unfinished": "unfinished", "no weights": "completed"}[ending]
    assert [each.status for each in find_all(tmp_path / "theirs").runs] == [status]
    if ending == "no weights":
        with pytest.raises(Exception, match="or the run was shared without it"):
            load(theirs)
        with pytest.raises(Exception, match="or the run was shared without it"):
            measured(theirs)
        return
    assert measured(theirs) == measured(run)
    assert load(theirs)(points("circles")) == pytest.approx(by_hand(run, points("circles")), abs=1e-6)
    assert "its weights are those that it had until then" in caplog.text
