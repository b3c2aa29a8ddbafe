"""Optimisers of any class on many models at once, against the same class on each model by itself."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn, optim
from torch.optim import lr_scheduler

from src.tasks.base import OptimizerFactory
from src.vmap.errors import NotStackedError
from src.vmap.stacked.optimizers import STACKED, StackedOptimizer
from src.vmap.stacked.schedulers import OptimizerRecipe, StackedScheduler, stacked_scheduler
from src.vmap.stacked.torch_optimizer import TorchOptimizer, stacked_optimizer
from tests.vmap.stacked_jobs import assert_near

N_STEPS = 12
# of the two parameters of a model
SHAPES = ((2, 3), (4,))


class Lion(optim.Optimizer):
    """Signs of a moving mean (Chen et al., 2023), as anybody would write it."""

    def __init__(
        self, params: Iterable[Tensor], lr: float, betas: tuple[float, float], weight_decay: float = 0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state |= {"n": 0, "size": 0.0, "is_warm": False, "mean": torch.zeros_like(p), "name": "lion"}
                beta1, beta2 = group["betas"]
                state["n"], state["is_warm"] = state["n"] + 1, state["n"] > 3
                state["size"] += group["lr"]
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * torch.lerp(p.grad, state["mean"], beta1).sign())
                state["mean"] = torch.lerp(p.grad, state["mean"], beta2)


class Replacing(optim.SGD):
    """Puts other tensors in the place of its parameters."""

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)
        for p in self.param_groups[0]["params"]:
            p.data = p.data * 0.99


CASES: dict[str, tuple[type[optim.Optimizer], list[dict[str, Any]]]] = {
    "adadelta": (optim.Adadelta, [{"lr": 1.0, "rho": 0.5}, {"lr": 0.3, "weight_decay": 0.1}]),
    "adagrad": (
        optim.Adagrad,
        [{"lr": 0.1, "initial_accumulator_value": 0.5}, {"lr": 0.3, "lr_decay": 0.1, "weight_decay": 0.1}],
    ),
    "adamax": (optim.Adamax, [{"lr": 0.1, "betas": (0.5, 0.9)}, {"lr": 0.03, "maximize": True}]),
    "nadam": (optim.NAdam, [{"lr": 0.1, "momentum_decay": 0.1}, {"lr": 0.03, "weight_decay": 0.1}]),
    "radam": (optim.RAdam, [{"lr": 0.1, "betas": (0.9, 0.99)}, {"lr": 0.03, "decoupled_weight_decay": True}]),
    "asgd": (optim.ASGD, [{"lr": 0.1, "t0": 3}, {"lr": 0.03, "lambd": 0.1, "alpha": 0.5}]),
    "rprop": (optim.Rprop, [{"lr": 0.1, "etas": (0.3, 1.5)}, {"lr": 0.03, "step_sizes": (1e-3, 0.05)}]),
    "sgd": (optim.SGD, [{"lr": 0.1, "momentum": 0.9, "nesterov": True}, {"lr": 0.3}]),
    "adam": (optim.Adam, [{"lr": 0.1, "amsgrad": True}, {"lr": 0.3, "fused": True}]),
    "a class of one's own": (Lion, [{"lr": 0.1, "betas": (0.9, 0.99)}, {"lr": 0.03, "betas": (0.5, 0.5)}]),
    "other tensors": (Replacing, [{"lr": 0.1, "momentum": 0.5}, {"lr": 0.03}]),
}
# the first two models that share a recipe do not stand side by side
WHICH = (0, 1, 0, 1, 1)


def recipes_of(kind: Callable[..., optim.Optimizer], numbers: list[dict[str, Any]]) -> list[OptimizerRecipe]:
    falling = partial(lr_scheduler.ExponentialLR, gamma=0.9)
    distinct = [OptimizerRecipe(partial(kind, **each), falling) for each in numbers]
    return [distinct[i] for i in WHICH]


def split(row: Tensor) -> list[Tensor]:
    pieces = torch.split(row, [6, 4])
    return [piece.view(shape) for piece, shape in zip(pieces, SHAPES, strict=True)]


def first_weights(dtype: torch.dtype) -> Tensor:
    return torch.randn(len(WHICH), 10, generator=torch.Generator().manual_seed(0)).to(dtype)


def gradient(step: int, model: int, weights: Tensor) -> Tensor:
    """Of a bowl, with noise, so that moments have something to average."""
    generator = torch.Generator().manual_seed(step * 100 + model)
    return weights + 0.3 * torch.randn(len(weights), generator=generator).to(weights)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """As a trainer trains in double precision; what is made before it trains is made without it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class Single:
    """One model by an optimiser and a scheduler of its own."""

    def __init__(self, recipe: OptimizerRecipe, model: int, row: Tensor) -> None:
        self.model, self.parameters = model, [nn.Parameter(piece.clone()) for piece in split(row)]
        self.optimizer = recipe.optimizer(self.parameters)
        assert recipe.scheduler is not None
        self.scheduler = recipe.scheduler(self.optimizer)

    def step(self, step: int) -> None:
        gradients = split(gradient(step, self.model, self.weights))
        for parameter, grad in zip(self.parameters, gradients, strict=True):
            parameter.grad = grad.clone()
        self.optimizer.step()

    @property
    def weights(self) -> Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self.parameters])


