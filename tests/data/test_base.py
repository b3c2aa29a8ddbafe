"""Batches: what a pass holds, in which order, and what each process gets of it."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import Tensor, nn

from src.data.base import Batches, Part
from tests.data.test_sources import circles
from tests.tasks.runs import fit, small, trainer_in


def numbered(n: int) -> Part:
    """Samples that carry their own number."""
    return Part(torch.arange(float(n)).view(n, 1), torch.arange(n))


def passed(batches: Batches) -> list[int]:
    return [i for batch in batches for i in batch.y.tolist()]


SIZES = [(1, 1), (10, None), (10, 1), (10, 3), (10, 5), (10, 10), (10, 99), (257, 64)]


@pytest.mark.parametrize(("n", "size"), SIZES)
@pytest.mark.parametrize("seed", [None, 0, 42])
def test_a_pass_holds_every_sample_once(n: int, size: int | None, seed: int | None) -> None:
    batches = Batches(numbered(n), batch_size=size, seed=seed)
    for epoch in range(3):
        batches.set_epoch(epoch)
        found = list(batches)
        assert sorted(i for batch in found for i in batch.y.tolist()) == list(range(n))
        assert all(torch.equal(batch.x.flatten().long(), batch.y) for batch in found)
        assert len(found) == len(batches) == -(-n // min(size or n, n))
        assert all(len(batch.x) == min(size or n, n) for batch in found[:-1])
        assert sum(batch.share for batch in found) == pytest.approx(1)
        assert [batch.scale for batch in found] == [1] * len(found)


def test_without_a_seed_samples_keep_their_order_in_every_epoch() -> None:
    batches = Batches(numbered(10), batch_size=3)
    batches.set_epoch(5)
    assert batches.order() is None
    assert passed(batches) == list(range(10))


def test_a_whole_part_is_handed_over_without_a_copy() -> None:
    part = numbered(10)
    (batch,) = Batches(part, batch_size=None, seed=3)
    assert batch.x is part.x
    assert batch.share == 1


def test_order_depends_on_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        torch.manual_seed(torch.seed() % 1000)
        batches = Batches(numbered(50), batch_size=7, seed=seed)
        batches.set_epoch(epoch)
        return passed(batches)

    assert order(1, 4) == order(1, 4)
    seen = {tuple(order(seed, epoch)) for seed in (0, 1, 42, 2**32 - 1) for epoch in (0, 1, 2, 1000)}
    assert len(seen) == 16


def test_order_does_not_depend_on_the_size_of_the_batches() -> None:
    assert passed(Batches(numbered(50), batch_size=7, seed=1)) == passed(Batches(numbered(50), batch_size=20, seed=1))


def test_order_takes_nothing_from_the_global_generator() -> None:
    before = torch.get_rng_state()
    passed(Batches(numbered(50), batch_size=7, seed=1))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("limit", "n_batches"), [(None, 4), (1, 1), (3, 3), (99, 4), (0, 0), (1.0, 4), (0.5, 2), (0.6, 2), (0.01, 1)]
)
def test_limit_is_a_number_or_a_share_of_the_batches(limit: float | None, n_batches: int) -> None:
    batches = Batches(numbered(10), batch_size=3, limit=limit)
    found = list(batches)
    assert len(found) == len(batches) == n_batches
    assert sum(batch.share for batch in found) == pytest.approx(1 if n_batches else 0)
    assert [i for batch in found for i in batch.y.tolist()] == list(range(10))[: 3 * n_batches]


@pytest.mark.parametrize(
    ("n", "size", "n_batches", "n_left_out"),
    [(10, 3, 3, 1), (10, 5, 2, 0), (10, 4, 2, 2), (10, 1, 10, 0), (10, 10, 1, 0), (10, 99, 1, 0), (10, None, 1, 0)],
)
@pytest.mark.parametrize("seed", [None, 3])
def test_a_last_batch_that_is_smaller_can_be_left_out(
    n: int, size: int | None, n_batches: int, n_left_out: int, seed: int | None
) -> None:
    batches = Batches(numbered(n), batch_size=size, seed=seed, drop_last=True)
    found = list(batches)
    assert len(found) == len(batches) == n_batches
    assert {len(batch.x) for batch in found} == {min(size or n, n)}
    assert len({i for batch in found for i in batch.y.tolist()}) == n - n_left_out
    assert sum(batch.share for batch in found) == pytest.approx(1)
    whole = Batches(numbered(n), batch_size=size, seed=seed)
    assert [batch.y.tolist() for batch in found] == [batch.y.tolist() for batch in whole][:n_batches]


def test_what_is_left_out_differs_from_epoch_to_epoch() -> None:
    batches = Batches(numbered(10), batch_size=3, seed=0, drop_last=True)
    left_out = set()
    for epoch in range(20):
        batches.set_epoch(epoch)
        left_out |= set(range(10)) - set(passed(batches))
    assert len(left_out) > 5


def test_a_share_of_the_batches_is_one_of_those_that_are_not_left_out() -> None:
    assert len(Batches(numbered(10), batch_size=3, drop_last=True, limit=0.7)) == 2
    assert len(Batches(numbered(10), batch_size=3, drop_last=True, limit=3)) == 3


@pytest.mark.parametrize("value", [1, "yes", None])
def test_leaving_out_is_yes_or_no(value: Any) -> None:
    with pytest.raises(ValueError, match=r"data\.drop_last must be true or false"):
        circles(drop_last=value)


@pytest.mark.parametrize(("drop_last", "n_steps"), [(False, 14), (True, 13)])
def test_training_leaves_the_last_batch_out_and_evaluation_does_not(
    tmp_path: Path, n_steps: int, *, drop_last: bool
) -> None:
    overrides = ["data.n_samples=67", "data.batch_size=4", f"data.drop_last={drop_last}", "trainer.max_epochs=1"]
    built = fit(small(*overrides, run_dir=tmp_path))
    assert built.trainer.global_step == n_steps
    assert sum(len(batch.x) for batch in built.datamodule.test_dataloader()) == 14


@pytest.mark.parametrize(("n", "size"), SIZES)
@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("limit", [None, 2])
def test_processes_share_each_batch_without_overlap(
    n: int, size: int | None, world_size: int, limit: int | None
) -> None:
    def of(rank: int, world_size: int) -> list[Any]:
        batches = Batches(numbered(n), batch_size=size, seed=5, limit=limit, rank=rank, world_size=world_size)
        batches.set_epoch(2)
        return list(batches)

    ranks = [of(rank, world_size) for rank in range(world_size)]
    for whole, *all_ranks in zip(of(0, 1), *ranks, strict=True):
        # a process that has no sample of a batch gets one that does not count
        mine = [batch for batch in all_ranks if batch.share]
        assert all(len(batch.y) == 1 and batch.scale == 0 for batch in all_ranks if not batch.share)
        assert sorted(whole.y.tolist()) == sorted(i for batch in mine for i in batch.y.tolist())
        assert sum(batch.share for batch in mine) == pytest.approx(whole.share)
        # DistributedDataParallel averages over processes: the scaled mean of means is the mean over the batch
        assert sum(batch.scale for batch in mine) == pytest.approx(world_size)
        assert [batch.scale for batch in mine] == [len(b.y) * world_size / len(whole.y) for b in mine]
    assert sum(batch.share for rank in ranks for batch in rank) == pytest.approx(1)


@pytest.mark.parametrize(("n", "size", "world_size"), [(10, None, 3), (10, 4, 2), (9, 4, 2), (10, 4, 3)])
def test_gradients_and_losses_of_all_processes_make_those_of_the_whole(n: int, size: int, world_size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    part = Part(torch.randn(n, 3, generator=generator), torch.randn(n, 1, generator=generator))
    net = nn.Linear(3, 1)

    def gradients(batches: Batches) -> tuple[list[Tensor], float]:
        losses = [(nn.functional.mse_loss(net(b.x), b.y), b) for b in batches]
        grads = [torch.autograd.grad(loss * b.scale, net.weight)[0] for loss, b in losses]
        return grads, sum(loss.item() * b.share for loss, b in losses)

    expected, loss = gradients(Batches(part, batch_size=size, seed=1))
    ranks = [
        gradients(Batches(part, batch_size=size, seed=1, rank=r, world_size=world_size)) for r in range(world_size)
    ]
    for whole, *mine in zip(expected, *(grads for grads, _ in ranks), strict=True):
        torch.testing.assert_close(torch.stack(mine).mean(0), whole)
    assert sum(part for _, part in ranks) == pytest.approx(loss)


def test_without_a_trainer_training_batches_are_small_and_the_others_whole() -> None:
    data = circles(batch_size=64)
    data.setup("fit")
    train, val, test = data.train_dataloader(), data.val_dataloader(), data.test_dataloader()
    assert isinstance(val, Batches)
    assert (len(train), len(val), len(test)) == (13, 1, 1)
    assert (train.seed, val.seed, test.seed) == (42, None, None)


def test_a_task_that_trains_in_blocks_gets_the_whole_part(tmp_path: Path) -> None:
    built = fit(small("data.n_samples=50", "data.batch_size=8", "trainer.max_epochs=1", run_dir=tmp_path))
    data = built.datamodule
    assert len(data.train_dataloader()) == 1
    # fitting is what it did last
    assert data.val_dataloader() == []
    built.trainer.validate(built.task, datamodule=data, verbose=False)
    assert isinstance(data.val_dataloader(), Batches)


class Plain(pl.LightningModule):
    """A module that knows nothing of blocks, as a user may bring it."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(2, 1)
        self.orders: dict[int, list[float]] = {}

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:  # noqa: ARG002 - Lightning's signature
        self.orders.setdefault(self.current_epoch, []).extend(batch.x[:, 0].tolist())
        loss: Tensor = self.net(batch.x).square().mean()
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:  # noqa: ARG002 - Lightning's signature
        self.n_validated = len(batch.x)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.net.parameters(), lr=0.1)


@pytest.fixture
def plain(tmp_path: Path) -> Plain:
    module, data = Plain(), circles(n_samples=50, batch_size=16)
    trainer_in(tmp_path, max_epochs=3).fit(module, datamodule=data)
    return module


def test_a_plain_module_trains_on_every_sample_and_validates(plain: Plain) -> None:
    assert [len(order) for order in plain.orders.values()] == [40, 40, 40]
    assert len({tuple(sorted(order)) for order in plain.orders.values()}) == 1
    assert plain.n_validated == 200


def test_a_plain_module_sees_a_new_order_every_epoch(plain: Plain) -> None:
    assert len({tuple(order) for order in plain.orders.values()}) == 3
