"""Learning curves: read from files that may be broken, and brought together over seeds."""

from pathlib import Path

import numpy as np
import pytest

from src.analysis.page.curves import band, read_curves


def test_columns_are_read_without_their_gaps(tmp_path: Path) -> None:
    file = tmp_path / "metrics.csv"
    file.write_text("epoch,step,train/loss,val/loss,lr\n0,1,0.5,,0.1\n1,2,0.4,0.6,0.1\n2,3,nan,0.5,0.1\n3,4,0.")
    assert read_curves(file) == {"train/loss": ([0.0, 1.0], [0.5, 0.4]), "val/loss": ([1.0, 2.0], [0.6, 0.5])}


@pytest.mark.parametrize("content", [b"", b"epoch\n", b"step,train/loss\n1,2\n", b"epoch,a/b\n1,x\n", b"\xff\xfe\x00"])
def test_a_file_that_holds_no_curves_gives_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "metrics.csv"
    assert read_curves(file) == {}
    file.write_bytes(content)
    assert read_curves(file) == {}


def test_a_band_holds_the_mean_between_the_extremes() -> None:
    rng = np.random.default_rng(0)
    epochs = np.arange(0.0, 50.0)
    runs = rng.normal(size=(5, 50))
    found = band([(epochs.tolist(), run.tolist()) for run in runs])
    assert found is not None
    np.testing.assert_allclose(found.epochs, epochs)
    np.testing.assert_allclose(found.mean, runs.mean(0))
    np.testing.assert_allclose(found.low, runs.min(0))
    np.testing.assert_allclose(found.high, runs.max(0))


def test_runs_that_measured_at_other_epochs_meet_between_them() -> None:
    # both are the line y = x, so their mean is
    found = band([([0.0, 10.0], [0.0, 10.0]), ([0.0, 3.0, 7.0, 10.0], [0.0, 3.0, 7.0, 10.0])])
    assert found is not None
    for curve in (found.mean, found.low, found.high):
        np.testing.assert_allclose(curve, found.epochs)


def test_a_run_that_ended_early_counts_up_to_its_end() -> None:
    found = band([([0.0, 1.0], [1.0, 1.0]), ([0.0, 1.0, 2.0, 3.0], [3.0, 3.0, 3.0, 3.0])])
    assert found is not None
    np.testing.assert_allclose(found.mean, [2, 2, 3, 3])


def test_long_runs_are_thinned() -> None:
    epochs = np.arange(10_000.0)
    found = band([(epochs.tolist(), epochs.tolist())])
    assert found is not None
    assert len(found.epochs) == 80
    assert (found.epochs[0], found.epochs[-1]) == (0, 9999)


def test_no_runs_make_no_band() -> None:
    assert band([]) is None