class Stacked:
    """All models at once."""

    def __init__(self, recipes: list[OptimizerRecipe], weights: Tensor) -> None:
        self.weights, self.scheduler = weights.clone(), stacked_scheduler(recipes)
        self.optimizer = general(recipes, self.scheduler, self.weights)

    def steps(self, first: int, stop: int, *, models: Iterable[int] = range(len(WHICH))) -> None:
        for step in range(first, stop):
            self.optimizer.set_lr(self.scheduler.lr)
            grads = [gradient(step, i, row) for i, row in zip(models, self.weights, strict=True)]
            self.optimizer.step(self.weights, torch.stack(grads))
            self.scheduler.step(None)

    def state_dict_of(self, i: int, state: dict[str, Tensor], lr: Tensor) -> dict[str, Any]:
        return self.optimizer.state_dict_of(
            i, state, lr=lr[i].item(), n_steps=self.optimizer.n_steps, split=lambda row: [p.clone() for p in split(row)]
        )


def general(recipes: list[OptimizerRecipe], scheduler: StackedScheduler, weights: Tensor) -> StackedOptimizer:
    """Also for a class that has a form of its own."""
    return TorchOptimizer([recipe.optimizer for recipe in recipes], scheduler.alike, scheduler.groups, weights)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("case", CASES)
def test_each_model_moves_and_stores_as_by_itself(case: str, dtype: torch.dtype) -> None:
    recipes, weights = recipes_of(*CASES[case]), first_weights(dtype)
    stacked = Stacked(recipes, weights)
    singles = [Single(recipe, i, row) for i, (recipe, row) in enumerate(zip(recipes, weights, strict=True))]
    with default_dtype(dtype):
        for step in range(N_STEPS):
            lr = stacked.scheduler.lr
            stacked.steps(step, step + 1)
            for i, single in enumerate(singles):
                single.step(step)
                torch.testing.assert_close(stacked.weights[i], single.weights, rtol=0, atol=1e-6)
                found = stacked.state_dict_of(i, stacked.optimizer.state, lr)
                assert_near(found, single.optimizer.state_dict(), atol=1e-6, where=f"model {i} after step {step}")
                single.scheduler.step()


@pytest.mark.parametrize("case", CASES)
def test_a_state_that_was_kept_is_that_of_its_step(case: str) -> None:
    recipes, weights = recipes_of(*CASES[case]), first_weights(torch.float32)
    stacked = Stacked(recipes, weights)
    stacked.steps(0, 5)
    lr = stacked.scheduler.lr
    kept = {name: tensor.clone() for name, tensor in stacked.optimizer.state.items()}
    stacked.steps(5, N_STEPS)
    for i, (recipe, row) in enumerate(zip(recipes, weights, strict=True)):
        single = Single(recipe, i, row)
        for step in range(5):
            single.step(step)
            single.scheduler.step()
        assert_near(stacked.state_dict_of(i, kept, lr), single.optimizer.state_dict(), atol=1e-6, where=f"model {i}")


@pytest.mark.parametrize("case", CASES)
def test_a_stored_state_goes_on_bit_for_bit(case: str) -> None:
    recipes, weights = recipes_of(*CASES[case]), first_weights(torch.float32)
    through = Stacked(recipes, weights)
    through.steps(0, 5)
    file = io.BytesIO()
    torch.save([through.weights, through.optimizer.state_dict(), through.scheduler.state_dict()], file)
    file.seek(0)
    rows, optimizer, scheduler = torch.load(file, weights_only=True)
    later = Stacked(recipes, rows)
    later.optimizer.load_state_dict(optimizer)
    later.scheduler.load_state_dict(scheduler)
    for each in (through, later):
        each.steps(5, N_STEPS)
    assert torch.equal(through.weights, later.weights)
    assert_near(later.optimizer.state_dict(), through.optimizer.state_dict(), atol=0)


@pytest.mark.parametrize("places", [[1], [1, 2], [1, 2, 4], [0, 4]])
@pytest.mark.parametrize("case", CASES)
def test_some_models_go_on_without_the_others(case: str, places: list[int]) -> None:
    recipes, weights = recipes_of(*CASES[case]), first_weights(torch.float32)
    own = [recipes[i] for i in places]
    both = Stacked(recipes, weights), Stacked(own, weights[places])
    both[0].steps(0, 5)
    both[1].weights.copy_(both[0].weights[places])
    for part, whole in ((both[1].optimizer, both[0].optimizer), (both[1].scheduler, both[0].scheduler)):
        part.load_state_dict(whole.cut(whole.state_dict(), places))
    for step in range(5, N_STEPS):
        both[0].steps(step, step + 1)
        both[1].steps(step, step + 1, models=places)
    torch.testing.assert_close(both[0].weights[places], both[1].weights, rtol=0, atol=1e-6)
    found, expected = both[1].optimizer, both[0].optimizer
    assert_near(found.state_dict(), expected.cut(expected.state_dict(), places), atol=1e-6)


