"""Benchmarks say when they cannot be trusted, and compare what computes the same."""

import pytest
import torch

from benchmarks.big_data import built_for
from benchmarks.problem import circle_net, circles, plain_loop
from benchmarks.small_data import ours_per_epoch
from benchmarks.timing import Claim, check_weights, difference, in_turn


def test_a_promise_holds_by_the_median_of_the_pairs() -> None:
    claim = Claim("a / b", [1.0, 1.1, 5.0], [1.0, 1.0, 1.0], target=1.25)
    assert claim.ratio == 1.1
    assert claim.holds()
    assert claim.verdict() == "met, noisy: pairs from 1.00 to 5.00"
    assert not Claim("a / b", [2.0], [1.0], target=1.25).holds()
    assert Claim("a / b", [2.0], [1.0], target=1.25).verdict() == "missed"
    assert Claim("a / b", [2.0], [1.0]).verdict() == "reported"


def test_different_weights_cannot_be_compared() -> None:
    claim, nan = Claim("a / b", [1.0], [1.0], target=2), Claim("a / b", [1.0], [1.0])
    check_weights(claim, [torch.zeros(2)], [torch.tensor([0.0, 0.1])])
    assert not claim.holds()
    assert claim.verdict() == "not comparable: weights differ by 1.0e-01"
    check_weights(nan, [torch.tensor([torch.nan])], [torch.zeros(1)])
    assert not nan.holds()


def test_pairs_are_run_in_turn_after_one_run_that_does_not_count() -> None:
    order: list[str] = []

    def note(letter: str, seconds: float) -> float:
        order.append(letter)
        return seconds

    claim = in_turn(
        "a / b", lambda: note("a", 1.0), lambda: note("b", 2.0), pairs=2, check=lambda _: order.append("check")
    )
    assert order == ["a", "b", "check", "a", "b", "a", "b"]
    assert claim.ratios == [0.5, 0.5]


def test_the_plain_loop_and_a_run_reach_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.small_data.EPOCHS", 20)
    _, ours, metrics = ours_per_epoch("task.eval_every_n_epochs=1", "task.log_every_n_epochs=10")
    net, parts = circle_net(), circles().make_parts()
    _, last = plain_loop(net, parts.train, parts.val, 20)
    assert difference(ours, list(net.parameters())) <= 1e-6
    names = ("train/loss", "train/accuracy", "val/loss", "val/accuracy")
    assert [metrics[name] for name in names] == pytest.approx(last, abs=1e-6)


def test_big_data_are_as_many_as_asked() -> None:
    assert len(built_for(8_000, epochs=1).datamodule.parts.train.x) == 8_000
