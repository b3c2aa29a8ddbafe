"""Whether an optimiser acts on every number by itself, found by steps on random gradients, without any training.

A trial of a few epochs shows neither what an optimiser does later, such as a warm-up that ends, nor what large or small
gradients make it do, such as clipping.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from src.tasks.base import OptimizerFactory
from src.vmap.errors import NotStackedError

# Rows and numbers of a row.
_SHAPE = (2, 4)

# Powers of ten between which gradients lie.
_POWERS = (-5, 4)

# Most steps that are tried.
_MOST_STEPS = 2000


def check_elementwise(factory: OptimizerFactory, *, n_steps: int) -> None:
    """Step two rows of numbers, once as one parameter and once with a parameter for each number.

    Args:
        factory: Makes the optimiser.
        n_steps: Steps of the training that it is meant for; of many the first ones are taken.

    Raises:
        NotStackedError: If the two part, if numbers of the optimiser change, or if what it keeps does.
    """
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(_SHAPE, generator=generator, dtype=torch.float64)
    whole = nn.Parameter(first.clone())
    single = [nn.Parameter(number.clone()) for number in first.view(-1, 1)]
    together, apart = factory([whole]), factory(single)
    name = type(together).__name__
    numbers = _numbers(together)
    kept: set[str] | None = None
    for step in range(min(n_steps, _MOST_STEPS)):
        power = torch.empty(_SHAPE, dtype=torch.float64).uniform_(*_POWERS, generator=generator)
        grad = torch.randn(_SHAPE, generator=generator, dtype=torch.float64) * 10**power
        whole.grad = grad.clone()
        for parameter, each in zip(single, grad.view(-1, 1), strict=True):
            parameter.grad = each.clone()
        try:
            together.step()
            apart.step()
        except (TypeError, AttributeError) as error:
            raise NotStackedError(f"a step of {name} needs more than gradients, such as a closure: {error}") from error
        expected = torch.cat([each.detach() for each in single]).view(_SHAPE)
        # several numbers at once are rounded in another way than one
        if not torch.allclose(whole.detach(), expected, rtol=1e-9, atol=1e-12, equal_nan=True):
            raise NotStackedError(f"{name} does not act on every number by itself (seen at step {step + 1})")
        if changed := [key for key, value in _numbers(together).items() if numbers.get(key) != value]:
            raise NotStackedError(f"{name} changes {', '.join(changed)} of its group (seen at step {step + 1})")
        names = set(together.state.get(whole, {}))
        if kept is not None and names != kept:
            late = ", ".join(sorted(names ^ kept))
            raise NotStackedError(f"{name} begins or ends to keep {late} at step {step + 1}")
        kept = names


def _numbers(optimizer: Optimizer) -> Mapping[str, Any]:
    return {key: value for key, value in optimizer.param_groups[0].items() if key != "params"}