def test_what_is_stored_before_the_first_step_is_taken_up() -> None:
    recipes, weights = recipes_of(*CASES["adagrad"]), first_weights(torch.float32)
    through, later = Stacked(recipes, weights), Stacked(recipes, weights)
    later.optimizer.load_state_dict(through.optimizer.state_dict())
    for each in (through, later):
        each.steps(0, 3)
    assert torch.equal(through.weights, later.weights)


def test_models_whose_losses_decide_their_rates_step_by_themselves() -> None:
    plateau = partial(lr_scheduler.ReduceLROnPlateau, patience=0, factor=0.1)
    recipe = OptimizerRecipe(partial(optim.Adagrad, lr=0.1), plateau)
    weights = torch.ones(2, 3)
    scheduler = stacked_scheduler([recipe, recipe])
    optimizer = stacked_optimizer([recipe, recipe], scheduler, weights)
    for losses in ([1.0, 1.0], [0.5, 2.0], [0.2, 3.0]):
        optimizer.set_lr(scheduler.lr)
        optimizer.step(weights, torch.ones(2, 3))
        scheduler.step(torch.tensor(losses))
    assert scheduler.lr.squeeze(1).tolist() == pytest.approx([0.1, 0.001])
    # the second step of both is of 0.1, the third of 0.1 and 0.01; Adagrad divides by the root of the number of steps
    moved = [0.1 * (1 + 2**-0.5 + 3**-0.5), 0.1 * (1 + 2**-0.5 + 0.1 * 3**-0.5)]
    torch.testing.assert_close(weights, (1 - torch.tensor(moved)).unsqueeze(1).expand(2, 3))


def test_a_class_with_a_form_of_its_own_takes_it() -> None:
    for kind, form in STACKED.items():
        recipes = recipes_of(kind, [{"lr": 0.1}, {"lr": 0.2}])
        made = stacked_optimizer(recipes, stacked_scheduler(recipes), first_weights(torch.float32))
        assert type(made) is form


@pytest.mark.parametrize("kind", [optim.Adagrad, optim.NAdam, Lion])
def test_a_model_that_is_lost_leaves_the_others_alone(kind: type[optim.Optimizer]) -> None:
    numbers = {"lr": 0.1, "betas": (0.9, 0.99)} if kind is Lion else {"lr": 0.1}
    recipe = OptimizerRecipe(partial(kind, **numbers), None)
    both = torch.ones(2, 3)
    one = both[1:].clone()
    stacked, alone = (
        stacked_optimizer([recipe] * len(rows), stacked_scheduler([recipe] * len(rows)), rows) for rows in (both, one)
    )
    for step in range(3):
        grad = torch.full((3,), 1.0 + step)
        stacked.step(both, torch.stack([torch.full((3,), torch.nan), grad]))
        alone.step(one, grad.unsqueeze(0))
    assert torch.equal(both[1], one[0])


# What cannot be cut into models


class Changing(optim.SGD):
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)
        self.param_groups[0]["momentum"] *= 0.9


class Global(optim.SGD):
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)
        self.state["all"] = {"n": 1}  # type: ignore[index]


class Late(optim.SGD):
    n = 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)
        self.n += 1
        if self.n == 2:
            self.state[self.param_groups[0]["params"][0]]["late"] = 1


class Listing(optim.SGD):
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        super().step(closure)
        self.state[self.param_groups[0]["params"][0]]["seen"] = [1]


class Storing(optim.SGD):
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "more": 1}


def of_two_groups(params: Iterable[nn.Parameter]) -> optim.Optimizer:
    return optim.SGD([{"params": list(params)}, {"params": [nn.Parameter(torch.zeros(1))]}], lr=0.1)


def two_steps(recipe: OptimizerRecipe) -> dict[str, Tensor]:
    weights = torch.ones(2, 3)
    optimizer = general([recipe, recipe], stacked_scheduler([recipe, recipe]), weights)
    for _ in range(2):
        optimizer.step(weights, torch.ones(2, 3))
    return optimizer.state


@pytest.mark.parametrize(
    ("factory", "reason"),
    [
        (partial(optim.Adafactor, lr=0.1), r"Adafactor keeps a tensor \(2, 1\) as row_var, which is not a number for"),
        (partial(Changing, lr=0.1, momentum=0.5), "Changing changes momentum of its group at every step"),
        (partial(Global, lr=0.1), "Global keeps more than a state for each parameter"),
        (partial(Late, lr=0.1, momentum=0.5), "Late begins to keep late late"),
        (partial(Listing, lr=0.1), "Listing keeps a list as seen, which is not a number for each weight"),
        (partial(Storing, lr=0.1), "Storing stores its state in a way of its own"),
        (of_two_groups, "SGD makes several groups of its parameters"),
    ],
)
def test_a_class_that_cannot_be_stacked_says_why(factory: OptimizerFactory, reason: str) -> None:
    recipe = OptimizerRecipe(factory, None)
    with pytest.raises(NotStackedError, match=reason):
        two_steps(recipe)
