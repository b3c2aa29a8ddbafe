"""How many threads torch takes: one for little work, what is asked for, and afterwards those of before."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from src.config.compose import compose_train
from src.run.directory import RunDir
from src.tasks.training.threads import computing_threads, multiplications
from src.train import train


@pytest.fixture(autouse=True)
def three_threads() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "work", "n"),
    [(None, 10_000, 1), (None, 1e9, 3), (None, None, 3), (2, 10_000, 2), (2, 1e9, 2), (5, None, 5), (3, 1, 3)],
)
def test_little_work_takes_one_thread_and_what_is_asked_for_is_done(
    asked: int | None, work: float | None, n: int
) -> None:
    with computing_threads(asked, work) as found:
        assert found == torch.get_num_threads() == n
    assert torch.get_num_threads() == 3
    with pytest.raises(ZeroDivisionError), computing_threads(asked, work):
        raise ZeroDivisionError
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize(
    ("net", "n_features", "each"),
    [
        (nn.Linear(2, 3), 2, 6),
        (nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)), 2, 24),
        (nn.Sequential(nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 16, 3), nn.Flatten()), 64, 16 * 9 * 36),
    ],
)
def test_multiplications_are_counted_by_weights_and_the_places_where_they_are_used(
    net: nn.Module, n_features: int, each: int
) -> None:
    x = torch.randn(100, n_features)
    assert multiplications(net, x, batch_size=None) == 100 * each
    assert multiplications(net, x, batch_size=30) == 30 * each
    assert multiplications(net, x, batch_size=300) == 100 * each


def test_counting_leaves_a_network_as_it_is() -> None:
    net = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1))
    net[2].eval()
    x, before = torch.randn(5, 2), {name: value.clone() for name, value in net.state_dict().items()}
    drawn = torch.get_rng_state()
    assert multiplications(net, x, batch_size=1) == 12
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert [module.training for module in net] == [True, True, False, True]
    assert torch.equal(torch.get_rng_state(), drawn)
    assert multiplications(nn.Linear(3, 1), torch.randn(5, 2), batch_size=1) is None


def rows(run_dir: Path) -> list[dict[str, str]]:
    with (run_dir / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_run_says_how_many_it_has_taken_and_its_numbers_do_not_depend_on_it(tmp_path: Path) -> None:
    given = ["trainer.max_epochs=5", "logger=csv", "callbacks=none"]
    for name, more, n in (("chosen", [], 1), ("two", ["threads=2"], 2)):
        train(compose_train([*given, *more], run_dir=tmp_path / name))
        result = RunDir(tmp_path / name).result()
        assert result is not None
        assert result.threads == n
    assert rows(tmp_path / "chosen") == rows(tmp_path / "two")
    # another number is no other run
    assert RunDir(tmp_path / "two").look(compose_train(given, run_dir=tmp_path / "two")) == "completed"
