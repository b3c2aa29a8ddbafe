"""Numbers, from one output per target."""

from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.regression import MeanAbsoluteError, MeanSquaredError

from src.tasks.base import Task
from src.tasks.metrics.r2 import R2


class Regression(Task):
    """Numbers (n, t); outputs are the predictions as they stand."""

    task_name = "regression"
    score_name = "mae"
    losses = (nn.L1Loss, nn.MSELoss, nn.HuberLoss, nn.SmoothL1Loss)

    def targets(self, y: Tensor) -> Tensor:
        """The numbers themselves."""
        return y

    def score(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Absolute error, averaged over targets: (..., n)."""
        return (outputs - targets).abs().mean(dim=-1)

    def probs(self, outputs: Tensor) -> Tensor:
        """The outputs: a regression has no probabilities."""
        return outputs

    def preds(self, outputs: Tensor) -> Tensor:
        """The outputs: a regression has no labels."""
        return outputs

    def make_metrics(self) -> MetricCollection:
        """Mean absolute and squared error, and the share of the variance that is explained."""
        r2 = R2(self.spec.n_outputs)
        return MetricCollection({"mae": MeanAbsoluteError(), "mse": MeanSquaredError(), "r2": r2})
