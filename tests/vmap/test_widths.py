"""Which networks are padded to share a stack."""

from pathlib import Path

import pytest
from torch import nn

from src.models.mlp import MLP
from src.sweep.jobs import Job
from src.vmap.models import ModelFactory
from src.vmap.planning.widths import Shape, put_together
from tests.vmap.stacked_jobs import make_jobs


def mlp(hidden: list[int], *activation: str) -> MLP:
    return MLP(in_features=2, hidden=hidden, out_features=1, activation=activation)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (mlp([]), Shape((2, 1), ())),
        (mlp([8], "relu"), Shape((2, 8, 1), (True,))),
        (mlp([8, 3], "identity", "tanh"), Shape((2, 8, 3, 1), (False, True))),
    ],
)
def test_a_network_has_a_shape(net: MLP, shape: Shape) -> None:
    assert Shape.of(net) == shape


def test_what_cannot_be_padded_has_none() -> None:
    frozen, mixing = mlp([8], "relu"), mlp([8], "relu")
    frozen.layers[0].weight.requires_grad = False
    mixing.layers[1] = nn.Softmax(dim=1)
    assert [Shape.of(net) for net in (nn.Linear(2, 1), frozen, mixing)] == [None] * 3


def test_room_for_two_is_as_wide_as_the_wider_layers() -> None:
    one, other = Shape((2, 8, 3, 1), (False, True)), Shape((2, 4, 5, 1), (False, False))
    assert one.padded(other) == Shape((2, 8, 5, 1), (False, True))


@pytest.mark.parametrize(
    ("shape", "work"),
    [
        (Shape((2, 1), ()), (2 + 32) * 1),
        (Shape((2, 8, 1), (True,)), (2 + 32) * 8 + (8 + 32) * 1),
        # all of it one map
        (Shape((2, 8, 8, 1), (False, False)), (2 + 32) * 1),
        (Shape((2, 8, 4, 1), (False, True)), (2 + 32) * 4 + (4 + 32) * 1),
        # a product of both matrices would have more numbers than they have
        (Shape((9, 1, 9, 1), (False, True)), (9 + 32) * 1 + (1 + 32) * 9 + (9 + 32) * 1),
    ],
)
def test_work_counts_what_is_computed(shape: Shape, work: int) -> None:
    assert shape.work == work


def numbers_of(*hidden: str, folder: Path, n_seeds: int = 1, common: tuple[str, ...] = ()) -> list[list[int]]:
    """Numbers of the jobs that share a stack: the seeds of the first widths, then those of the next."""
    each = [(f"model.net.hidden={widths}", f"seed={seed}") for widths in hidden for seed in range(n_seeds)]
    jobs = make_jobs(["model=mlp", *common], each, folder)
    groups: list[list[Job]] = [jobs[i : i + n_seeds] for i in range(0, len(jobs), n_seeds)]
    return [[job.number for group in part for job in group] for part in put_together(groups, ModelFactory())]


def test_neighbours_share_a_stack_by_their_width(tmp_path: Path) -> None:
    assert numbers_of("[16]", "[8]", "[10]", folder=tmp_path) == [[1, 2, 0]]


def test_one_that_is_much_wider_stands_apart(tmp_path: Path) -> None:
    assert numbers_of("[8,8]", "[300,300]", "[9,9]", "[290,300]", folder=tmp_path) == [[0, 2], [3, 1]]


def test_small_batches_pad_more(tmp_path: Path) -> None:
    assert numbers_of("[8,8]", "[300,300]", folder=tmp_path, common=("data.batch_size=32",)) == [[0, 1]]


@pytest.mark.slow
def test_many_of_one_structure_have_a_stack_of_their_own(tmp_path: Path) -> None:
    assert [len(part) for part in numbers_of("[8]", "[9]", folder=tmp_path, n_seeds=32)] == [32, 32]
    assert [len(part) for part in numbers_of("[8]", "[9]", folder=tmp_path, n_seeds=16)] == [32]
