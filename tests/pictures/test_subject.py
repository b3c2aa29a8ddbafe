"""What is handed over to a picture."""

import textwrap
from dataclasses import replace

import numpy as np
import pytest
import torch

from src.models.mlp import MLP
from src.pictures.subject import title_of
from tests.data.test_sources import circles
from tests.pictures.subjects import relu, subject


def test_hidden_units_are_those_of_the_network_in_its_own_precision() -> None:
    given = subject(circles(n_samples=50), net=relu().double())
    points = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
    (layer,) = given.hidden(points)
    expected = given.task.net.get_submodule("layers.0")(torch.from_numpy(points).double())
    assert layer.before == pytest.approx(expected.detach().float().numpy())
    assert np.array_equal(layer.after, np.maximum(layer.before, 0))
    assert layer.before.dtype == np.float32
    assert (layer.name, layer.folds) == ("relu", True)


def test_only_layers_with_a_corner_fold() -> None:
    net = MLP(in_features=2, hidden=[4, 4, 4], out_features=1, activation=["identity", "handmade_relu", "tanh"])
    layers = subject(circles(n_samples=50), net=net).hidden(np.zeros((1, 2), dtype=np.float32))
    assert [layer.folds for layer in layers] == [False, True, False]


def test_titles_say_what_the_test_part_says() -> None:
    accuracy = title_of("blob", {"test/accuracy": torch.tensor(0.875), "test/f1": 0.5}, "best, epoch 834")
    assert accuracy == "blob: test accuracy 87.5% (best,\xa0epoch\xa0834)"
    assert "mean absolute error 1.2e-08 (" in title_of("line", {"test/mae": 1.2e-8}, "last epoch")
    error = title_of("line", {"test/mae": 0.25}, "last epoch")
    assert error == "line: test mean absolute error 0.2500 (last\xa0epoch)"


def test_a_narrow_title_keeps_the_words_about_weights_together() -> None:
    lines = textwrap.wrap(title_of("blob", {"test/accuracy": 1.0}, "best, epoch 24"), 40)
    assert lines == ["blob: test accuracy 100.0%", "(best,\xa0epoch\xa024)"]


def test_below_the_title_stand_data_optimizer_and_seed() -> None:
    title = title_of("blob", {"test/accuracy": 1.0}, "last epoch", below="Blobs, Adam(lr=0.01), seed 3")
    assert title.splitlines() == ["blob: test accuracy 100.0% (last\xa0epoch)", "Blobs, Adam(lr=0.01), seed 3"]


@pytest.mark.parametrize(("weights", "epoch"), [("best, epoch 24", 24), ("last epoch", None), ("", None)])
def test_a_subject_knows_the_epoch_of_its_weights(weights: str, epoch: int | None) -> None:
    assert replace(subject(circles(n_samples=50), net=relu()), weights=weights).best_epoch == epoch
