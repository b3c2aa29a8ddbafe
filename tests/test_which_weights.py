"""Metrics of the last epoch and of the best weights stand side by side, and each says which it is."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.callbacks.pictures import FinalPictures
from src.draw import draw
from src.eval import evaluate
from src.pictures import subject
from src.train import train
from src.vmap.planning.plan import plan
from src.vmap.train import StackOptions, train_stack
from tests.tasks.by_hand import rows_of
from tests.tasks.runs import small
from tests.vmap.stacked_jobs import make_jobs, result_of

# val/accuracy is at its best well before the end
BEST = ("logger=csv", "callbacks.checkpoint.monitor=val/accuracy", "callbacks.checkpoint.mode=max", "data.n_val=50")
KINDS = {
    "circles": ("optimizer=adam", "optimizer.lr=0.1", "trainer.max_epochs=60"),
    "blobs": ("data=blobs", "model=blob", "trainer.max_epochs=60"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["best", "last"])
def test_a_result_names_the_row_that_its_validation_repeats(which: str, kind: str, tmp_path: Path) -> None:
    train(small(*KINDS[kind], *BEST, f"evaluate={which}", run_dir=tmp_path))
    result, rows = result_of(tmp_path), rows_of(tmp_path)
    best = max(rows.values(), key=lambda row: row["val/accuracy"])
    row = best if which == "best" else rows[59]
    assert 0 < best["epoch"] < 59
    assert result["weights"] == (f"best, epoch {best['epoch']:.0f}" if which == "best" else "last epoch")
    for name in ("val/loss", "val/accuracy"):
        assert result["metrics"][name] == pytest.approx(row[name], rel=1e-5)
    for name in ("train/loss", "train/accuracy"):
        assert result["metrics"][name] == pytest.approx(rows[59][name])


@pytest.mark.slow
def test_stacked_models_name_the_same_weights_as_their_single_runs(tmp_path: Path) -> None:
    each = [("seed=1",), ("seed=2", "evaluate=last"), ("seed=3",)]
    jobs = make_jobs([*KINDS["circles"], *BEST], each, tmp_path / "together")
    (stack,) = plan(jobs).stacks
    train_stack(stack.jobs, StackOptions())
    found = [result_of(job.run_dir)["weights"] for job in jobs]
    expected = []
    for number, own in enumerate(each):
        path = tmp_path / "alone" / str(number)
        train(small(*KINDS["circles"], *BEST, *own, run_dir=path))
        expected.append(result_of(path)["weights"])
    assert found == expected
    assert len(set(expected)) == 3


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    train(small(*KINDS["circles"], *BEST, run_dir=path))
    return path


@pytest.mark.parametrize("checkpoint", ["best", "last", "copy"])
def test_evaluation_says_what_it_has_measured(checkpoint: str, trained: Path, tmp_path: Path) -> None:
    stored: str = result_of(trained)["weights"]
    copy = tmp_path / "copy.ckpt"
    copy.write_bytes((trained / "checkpoints" / "best.ckpt").read_bytes())
    given = str(copy) if checkpoint == "copy" else checkpoint
    measured = evaluate(OmegaConf.create({"run": str(trained), "checkpoint": given, "overrides": []}))
    assert (
        measured.weights
        == {"best": stored, "last": "last epoch", "copy": stored.replace("best", "copy.ckpt")}[checkpoint]
    )


@pytest.mark.slow
def test_titles_name_the_weights_that_are_drawn(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    title_of = subject.title_of

    def note(name: str, metrics: Mapping[str, Any], weights: str, *, below: str) -> str:
        seen.append(weights)
        assert re.fullmatch(r"Circles, (SGD|Adam)\(lr=0\.\d+\), seed \d+", below), below
        return title_of(name, metrics, weights, below=below)

    monkeypatch.setattr("src.measure.title_of", note)
    monkeypatch.setattr("src.callbacks.pictures.title_of", note)
    for checkpoint in (None, "last"):
        draw(OmegaConf.create({"run": str(trained), "checkpoint": checkpoint, "pictures": "confusion"}))
    pictures = {"_target_": f"{FinalPictures.__module__}.FinalPictures", "name": "a", "draw": ["confusion"]}
    for which in ("best", "last"):
        cfg = small(*KINDS["circles"], *BEST, f"evaluate={which}", run_dir=tmp_path / which)
        cfg.callbacks = {**cfg.callbacks, "pictures": pictures}
        train(cfg)
    stored = result_of(trained)["weights"]
    assert seen == [stored, "last epoch", stored, "last epoch"]
