"""Losses for many models at once against one model after the other."""

import pytest
import torch
from torch import Tensor, nn

from src.vmap.stacked.draws import Draws
from src.vmap.stacked.loss import stacked_loss

N_MODELS, N, K = 4, 12, 2


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


LOSSES: list[tuple[nn.Module, str]] = [
    (nn.BCEWithLogitsLoss(), "bits"),
    (nn.BCEWithLogitsLoss(pos_weight=torch.tensor([3.0, 1.0])), "bits"),
    (nn.CrossEntropyLoss(), "labels"),
    (nn.CrossEntropyLoss(label_smoothing=0.1), "labels"),
    (nn.CrossEntropyLoss(), "probabilities"),
    (nn.CrossEntropyLoss(label_smoothing=0.1), "probabilities"),
    (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0])), "probabilities"),
    (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0])), "labels"),
    (nn.L1Loss(), "numbers"),
    (nn.MSELoss(), "numbers"),
    (nn.MSELoss(reduction="sum"), "numbers"),
    (nn.HuberLoss(delta=0.1), "numbers"),
    (nn.SmoothL1Loss(), "numbers"),
    (nn.PoissonNLLLoss(), "numbers"),
    # the mean is over those samples that count
    (nn.CrossEntropyLoss(ignore_index=1), "labels"),
]


def targets(kind: str, n_data: int) -> Tensor:
    numbers = torch.randn(n_data, N, K, generator=generator())
    return {
        "numbers": numbers,
        "bits": (numbers > 0).float(),
        "labels": (numbers[:, :, 0] > 0).long(),
        "probabilities": numbers.softmax(2),
    }[kind]


@pytest.mark.parametrize("n_data", [1, N_MODELS], ids=["shared", "own"])
@pytest.mark.parametrize(("loss", "kind"), LOSSES)
def test_losses_are_those_of_each_model(loss: nn.Module, kind: str, n_data: int) -> None:
    outputs, y = torch.randn(N_MODELS, N, K), targets(kind, n_data)
    expected = torch.stack([loss(outputs[i], y[i % n_data]) for i in range(N_MODELS)])
    stacked = stacked_loss(loss, {}, {}, Draws([torch.get_rng_state()] * N_MODELS))
    torch.testing.assert_close(stacked(outputs, y), expected)
