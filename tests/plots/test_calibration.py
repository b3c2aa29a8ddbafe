"""What the reliability diagram shows."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from src.plots.calibration import calibration_figure
from src.plots.style import save

# of three bins, the second one empty
SUMS = np.array([[1.0, 0.0, 3.6], [2.0, 0.0, 3.0], [5.0, 0.0, 4.0]])
WORDS = {"what": "probability of inner", "happens": "share of inner", "title": "t"}


def test_a_dot_stands_at_the_mean_confidence_and_the_share_of_right_answers() -> None:
    above, below = calibration_figure(SUMS, **WORDS).axes
    diagonal, line = above.lines
    assert np.array_equal(np.column_stack(diagonal.get_data()), [[0, 0], [1, 1]])
    assert np.column_stack(line.get_data()) == pytest.approx(np.array([[0.2, 0.4], [0.9, 0.75]]))
    assert (above.get_xlabel(), above.get_ylabel()) == ("probability of inner", "share of inner")
    (bars,) = below.collections
    assert isinstance(bars, LineCollection)
    tops = [segment[1].tolist() for segment in bars.get_segments()]
    assert tops == [pytest.approx([0.2, 5 / 9]), pytest.approx([0.9, 4 / 9])]


def test_it_is_saved(tmp_path: Path) -> None:
    save(calibration_figure(SUMS, **WORDS), tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 1000


@pytest.mark.parametrize("sums", [SUMS[:2], np.zeros((3, 4)), SUMS * np.nan])
def test_what_is_no_sum_is_refused(sums: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match=r"sums must be finite, \(3, b\) and of at least one sample"):
        calibration_figure(sums, **WORDS)
