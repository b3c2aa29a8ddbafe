"""Tiles that are trained at the same time leave what they leave one after the other, wherever a signal meets them."""

import threading
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from src.config.command import interrupts
from src.tasks.training.threads import computing_threads
from src.vmap.module import StackedModule
from src.vmap.tile import Tile
from src.vmap.train import StackOptions, train_stack
from tests.vmap.stacked_jobs import make_jobs, result_of, rows_of

GIVEN = ["trainer.max_epochs=40", "logger=csv", "callbacks=early_stopping", "task.log_every_n_epochs=10"]
MODELS = [(f"seed={seed}", f"callbacks.early_stopping.min_delta={delta}") for seed in range(4) for delta in (0.0, 1.0)]
OPTIONS = StackOptions(models_per_step=2)


class Doubled(nn.BCEWithLogitsLoss):
    """A loss of one's own."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 2 * super().forward(outputs, targets)


@pytest.fixture(autouse=True)
def two_threads() -> Any:
    with computing_threads(2, None):
        yield


def trained(tmp_path: Path, *given: str) -> list[tuple[Any, Any]]:
    """Rows and metrics of each model."""
    jobs = make_jobs([*GIVEN, *given], MODELS, tmp_path)
    assert [outcome.status for outcome in train_stack(jobs, OPTIONS)] == ["completed"] * len(jobs)
    return [(rows_of(job.run_dir), result_of(job.run_dir)["metrics"]) for job in jobs]


@pytest.fixture
def trained_by(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, range]]:
    """Threads that train, and the epochs of each call."""
    calls: list[tuple[str, range]] = []
    train = Tile.train

    def note(tile: Tile, block: Any, schedule: Any) -> None:
        before = tile.epoch
        train(tile, block, schedule)
        calls.append((threading.current_thread().name, range(before, tile.epoch)))

    monkeypatch.setattr(Tile, "train", note)
    return calls


@pytest.mark.parametrize("model", ["circle_v2", "mlp"])
def test_numbers_do_not_depend_on_how_many_tiles_are_trained_at_once(
    tmp_path: Path, model: str, trained_by: list[tuple[str, range]]
) -> None:
    beside = trained(tmp_path / "beside", f"model={model}")
    assert all("ThreadPool" in name for name, _ in trained_by)
    trained_by.clear()
    in_turn = trained(tmp_path / "in_turn", f"model={model}", "threads=1")
    assert {name for name, _ in trained_by} == {threading.current_thread().name}
    assert beside == in_turn


@pytest.mark.parametrize(
    "given",
    [
        ["model=mlp", "model.net.dropout=0.5"],
        ["model=mlp", "model.net.norm=batch"],
        ["model=circle_v2", "loss._target_=tests.vmap.test_beside.Doubled"],
    ],
)
def test_what_shares_a_module_is_trained_in_turn(
    tmp_path: Path, given: list[str], trained_by: list[tuple[str, range]]
) -> None:
    trained(tmp_path, *given)
    assert {name for name, _ in trained_by} == {threading.current_thread().name}


def test_after_a_signal_all_tiles_come_as_far_as_the_last_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = trained(tmp_path / "whole", "model=circle_v2")
    stops = iter([13, 11, 17, 12])
    asked: list[int] = []

    def until_asked(epochs: Any) -> Any:
        stop = next(stops, None) if 13 in epochs else None
        for epoch in epochs:
            yield epoch
            if epoch == stop:
                asked.append(epoch)
                return

    reached: list[tuple[range, list[int]]] = []
    beside = StackedModule._train_beside

    def note(module: StackedModule, tiles: Any, whole: range) -> range:
        block = beside(module, tiles, whole)
        reached.append((block, [tile.epoch for tile in tiles]))
        return block

    monkeypatch.setattr(interrupts, "until_asked", until_asked)
    monkeypatch.setattr(StackedModule, "_train_beside", note)
    disturbed = trained(tmp_path / "parts", "model=circle_v2")
    assert sorted(asked) == [11, 12, 13, 17]
    assert [epochs for block, epochs in reached if block.stop == 18] == [[17, 17, 17, 17]]
    assert disturbed == undisturbed
