"""Stacked networks against one model after the other."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from src.models.mlp import MLP
from src.vmap.stacked.draws import Draws
from src.vmap.stacked.layout import Layout, row_of, tensors_of
from src.vmap.stacked.network import StackedMLP, StackedNet, stacked_network

N_MODELS, N, F, K = 4, 12, 3, 2

MLPS: list[dict[str, Any]] = [
    {"hidden": [10, 10], "activation": ["identity", "relu"]},
    {"hidden": [10, 10], "activation": "identity"},
    {"hidden": [8, 5], "activation": "tanh"},
    {"hidden": [5], "activation": "handmade_relu"},
    {"hidden": [], "activation": "relu"},
    # a bottleneck, behind which it does not pay to multiply the layers first
    {"hidden": [1, 30, 2], "activation": ["identity", "identity", "gelu"]},
    {"hidden": [9, 1, 9], "activation": "identity"},
]


class Residual(nn.Module):
    """A network that only `torch.func.vmap` stacks."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(F, F), nn.Linear(F, K)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(x + self.scale * torch.tanh(self.inner(x)))
        return outputs


def mlp(**kwargs: Any) -> Callable[[], nn.Module]:
    return lambda: MLP(in_features=F, out_features=K, **kwargs)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("n_data", [1, N_MODELS], ids=["shared", "own"])
@pytest.mark.parametrize("form", [stacked_network, StackedNet], ids=["short", "vmap"])
@pytest.mark.parametrize("make", [*(mlp(**each) for each in MLPS), Residual])
def test_outputs_and_gradients_are_those_of_each_network(
    make: Callable[[], nn.Module], form: Callable[[nn.Module, dict[str, Tensor], Draws], StackedNet], n_data: int
) -> None:
    torch.manual_seed(0)
    nets = [make() for _ in range(N_MODELS)]
    x = torch.randn(n_data, N, F, generator=generator())
    stacked = form(nets[0], {}, Draws([torch.get_rng_state()] * N_MODELS))
    layout = Layout(nets[0], nn.MSELoss())
    rows = torch.stack([row_of(layout, tensors_of(net, nn.MSELoss())) for net in nets])
    leaves = [leaf.detach().requires_grad_() for leaf in layout.split(rows)]
    outputs = stacked(leaves, stacked.inputs(x))
    (outputs**2).mean((1, 2)).sum().backward()  # type: ignore[no-untyped-call]
    for i, net in enumerate(nets):
        expected = net(x[i % n_data])
        (expected**2).mean().backward()
        torch.testing.assert_close(outputs[i], expected, rtol=1e-5, atol=1e-6)
        for leaf, (name, parameter) in zip(leaves, net.named_parameters(), strict=True):
            assert leaf.grad is not None
            torch.testing.assert_close(leaf.grad[i], parameter.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_only_the_projects_own_network_takes_the_short_way() -> None:
    assert type(stacked_network(mlp(**MLPS[0])(), {}, Draws([]))) is StackedMLP
    assert type(stacked_network(Residual(), {}, Draws([]))) is StackedNet
    net = mlp(**MLPS[2])()
    assert isinstance(net, MLP)
    # not by itself on every number
    net.layers[1] = nn.Softmax(dim=1)
    assert type(stacked_network(net, {}, Draws([]))) is StackedNet
