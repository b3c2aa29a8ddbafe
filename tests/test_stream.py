"""A table is streamed: every row once, in memory that does not grow with it."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from benchmarks.streamed import FEATURES, built_for, write_table
from src.build import build
from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.eval import evaluate
from src.modules.stream import PARTS, Moments, StreamedTable, part_of
from src.run.directory import RunDir
from src.train import train


def streamed(file: Path, **changes: Any) -> StreamedTable:
    given = {
        "features": FEATURES,
        "target": "y",
        "chunk_rows": 70,
        "batch_size": 16,
        "val_size": 0.2,
        "test_size": 0.1,
        "split_seed": 3,
        "num_workers": 0,
        **changes,
    }
    return StreamedTable(file=str(file), **given)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "table.csv", 1000)


def rows_of(data: StreamedTable, part: str) -> np.ndarray[Any, Any]:
    """What a pass gives, features and target, as they stand in the file; in an order of their own."""
    batches = [torch.cat(batch, dim=1).double().numpy() for batch in data._loader(part)]
    assert data.moments is not None
    rows: np.ndarray[Any, Any] = np.concatenate(batches) * data.moments.std + data.moments.mean
    return rows[np.lexsort(rows.T[::-1])]


def test_every_row_is_in_one_part_and_comes_once(table: Path) -> None:
    data = streamed(table)
    data.setup("fit")
    rows = np.concatenate([rows_of(data, part) for part in PARTS])
    expected = np.loadtxt(table, delimiter=",", skiprows=1)
    # the fields of the file have five digits
    assert sorted(map(tuple, rows.round(5))) == sorted(map(tuple, expected))
    assert list(data.n_rows.values()) == pytest.approx([700, 200, 100], abs=60)


def test_the_training_part_is_standardised_and_the_others_by_its_measures(table: Path) -> None:
    data = streamed(table)
    data.setup("fit")
    x = torch.cat([torch.cat(batch, dim=1) for batch in data.train_dataloader()])
    torch.testing.assert_close(x.mean(dim=0), torch.zeros(5), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(dim=0, correction=0), torch.ones(5), atol=1e-4, rtol=0)
    whole = np.loadtxt(table, delimiter=",", skiprows=1)
    train = part_of(np.arange(1000), seed=3, val_size=0.2, test_size=0.1) == 0
    assert data.moments is not None
    np.testing.assert_allclose(data.moments.mean, whole[train].mean(axis=0))
    np.testing.assert_allclose(data.moments.std, whole[train].std(axis=0))


def test_parts_and_measures_do_not_depend_on_the_chunks(table: Path) -> None:
    small, large = streamed(table, chunk_rows=7), streamed(table, chunk_rows=5000)
    for data in (small, large):
        data.setup("fit")
    assert small.n_rows == large.n_rows
    for part in PARTS:
        np.testing.assert_allclose(rows_of(small, part), rows_of(large, part), atol=1e-4)


def test_another_seed_draws_other_parts_of_the_same_shares() -> None:
    numbers = np.arange(100_000)
    one, other = (part_of(numbers, seed=seed, val_size=0.2, test_size=0.1) for seed in (0, 1))
    assert np.bincount(one) / 1e5 == pytest.approx([0.7, 0.2, 0.1], abs=0.01)
    # as often together as two that know nothing of each other
    assert (one == other).mean() == pytest.approx(0.49 + 0.04 + 0.01, abs=0.01)


def test_batches_are_full_but_the_last_one_and_come_in_a_new_order(table: Path) -> None:
    data = streamed(table)
    data.setup("fit")
    torch.manual_seed(0)
    loader = data.train_dataloader()
    first, second = ([x for x, _ in loader] for _ in range(2))
    assert {len(x) for x in first[:-1]} == {16}
    assert sum(map(len, first)) == data.n_rows["train"]
    assert not torch.equal(first[0], second[0])
    torch.manual_seed(0)
    assert all(torch.equal(a, b) for a, b in zip(first, (x for x, _ in data.train_dataloader()), strict=True))


class Worker(NamedTuple):
    """What PyTorch tells a worker of itself."""

    id: int
    num_workers: int


def test_workers_share_the_rows_between_them(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = streamed(table)
    data.setup("fit")
    alone = torch.cat([x for x, _ in data._loader("train")])

    def of(worker: int) -> Iterator[torch.Tensor]:
        monkeypatch.setattr("src.modules.stream.get_worker_info", lambda: Worker(worker, 3))
        for x, _ in data.stream("train"):
            yield from x

    shared = torch.stack([row for worker in range(3) for row in of(worker)])
    assert sorted(shared.tolist()) == sorted(alone.tolist())


@pytest.mark.slow
def test_processes_that_read_give_what_one_gives(table: Path) -> None:
    data, alone = streamed(table, num_workers=2), streamed(table)
    data.setup("fit")
    alone.setup("fit")
    np.testing.assert_allclose(rows_of(data, "val"), rows_of(alone, "val"), atol=1e-6)


def test_measures_of_chunks_are_those_of_all_rows() -> None:
    rows = np.random.default_rng(0).normal(1e6, 1e-1, size=(1000, 2))
    moments = Moments()
    for some in (rows[:1], rows[1:1], rows[1:400], rows[400:]):
        moments.add(some)
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0))
    np.testing.assert_allclose(moments.std, rows.std(axis=0), rtol=1e-6)
    constant = Moments()
    constant.add(np.ones((3, 1)))
    assert constant.std == [1.0]


def peak_of_a_pass(file: Path) -> int:
    """Most bytes that measuring and one epoch hold at a time; NumPy tells Python of its arrays."""
    data = streamed(file, chunk_rows=500)
    tracemalloc.start()
    try:
        data.setup("fit")
        n = sum(len(x) for x, _ in data.train_dataloader())
        assert n == data.n_rows["train"]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_chunks_however_long_the_table_is(tmp_path: Path) -> None:
    short, long = (write_table(tmp_path / f"{n}.csv", n, chunk_rows=1000) for n in (2_000, 20_000))
    peak_of_a_pass(short)
    of_short, of_long = peak_of_a_pass(short), peak_of_a_pass(long)
    assert of_long < 1.2 * of_short
    assert of_long < long.stat().st_size / 2


@pytest.mark.slow
def test_a_streamed_table_is_learnt_and_measured_again(tmp_path: Path) -> None:
    file = write_table(tmp_path / "table.csv", 20_000)
    given = ["module=table_mlp", f"data.file={file}", "data.features=[a,b,c,d]", "data.target=y", "trainer=cpu"]
    train(compose_train(given, run_dir=tmp_path / "run"))
    result = RunDir(tmp_path / "run").result()
    assert result is not None
    assert (result.metrics["test/loss"] or 1) < 0.02
    evaluated = evaluate(OmegaConf.create({"run": str(tmp_path / "run"), "checkpoint": "best", "overrides": []}))
    assert evaluated.metrics == pytest.approx({k: v for k, v in result.metrics.items() if not k.startswith("train")})


def test_an_epoch_of_a_run_sees_every_training_row_once(table: Path) -> None:
    built = built_for(table, "data.chunk_rows=100", "data.batch_size=32")
    built.fit()
    n_steps = -(-built.datamodule.n_rows["train"] // 32)
    assert built.trainer.global_step == n_steps
    assert built.trainer.callback_metrics["val/loss"].isfinite()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.file=/dev/zero", r"data\.file=/dev/zero cannot be read: it is no file but a directory or a device"),
        ("data.file=nowhere.csv", r"data\.file=nowhere\.csv cannot be read: No such file"),
        ("data.target=yy", r"data\.file=.*table\.csv has no column 'yy'; did you mean y\?"),
        ("data.features=[]", r"data\.features is empty"),
        ("data.val_size=0.95", r"data\.val_size=0\.95 and data\.test_size=0\.1 leave nothing for training"),
        ("data.val_size=0", r"data\.val_size.*got 0; allowed: a number greater than 0"),
        ("data.file=???", r"data\.file.*: no value; give data\.file=\.\.\."),
    ],
)
def test_what_no_table_can_be_is_refused(override: str, message: str, table: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        built_for(table, override)


@pytest.mark.parametrize(
    ("line", "message"),
    [("1,2,3,x,5\n", "among the 1 rows from row 1000 on: .*x"), ("1,2,3,nan,5\n", "a number is not finite")],
)
def test_a_field_that_is_no_number_is_told_with_its_place(line: str, message: str, table: Path) -> None:
    with table.open("a") as file:
        file.write(line)
    with pytest.raises(ConfigError, match=message):
        streamed(table, chunk_rows=100).setup("fit")


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"too few rows, none for train"):
        streamed(write_table(tmp_path / "table.csv", 0)).setup("fit")


def test_a_run_without_a_file_says_which_keys_are_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.features \(conf/data/table_stream\.yaml, line 8\): no value"):
        build(compose_train(["module=table_mlp"], run_dir=tmp_path))
