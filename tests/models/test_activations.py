"""Activations by name, and the hand-made ones against PyTorch's."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from src.models.activations import (
    ACTIVATIONS,
    FOLDING,
    HandmadeReLU,
    HandmadeSigmoid,
    activation,
    handmade_relu,
    handmade_sigmoid,
)

Function = Callable[[Tensor], Tensor]

PAIRS = [(handmade_relu, torch.relu), (handmade_sigmoid, torch.sigmoid)]
EXTREMES = [-math.inf, -1e30, -100.0, -88.0, -80.0, -20.0, -1.0, -0.0, 0.0, 1e-30, 1.0, 20.0, 88.0, 100.0, math.inf]


def value_and_gradient(function: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.clone().requires_grad_()
    y = function(leaf)
    y.sum().backward()  # type: ignore[no-untyped-call]  # PyTorch leaves it untyped
    assert leaf.grad is not None
    return y.detach(), leaf.grad


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("identity", lambda x: x),
        ("relu", torch.relu),
        ("tanh", torch.tanh),
        ("sigmoid", torch.sigmoid),
        ("gelu", nn.functional.gelu),
        ("leaky_relu", nn.functional.leaky_relu),
        ("handmade_relu", torch.relu),
        ("handmade_sigmoid", torch.sigmoid),
    ],
)
def test_name_gives_the_function_it_stands_for(name: str, reference: Function) -> None:
    x = torch.linspace(-5, 5, 101)
    assert torch.allclose(activation(name)(x), reference(x), atol=1e-7)


def test_every_name_makes_a_new_module_without_parameters() -> None:
    for name in ACTIVATIONS:
        first, second = activation(name), activation(name)
        assert first is not second
        assert not list(first.parameters())


def test_exactly_those_that_fold_have_a_corner_at_zero() -> None:
    for name, make in ACTIVATIONS.items():
        _, (left, right) = value_and_gradient(make(), torch.tensor([-1e-6, 1e-6]))
        assert (name in FOLDING) == (abs(right - left).item() > 0.5), name


def test_unknown_name_is_refused_with_all_names() -> None:
    with pytest.raises(ValueError, match=r"model\.net\.activation must be identity, relu.*got 'swish'"):
        activation("swish")


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_handmade_equals_pytorch_in_value_and_gradient(ours: Function, reference: Function, dtype: torch.dtype) -> None:
    x = torch.cat([torch.linspace(-12, 12, 481), torch.tensor(EXTREMES)]).to(dtype)
    for got, expected in zip(value_and_gradient(ours, x), value_and_gradient(reference, x), strict=True):
        assert got.dtype == dtype
        torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_handmade_has_finite_gradients_in_half_precision(
    ours: Function, reference: Function, dtype: torch.dtype
) -> None:
    x = torch.tensor([-100.0, -60.0, -20.0, -12.0, 0.0, 12.0, 100.0], dtype=dtype)
    for got, expected in zip(value_and_gradient(ours, x), value_and_gradient(reference, x), strict=True):
        torch.testing.assert_close(got, expected, rtol=0.02, atol=1e-3)


@pytest.mark.parametrize(("ours", "reference"), PAIRS)
def test_handmade_lets_nan_through_so_that_a_diverged_network_shows(ours: Function, reference: Function) -> None:
    x = torch.tensor([math.nan, 1.0])
    assert torch.equal(ours(x).isnan(), reference(x).isnan())


@pytest.mark.parametrize("module", [HandmadeReLU(), HandmadeSigmoid()])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_handmade_keeps_the_shape(module: nn.Module, shape: tuple[int, ...]) -> None:
    assert module(torch.ones(shape)).shape == shape
