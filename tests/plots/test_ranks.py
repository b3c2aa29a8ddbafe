"""The critical-difference diagram."""

import numpy as np
import pytest

from src.plots.ranks import ranks_figure


def test_groups_stand_at_their_ranks_and_bars_under_those_that_are_alike() -> None:
    labels, ranks = ["relu", "tanh", "identity"], [1.25, 1.75, 3.0]
    (ax,) = ranks_figure(labels, ranks, [[0, 1]], critical=1.2, metric="test accuracy").axes
    texts = [text.get_text() for text in ax.texts]
    assert texts == [
        *("1", "2", "3", "critical difference 1.20", "relu  1.25", "tanh  1.75", "3.00  identity"),
        "average rank of test accuracy, 1 is best",
    ]
    lines = [np.asarray(line.get_xdata()).tolist() for line in ax.lines]
    assert [1.0, 2.2] in lines
    assert [pytest.approx([1.22, 1.78])] == [line for line in lines if line == pytest.approx([1.22, 1.78])]
    assert [[rank, rank] for rank in ranks] == [line[:2] for line in lines if len(line) == 3]


def test_a_critical_difference_is_no_longer_than_the_axis() -> None:
    (ax,) = ranks_figure(["a", "b"], [1.4, 1.6], [[0, 1]], critical=1.4, metric="loss").axes
    assert [1.0, 2.0] in [np.asarray(line.get_xdata()).tolist() for line in ax.lines[3:]]
    with pytest.raises(ValueError, match="two groups or more, got 1"):
        ranks_figure(["a"], [1.0], [], critical=1.0, metric="loss")
