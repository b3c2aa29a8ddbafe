"""The sweeps in conf/experiment give the answers that their first lines promise."""

import csv
from pathlib import Path

import pytest

from tests.sweep.commands import run

QUIET = ("callbacks=none", "logger=none", "task.log_every_n_epochs=50", "trainer=cpu")


def accuracies(folder: Path, *arguments: str, by: str) -> dict[str, list[float]]:
    """Test accuracy of every job of a sweep, by the value of a swept key."""
    assert run(*arguments, *QUIET, f"hydra.sweep.dir={folder}/sweep", output=folder / "output") == 0
    found: dict[str, list[float]] = {}
    with (folder / "sweep" / "summary.csv").open() as file:
        for row in csv.DictReader(file):
            found.setdefault(row[by], []).append(float(row["test/accuracy"]))
    return found


@pytest.mark.slow
def test_relu_beats_linear_with_every_seed(tmp_path: Path) -> None:
    found = accuracies(tmp_path, "experiment=linear_vs_relu", "seed=range(0,6)", by="model")
    assert all(relu - linear > 0.4 for relu, linear in zip(found["circle_v2"], found["circle_v1"], strict=True))
    assert "circle_v2 beats circle_v1 by 5" in (tmp_path / "output").read_text()


@pytest.mark.slow
def test_only_all_improvements_together_separate_the_rings(tmp_path: Path) -> None:
    found = accuracies(tmp_path, "experiment=notebook/improve", "seed=0,1", by="variant")
    assert len(found) == 9
    best = found.pop("all")
    assert min(best) >= 0.99
    assert max(value for values in found.values() for value in values) < 0.6


@pytest.mark.slow
def test_folds_of_a_table_show_no_clear_difference(tmp_path: Path) -> None:
    found = accuracies(tmp_path, "experiment=cross_validation", by="model.net.activation")
    assert {name: len(values) for name, values in found.items()} == {"identity": 10, "relu": 10}
    assert all(sum(values) / 10 > 0.94 for values in found.values())
    said = " ".join((tmp_path / "output").read_text().split())
    assert "mean over 10 folds [95% interval], highest val/accuracy first" in said
    assert "no clear difference between relu and identity in test accuracy" in said
    assert "the corrected resampled t test (Nadeau and Bengio 2003)" in said
