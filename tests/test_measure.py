"""Reports per class against scikit-learn's, and weights that fit their network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import classification_report

from src.build import build
from src.config.errors import ConfigError
from src.measure import class_report, load_weights, measure
from src.tasks.checkpoint import load_checkpoint
from tests.tasks.runs import fit, small, validate_and_test

SHORT = ("data.n_samples=50", "data.n_val=30", "trainer.max_epochs=3")


def confusions() -> list[torch.Tensor]:
    rng = np.random.default_rng(0)
    found = [rng.integers(0, 20, (k, k)) for k in (2, 2, 3, 4, 10)]
    # a class that never occurs, one that is never predicted, and both
    for matrix, row, column in ((found[2], 0, None), (found[3], None, 1), (found[4], 2, 2)):
        matrix[row if row is not None else slice(0)] = 0
        matrix[:, column if column is not None else slice(0)] = 0
    return [torch.from_numpy(matrix) for matrix in found]


@pytest.mark.parametrize("confusion", confusions(), ids=lambda matrix: f"{len(matrix)} classes")
def test_report_is_that_of_scikit_learn(confusion: torch.Tensor) -> None:
    names = tuple(f"class {i}" for i in range(len(confusion)))
    true, predicted = np.indices(confusion.shape)
    counts = confusion.numpy().ravel()
    y, preds = np.repeat(true.ravel(), counts), np.repeat(predicted.ravel(), counts)
    expected = classification_report(
        y, preds, labels=range(len(names)), target_names=names, output_dict=True, zero_division=0
    )
    rows = class_report(confusion, names)
    assert [row["class"] for row in rows] == list(names)
    for row in rows:
        of_class = expected[row["class"]]
        assert row["support"] == of_class["support"]
        assert [row[k] for k in ("precision", "recall", "f1")] == [
            pytest.approx(of_class[k]) for k in ("precision", "recall", "f1-score")
        ]


def test_report_of_nothing_is_zero_everywhere() -> None:
    row = {"class": "a", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert class_report(torch.zeros(2, 2, dtype=torch.long), ("a", "b")) == [row, row | {"class": "b"}]


def test_without_a_checkpoint_the_weights_that_are_there_are_measured(tmp_path: Path) -> None:
    built = fit(small(*SHORT, run_dir=tmp_path))
    measured = measure(built)
    assert measured.metrics == validate_and_test(built)
    assert [row["class"] for row in measured.per_class] == ["outer", "inner"]
    assert sum(row["support"] for row in measured.per_class) == 10


def test_with_a_checkpoint_its_weights_are_measured(tmp_path: Path) -> None:
    cfg = small(*SHORT, run_dir=tmp_path)
    expected = measure(fit(cfg))
    fresh = build(cfg, evaluate_only=True)
    assert measure(fresh) != expected
    assert measure(fresh, checkpoint=tmp_path / "checkpoints" / "last.ckpt") == expected
    state = load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")["state_dict"]
    assert all(torch.equal(value, state[name]) for name, value in fresh.task.state_dict().items())


def test_a_regression_has_no_report_per_class(tmp_path: Path) -> None:
    measured = measure(build(small("data=line", "model=line", run_dir=tmp_path)))
    assert measured.per_class == []
    assert set(measured.metrics) == {
        f"{split}/{name}" for split in ("val", "test") for name in ("loss", "mae", "mse", "r2")
    }


@pytest.mark.parametrize("hidden", ["[11,10]", "[10]", "[10,10,10]"])
def test_weights_of_another_network_are_refused(hidden: str, tmp_path: Path) -> None:
    fit(small(*SHORT, run_dir=tmp_path))
    other = build(small("model=mlp", f"model.net.hidden={hidden}", run_dir=tmp_path))
    with pytest.raises(ConfigError, match=r"last\.ckpt belongs to another network than model\.net describes"):
        measure(other, checkpoint=tmp_path / "checkpoints" / "last.ckpt")


@pytest.mark.parametrize("state", [{}, 3])
def test_a_checkpoint_without_weights_is_refused(state: object, tmp_path: Path) -> None:
    torch.save({"state_dict": state}, tmp_path / "last.ckpt")
    with pytest.raises(ConfigError, match=r"last\.ckpt"):
        load_weights(build(small(run_dir=tmp_path)).task, tmp_path / "last.ckpt")
