"""Tiles: what many models measure at once."""

import pytest
import torch
from torch import Tensor, nn

from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.tasks.multiclass import MulticlassClassification
from src.tasks.regression import Regression
from src.vmap.stacked.passes import score_of_models
from tests.vmap.stacked.test_loss import N_MODELS, K, N, targets


class Odd(Regression):
    """A score of one's own."""

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).amax()


@pytest.mark.parametrize("n_data", [1, N_MODELS], ids=["shared", "own"])
@pytest.mark.parametrize(
    ("kind", "task"),
    [("bits", BinaryClassification), ("labels", MulticlassClassification), ("numbers", Regression), ("numbers", Odd)],
)
def test_scores_are_those_of_each_model(kind: str, task: type[Task], n_data: int) -> None:
    outputs, y = torch.randn(N_MODELS, N, K), targets(kind, n_data)
    # a score needs nothing of its task but itself
    single = task.__new__(task)
    nn.Module.__init__(single)
    expected = torch.stack([single.score(outputs[i], y[i % n_data]).mean() for i in range(N_MODELS)])
    torch.testing.assert_close(score_of_models(single)(outputs, y), expected)
