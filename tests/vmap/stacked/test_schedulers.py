"""Learning rates of many models against torch's schedulers, one each."""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ReduceLROnPlateau

from src.tasks.schedulers import chained, sequential, warmup_cosine
from src.vmap.stacked.schedulers import OptimizerRecipe, StackedPlateau, StackedScheduler, stacked_scheduler

N_EPOCHS = 40

Make = Callable[[optim.Optimizer], Any]


def recipe(lr: float, scheduler: Make | None) -> OptimizerRecipe:
    return OptimizerRecipe(partial(optim.SGD, lr=lr), scheduler)


def torch_rates(lr: float, scheduler: Make | None, losses: list[float]) -> tuple[list[float], dict[str, Any] | None]:
    """StackedScheduler of all epochs by torch's own scheduler, and its state at the end."""
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)
    made = None if scheduler is None else scheduler(optimizer)
    rates: list[float] = []
    for loss in losses:
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if isinstance(made, ReduceLROnPlateau):
            made.step(loss)
        elif made is not None:
            made.step()
    return rates, None if made is None else made.state_dict()


STEPS: list[Make] = [
    partial(lr_scheduler.LinearLR, start_factor=0.1, total_iters=8),
    partial(lr_scheduler.ExponentialLR, gamma=0.9),
    partial(lr_scheduler.StepLR, step_size=4),
]
WALKING: list[tuple[float, Make | None]] = [
    (0.1, None),
    (0.3, partial(lr_scheduler.StepLR, step_size=7, gamma=0.5)),
    (0.2, partial(lr_scheduler.StepLR, step_size=3, gamma=0.9)),
    (0.1, partial(lr_scheduler.CosineAnnealingLR, T_max=N_EPOCHS)),
    (0.4, partial(lr_scheduler.ExponentialLR, gamma=0.97)),
    (0.2, partial(warmup_cosine, warmup_epochs=5, max_epochs=N_EPOCHS, start_factor=0.1, eta_min=0.01)),
    (0.3, partial(sequential, schedulers=STEPS, milestones=[10, 25])),
    (0.3, partial(chained, schedulers=STEPS)),
]


def test_rates_are_those_of_torchs_schedulers_to_the_bit() -> None:
    made = [recipe(lr, scheduler) for lr, scheduler in WALKING]
    # many models share a recipe
    order = [0, 1, 1, 2, 4, 3, 0, 5, 6, 7, 5]
    rates = stacked_scheduler([made[i] for i in order])
    assert type(rates) is StackedScheduler
    seen: list[torch.Tensor] = []
    for _ in range(N_EPOCHS):
        seen.append(rates.lr)
        rates.step(None)
    for i, which in enumerate(order):
        expected, state = torch_rates(*WALKING[which], [0.0] * N_EPOCHS)
        assert [lr[i].item() for lr in seen] == expected
        assert rates.state_dict_of(i) == state


def test_rates_go_on_from_their_state() -> None:
    made = [recipe(lr, scheduler) for lr, scheduler in WALKING]
    whole, first = stacked_scheduler(made), stacked_scheduler(made)
    for _ in range(11):
        whole.step(None)
        first.step(None)
    second = stacked_scheduler([recipe(lr, scheduler) for lr, scheduler in WALKING])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(11, N_EPOCHS):
        assert torch.equal(second.lr, whole.lr)
        whole.step(None)
        second.step(None)


@pytest.mark.parametrize(
    "common",
    [{}, {"threshold_mode": "abs"}, {"mode": "max"}, {"mode": "max", "threshold_mode": "abs"}],
    ids=lambda common: "-".join(common.values()) or "default",
)
def test_a_plateau_is_each_models_own(common: dict[str, Any]) -> None:
    numbers: list[dict[str, Any]] = [
        {"factor": 0.5, "patience": 2},
        {"factor": 0.1, "patience": 0, "cooldown": 3, "min_lr": 1e-3},
        {"factor": 0.9, "patience": 1, "threshold": 0.05},
        {"factor": 0.5, "patience": 0, "eps": 0.04},
    ]
    rates = stacked_scheduler(
        [recipe(0.1 * (i + 1), partial(ReduceLROnPlateau, **common, **each)) for i, each in enumerate(numbers)]
    )
    assert type(rates) is StackedPlateau
    generator = torch.Generator().manual_seed(0)
    losses = 1 / torch.arange(1, N_EPOCHS + 1)[:, None] + 0.1 * torch.rand(N_EPOCHS, len(numbers), generator=generator)
    losses[20, 1] = torch.nan
    seen: list[torch.Tensor] = []
    for row in losses:
        seen.append(rates.lr)
        rates.step(row)
    assert len({tuple(lr.flatten().tolist()) for lr in seen}) > 5
    for i, each in enumerate(numbers):
        expected, state = torch_rates(
            0.1 * (i + 1), partial(ReduceLROnPlateau, **common, **each), losses[:, i].tolist()
        )
        assert [lr[i].item() for lr in seen] == expected
        assert rates.state_dict_of(i) == state


@pytest.mark.parametrize("places", [[4], [1, 2, 6], [3, 4, 5]])
def test_some_rates_go_on_without_the_others(places: list[int]) -> None:
    made = [recipe(lr, scheduler) for lr, scheduler in WALKING]
    recipes = [made[i] for i in (0, 1, 1, 2, 4, 3, 0)]
    assert_goes_on(recipes, places, [None] * 20)


@pytest.mark.parametrize("places", [[1], [0, 2]])
def test_some_plateaus_go_on_without_the_others(places: list[int]) -> None:
    losses = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))
    made = [recipe(0.1, partial(ReduceLROnPlateau, patience=patience)) for patience in (0, 1, 2)]
    assert_goes_on(made, places, list(losses))


def assert_goes_on(recipes: list[OptimizerRecipe], places: list[int], losses: Sequence[torch.Tensor | None]) -> None:
    """The schedulers at these places, parted from the others in the middle, give what they give beside them."""
    whole, part = stacked_scheduler(recipes), stacked_scheduler([recipes[i] for i in places])
    for loss in losses[:10]:
        whole.step(loss)
    part.load_state_dict(whole.cut(whole.state_dict(), places))
    for loss in losses[10:]:
        assert torch.equal(part.lr, whole.lr[places])
        whole.step(loss)
        part.step(None if loss is None else loss[places])
    for i, place in enumerate(places):
        assert part.state_dict_of(i) == whole.state_dict_of(place)


def test_groups_hold_the_numbers_of_each_model() -> None:
    rates = stacked_scheduler([recipe(0.1, None), recipe(0.2, None)])
    assert [group["lr"] for group in rates.groups] == [0.1, 0.2]
    assert all("params" not in group for group in rates.groups)
    assert recipe(0.1, None).kind is optim.SGD
