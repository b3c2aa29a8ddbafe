"""Features of the inputs, alone and before a network."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import PolynomialFeatures

from src.config.errors import ConfigError
from src.models.features import Features
from src.models.mlp import MLP
from tests.tasks.runs import small

X = torch.tensor([[2.0, -3.0], [0.5, 4.0]])
ONE, TWO = X.T


@pytest.mark.parametrize(
    ("terms", "names", "columns"),
    [
        (["identity"], ["x1", "x2"], [ONE, TWO]),
        (["squares"], ["x1^2", "x2^2"], [ONE**2, TWO**2]),
        (["products"], ["x1*x2"], [ONE * TWO]),
        (["sines", "cosines"], ["sin(x1)", "sin(x2)", "cos(x1)", "cos(x2)"], [*X.sin().T, *X.cos().T]),
        (
            ["x2", "x1^3", "sin(x2)", "x1*cos(x2)"],
            ["x2", "x1^3", "sin(x2)", "x1*cos(x2)"],
            [TWO, ONE**3, TWO.sin(), ONE * TWO.cos()],
        ),
        # what is asked for twice is there once
        (["identity", "x1"], ["x1", "x2"], [ONE, TWO]),
    ],
)
def test_terms_are_functions_of_the_inputs(terms: list[str], names: list[str], columns: list[torch.Tensor]) -> None:
    features = Features(terms=terms)
    assert features.bind(2) == len(names)
    assert list(features.names) == names
    torch.testing.assert_close(features(X), torch.stack(columns, dim=1))


@pytest.mark.parametrize(("degree", "inputs"), [(1, 2), (3, 2), (2, 5)])
def test_a_polynomial_has_the_columns_of_scikit_learns(degree: int, inputs: int) -> None:
    x = torch.randn(20, inputs, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    features = Features(terms=[], degree=degree)
    expected = PolynomialFeatures(degree, include_bias=False).fit_transform(x.numpy())
    assert features.bind(inputs) == expected.shape[1]
    np.testing.assert_allclose(features(x).numpy(), expected)


def test_random_waves_stand_for_a_gaussian_kernel_and_follow_their_seed() -> None:
    features, same, other = (Features(terms=[], fourier=4000, scale=2.0, seed=seed) for seed in (1, 1, 2))
    state = torch.get_rng_state()
    assert [each.bind(2) for each in (features, same, other)] == [8000] * 3
    assert torch.equal(torch.get_rng_state(), state)
    phi = features(X)
    assert torch.equal(phi, same(X))
    assert not torch.equal(phi, other(X))
    # Bochner: the mean of cos(w (x - y)) is exp(-|x - y|^2 / (2 scale^2))
    found = phi[0] @ phi[1] / 4000
    assert float(found) == pytest.approx(float(torch.exp(-(X[0] - X[1]).square().sum() / 8)), abs=0.05)


@pytest.mark.parametrize("term", ["x0", "x", "y1", "x1^0", "x1**2", "tan(x1)", "__import__('os')", "", "x1*"])
def test_an_unknown_term_is_refused(term: str) -> None:
    with pytest.raises(ValueError, match=r"model\.net\.features\.terms holds .*; allowed: identity, squares"):
        Features(terms=[term])


def test_an_input_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="names x3; the data have x1 to x2"):
        Features(terms=["x3"]).bind(2)
    with pytest.raises(ValueError, match="no degree and no fourier; allowed: at least one"):
        Features(terms=[])


def test_a_network_sees_features_in_the_place_of_its_inputs() -> None:
    net = MLP(
        in_features=2, hidden=[4], out_features=1, activation="tanh", features=Features(terms=["identity", "squares"])
    )
    assert net.layers[0].in_features == 4
    inner = MLP(in_features=4, hidden=[4], out_features=1, activation="tanh")
    inner.load_state_dict({name: value for name, value in net.state_dict().items() if name.startswith("layers")})
    both = torch.cat([X, X**2], dim=1)
    assert torch.equal(net(X), inner(both))
    assert torch.equal(net.hidden_layers(X)[0].after, inner.hidden_layers(both)[0].after)


@pytest.mark.parametrize("option", ["squares", "playground", "sines", "polynomial", "fourier"])
def test_every_option_of_the_group_makes_features(option: str) -> None:
    from src.build import build

    net = build(small("model=mlp", f"features={option}", run_dir=Path("unused"))).task.net
    assert isinstance(net.features, Features)
    assert net(X).shape == (2, 1)


def test_a_term_that_the_data_do_not_have_is_told_with_its_key() -> None:
    from src.build import build

    with pytest.raises(ConfigError, match=r"model\.net\.features\.terms names x7; the data have x1 to x2"):
        build(small("model=mlp", "features=squares", "model.net.features.terms=[x7]", run_dir=Path("unused")))
