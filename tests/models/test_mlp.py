"""Sizes, weights and errors of fully connected networks."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, get_args

import pytest
import torch
from torch import nn

from src.models.activations import ACTIVATIONS
from src.models.mlp import MLP, Init
from tests.tasks.runs import linears


def mlp(**changes: Any) -> MLP:
    given: dict[str, Any] = {"in_features": 2, "hidden": [5, 7], "out_features": 3, "activation": "relu"}
    return MLP(**(given | changes))


@pytest.mark.parametrize("hidden", [[], [1], [5, 7], [4, 4, 4, 4]])
def test_parameters_have_the_sizes_that_are_asked_for(hidden: list[int]) -> None:
    net = mlp(hidden=hidden)
    sizes = [2, *hidden, 3]
    shapes = [s for i, o in pairwise(sizes) for s in ((o, i), (o,))]
    assert [tuple(p.shape) for p in net.parameters()] == shapes
    assert net(torch.zeros(11, 2)).shape == (11, 3)
    assert (net.in_features, net.out_features) == (2, 3)


@pytest.mark.parametrize("seed", [0, 42])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_weights_are_those_of_linear_layers_made_in_order(seed: int, name: str) -> None:
    layers = linears(2, 5, 7, 3, seed=seed)
    torch.manual_seed(seed)
    net = mlp(activation=name)
    expected = [p for layer in layers for p in layer.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), expected, strict=True))


def test_each_hidden_layer_has_its_own_activation_and_the_last_none() -> None:
    first, second, third, last = linears(2, 5, 6, 7, 3, seed=1)
    torch.manual_seed(1)
    net = mlp(hidden=[5, 6, 7], activation=["identity", "relu", "tanh"])
    x = torch.randn(20, 2)
    expected = last(torch.tanh(third(torch.relu(second(first(x))))))
    assert torch.equal(net(x), expected)
    kinds = [type(layer) for layer in net.layers]
    assert kinds == [nn.Linear, nn.Linear, nn.ReLU, nn.Linear, nn.Tanh, nn.Linear]


@pytest.mark.parametrize("activation", [["identity", "relu", "tanh"], "relu", "identity"])
def test_hidden_layers_are_what_the_layers_compute_one_after_the_other(activation: Any) -> None:
    torch.manual_seed(1)
    net = mlp(hidden=[5, 6, 7], activation=activation)
    x = torch.randn(20, 2)
    linear = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
    found = net.hidden_layers(x)
    names = [activation] * 3 if isinstance(activation, str) else activation
    assert [layer.activation for layer in found] == names
    given = x
    for layer, weights, name in zip(found, linear[:-1], names, strict=True):
        assert torch.equal(layer.before, weights(given))
        assert torch.equal(layer.after, ACTIVATIONS[name]()(layer.before))
        given = layer.after
    assert torch.equal(linear[-1](given), net(x))


def test_a_network_without_hidden_layers_has_none_to_show() -> None:
    assert mlp(hidden=[]).hidden_layers(torch.zeros(3, 2)) == []


def test_tuples_do_as_well_as_lists() -> None:
    assert len(mlp(hidden=(5, 7), activation=("relu", "tanh")).layers) == 5


@pytest.mark.parametrize("hidden", [[8], [10, 10], [3, 4, 5, 6]])
def test_identity_everywhere_is_one_linear_map(hidden: list[int]) -> None:
    net = mlp(hidden=hidden, activation="identity").double()
    offset = net(torch.zeros(1, 2, dtype=torch.double))
    matrix = net(torch.eye(2, dtype=torch.double)) - offset
    x = torch.randn(50, 2, dtype=torch.double)
    torch.testing.assert_close(net(x), x @ matrix + offset)


def test_relu_is_not_a_linear_map() -> None:
    torch.manual_seed(0)
    net = mlp(activation="relu")
    x = torch.randn(50, 2)
    assert not torch.allclose(net(x) + net(-x), 2 * net(torch.zeros(1, 2)))


@pytest.mark.parametrize("activation", [["relu"], ["relu"] * 3, []])
def test_a_number_of_activations_that_differs_from_the_layers_is_refused(activation: list[str]) -> None:
    with pytest.raises(ValueError, match=r"model\.net\.activation must be one name or one per hidden layer.*\[5, 7\]"):
        mlp(activation=activation)


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None, "3"])
@pytest.mark.parametrize("key", ["in_features", "hidden", "out_features"])
def test_a_size_that_is_no_positive_whole_number_is_refused(key: str, size: Any) -> None:
    value = [4, size] if key == "hidden" else size
    with pytest.raises(ValueError, match=rf"model\.net\.{key} must be .*whole numbers? from 1 to 10000000, got"):
        mlp(**{key: value})


@pytest.mark.parametrize("hidden", [[5, 7], []])
def test_unknown_activation_is_refused_at_every_depth(hidden: Sequence[int]) -> None:
    with pytest.raises(ValueError, match=r"model\.net\.activation must be identity, relu.*'swish'"):
        mlp(hidden=hidden, activation="swish")


def test_unknown_activation_of_one_layer_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got \['relu', 'swish'\]"):
        mlp(activation=["relu", "swish"])


# Norms, dropout, residual links, initialisation


@pytest.mark.parametrize(("norm", "kind"), [("batch", nn.BatchNorm1d), ("layer", nn.LayerNorm)])
def test_a_norm_stands_before_each_activation(norm: Any, kind: type[nn.Module]) -> None:
    net = mlp(hidden=[5, 6], norm=norm)
    assert [type(layer) for layer in net.layers] == [nn.Linear, kind, nn.ReLU, nn.Linear, kind, nn.ReLU, nn.Linear]
    has_bias = norm == "layer"
    assert [layer.bias is not None for layer in net.layers if isinstance(layer, nn.Linear)] == [
        has_bias,
        has_bias,
        True,
    ]


def test_dropout_follows_each_hidden_layer_and_acts_in_training_only() -> None:
    net = mlp(hidden=[50, 50], dropout=0.5)
    assert [layer.p for layer in net.layers if isinstance(layer, nn.Dropout)] == [0.5, 0.5]
    x = torch.randn(4, 2)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_a_residual_layer_adds_what_it_was_given_where_that_is_equally_wide() -> None:
    net = mlp(hidden=[5, 5, 4], residual=True)
    first, _, second, _, third, _, last = net.layers
    x = torch.randn(7, 2)
    a = torch.relu(first(x))
    b = a + torch.relu(second(a))
    c = torch.relu(third(b))
    torch.testing.assert_close(net(x), last(c))
    torch.testing.assert_close(net.hidden_layers(x)[1].after, b)
    torch.testing.assert_close(net.hidden_layers(x)[1].before, second(a))


@pytest.mark.parametrize("init", get_args(Init))
def test_weights_are_drawn_as_they_are_asked_for(init: Any) -> None:
    torch.manual_seed(0)
    net = mlp(hidden=[64, 64], init=init)
    linears = [layer for layer in net.layers if isinstance(layer, nn.Linear)]
    assert not any(layer.bias.any() for layer in linears)
    weight = linears[1].weight.detach()
    expected = {"xavier": (2 / 128) ** 0.5, "kaiming": (2 / 64) ** 0.5, "orthogonal": 1 / 8, "zeros": 0.0}
    assert float(weight.std()) == pytest.approx(expected[init.split("_")[0]], rel=0.05)


def test_without_any_of_it_a_seed_gives_the_weights_that_it_gave() -> None:
    torch.manual_seed(3)
    plain = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))
    torch.manual_seed(3)
    net = mlp(hidden=[5])
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), net.parameters(), strict=True))
    assert net.is_chain


@pytest.mark.parametrize("name", ["SiLU", "torch.nn.Mish", "PReLU", "Softplus"])
def test_any_activation_of_pytorch_is_known_by_its_name(name: str) -> None:
    net = mlp(hidden=[5], activation=name)
    assert type(net.layers[1]) is getattr(nn, name.removeprefix("torch.nn."))
    with pytest.raises(ValueError, match=r"or one of torch\.nn's by its name"):
        mlp(hidden=[5], activation=name.lower() + "x")
