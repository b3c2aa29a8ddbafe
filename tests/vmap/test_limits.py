"""How many models are computed at once."""

from pathlib import Path

import pytest
import torch

from src.models.mlp import MLP
from src.vmap.limits import Limits, activations, free_memory
from src.vmap.models import Model, ModelFactory
from tests.vmap.stacked_jobs import make_jobs

CPU = torch.device("cpu")


def model(tmp_path: Path, *overrides: str) -> Model:
    return ModelFactory().model(make_jobs(list(overrides), [()], tmp_path)[0])


def net() -> MLP:
    return MLP(in_features=2, hidden=[10, 10], out_features=1, activation=["identity", "relu"])


def test_activations_are_what_the_layers_put_out() -> None:
    assert activations(net(), torch.zeros(1, 2)) == 2 + 10 + 10 + 10 + 1


def test_more_samples_mean_fewer_models_in_a_cache(tmp_path: Path) -> None:
    few = Limits.of(model(tmp_path, "data.n_samples=100"), net(), CPU, memory_gb=4, tile=None)
    usual = Limits.of(model(tmp_path), net(), CPU, memory_gb=4, tile=None)
    many = Limits.of(model(tmp_path, "data.n_samples=1000000"), net(), CPU, memory_gb=4, tile=None)
    assert few.tile > usual.tile > many.tile == 1
    assert 16 <= usual.tile <= 256


def test_memory_bounds_tiles_and_chunks(tmp_path: Path) -> None:
    one = model(tmp_path)
    for memory in (0.5, 0.05, 0.005):
        limits = Limits.of(one, net(), CPU, memory_gb=memory, tile=1000)
        held = limits.chunk * 10 * one.weights.nbytes + limits.tile * 4 * 33 * 800 * 4
        assert held <= memory * 2**30
        assert 1 <= limits.tile <= limits.chunk


def test_the_least_is_one_model(tmp_path: Path) -> None:
    assert Limits.of(model(tmp_path), net(), CPU, memory_gb=1e-9, tile=None) == Limits(tile=1, chunk=1)


def test_the_machine_has_memory() -> None:
    assert 2**24 < free_memory(CPU) < 2**50


def test_a_gpu_tells_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (123, 456))
    assert free_memory(torch.device("cuda")) == 123


@pytest.mark.parametrize(
    ("tile", "n", "size"),
    [(79, 256, 64), (100, 90, 45), (100, 64, 32), (100, 63, 100), (39, 256, 32), (113, 1024, 103), (1, 100, 1)],
)
def test_two_cores_get_as_many_models_each_of_a_chunk_that_is_worth_it(tile: int, n: int, size: int) -> None:
    assert Limits(tile, 1024).tile_of(n) == size
