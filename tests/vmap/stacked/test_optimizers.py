"""Optimisers of many models against torch's own, each with numbers of its own."""

from typing import Any

import pytest
import torch
from torch import Tensor, optim

from src.vmap.stacked.optimizers import STACKED, ColumnOptimizer

N_STEPS, N_WEIGHTS = 30, 7

# Three models each; torch takes another course of arithmetic where a number is zero.
SGD: list[dict[str, Any]] = [
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"lr": 0.03, "momentum": 0.0, "dampening": 0.3},
    {"lr": 0.3, "momentum": 0.5, "dampening": 0.2, "weight_decay": 0.1},
]
ADAM: list[dict[str, Any]] = [
    {"lr": 0.1, "betas": (0.9, 0.999), "weight_decay": 0.01},
    {"lr": 0.03, "betas": (0.0, 0.9), "eps": 1e-3},
    {"lr": 0.3, "betas": (0.5, 0.5), "weight_decay": 0.1},
]
RMSPROP: list[dict[str, Any]] = [
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"lr": 0.03, "alpha": 0.5, "eps": 1e-3},
    {"lr": 0.3, "alpha": 0.9, "momentum": 0.5, "weight_decay": 0.1},
]
CASES = [
    (optim.SGD, SGD, {}),
    (optim.SGD, SGD, {"maximize": True}),
    (optim.SGD, [{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.3}], {}),
    (optim.SGD, [{"lr": 0.1, "momentum": 0.9}, {"lr": 0.2, "momentum": 0.5}], {"nesterov": True}),
    (optim.Adam, ADAM, {}),
    (optim.Adam, ADAM, {"amsgrad": True}),
    (optim.Adam, ADAM, {"maximize": True}),
    (optim.AdamW, ADAM, {}),
    (optim.AdamW, ADAM, {"amsgrad": True, "maximize": True}),
    (optim.RMSprop, RMSPROP, {}),
    (optim.RMSprop, RMSPROP, {"centered": True}),
    (optim.RMSprop, [{"lr": 0.1}, {"lr": 0.2}], {"maximize": True}),
]


def ids(case: Any) -> str:
    return case.__name__ if isinstance(case, type) else "-".join(case) if isinstance(case, dict) else ""


def gradient(step: int, model: int, weights: Tensor) -> Tensor:
    """Of a bowl, with noise, so that moments have something to average."""
    generator = torch.Generator().manual_seed(step * 100 + model)
    return weights.detach() + 0.3 * torch.randn(weights.shape, generator=generator)


def first_weights(n_models: int) -> Tensor:
    return torch.randn(n_models, N_WEIGHTS, generator=torch.Generator().manual_seed(0))


def torch_run(kind: type[optim.Optimizer], numbers: dict[str, Any], model: int, row: Tensor) -> optim.Optimizer:
    """One model by torch's own optimiser, whose learning rate falls every step."""
    weights = row.clone().requires_grad_()
    optimizer = kind([weights], **numbers)
    for step in range(N_STEPS):
        optimizer.param_groups[0]["lr"] = numbers["lr"] / (1 + step)
        weights.grad = gradient(step, model, weights)
        optimizer.step()
    return optimizer


@pytest.mark.parametrize(("kind", "numbers", "flags"), CASES, ids=ids)
def test_each_model_moves_as_under_torchs_optimiser(
    kind: type[optim.Optimizer], numbers: list[dict[str, Any]], flags: dict[str, Any]
) -> None:
    weights = first_weights(len(numbers))
    singles = [
        torch_run(kind, {**each, **flags}, i, row) for i, (each, row) in enumerate(zip(numbers, weights, strict=True))
    ]
    stacked: ColumnOptimizer = STACKED[kind]([single.param_groups[0] for single in singles], weights)
    rates = torch.tensor([[each["lr"]] for each in numbers], dtype=torch.float64)
    for step in range(N_STEPS):
        stacked.set_lr(rates / (1 + step))
        stacked.step(weights, torch.stack([gradient(step, i, row) for i, row in enumerate(weights)]))
    for i, single in enumerate(singles):
        (expected,) = single.param_groups[0]["params"]
        torch.testing.assert_close(weights[i], expected.detach(), rtol=1e-5, atol=1e-6)
        state = dict(single.state[expected])
        assert (state.pop("step", None) is not None) == stacked.counts_steps
        assert state.keys() == set(stacked.names_of(i))
        for name, tensor in state.items():
            torch.testing.assert_close(stacked.state[name][i], tensor, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kind", "numbers", "flags"), CASES, ids=ids)
def test_some_models_go_on_without_the_others(
    kind: type[optim.Optimizer], numbers: list[dict[str, Any]], flags: dict[str, Any]
) -> None:
    groups = [kind([torch.zeros(1)], **each, **flags).param_groups[0] for each in numbers]
    for places in ([0], [1], list(range(len(groups)))[-2:]):
        weights = first_weights(len(groups))
        whole = STACKED[kind](groups, weights)
        for step in range(3):
            whole.step(weights, torch.stack([gradient(step, i, row) for i, row in enumerate(weights)]))
        own = weights[places]
        part = STACKED[kind]([groups[i] for i in places], own)
        part.load_state_dict(whole.cut(whole.state_dict(), places))
        for step in range(3, 6):
            grads = torch.stack([gradient(step, i, row) for i, row in enumerate(weights)])
            whole.step(weights, grads.clone())
            part.step(own, grads[places])
        torch.testing.assert_close(own, weights[places], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", list(STACKED), ids=ids)
def test_a_model_that_is_lost_leaves_the_others_alone(kind: type[optim.Optimizer]) -> None:
    groups = [kind([torch.zeros(1)], lr=0.1).param_groups[0]] * 2  # type: ignore[call-arg]
    both = first_weights(2)
    one = both[1:].clone()
    stacked, alone = STACKED[kind](groups, both), STACKED[kind](groups[1:], one)
    for step in range(3):
        grad = gradient(step, 1, one[0])
        stacked.step(both, torch.stack([torch.full((N_WEIGHTS,), torch.nan), grad]))
        alone.step(one, grad.unsqueeze(0))
    assert torch.equal(both[1], one[0])
    assert both[0].isnan().all()
