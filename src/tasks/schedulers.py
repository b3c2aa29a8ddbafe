"""Schedulers that are made of others, which a configuration could not name: torch's take the optimiser in each part.

Each part is a partial, and gets the optimiser here::

    scheduler:
      _target_: src.tasks.schedulers.sequential
      _partial_: true
      milestones: [100]
      schedulers:
        - {_target_: torch.optim.lr_scheduler.ConstantLR, _partial_: true, factor: 0.1, total_iters: 100}
        - {_target_: torch.optim.lr_scheduler.ExponentialLR, _partial_: true, gamma: 0.99}
"""

import warnings
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ChainedScheduler, CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from src.config.allowed import Count, NotNegative, Range, checked
from src.tasks.base import SchedulerFactory


def sequential(
    optimizer: Optimizer, *, schedulers: Sequence[SchedulerFactory], milestones: Sequence[Count]
) -> SequentialLR:
    """One scheduler after the other.

    Args:
        optimizer: Whose learning rate they set.
        schedulers: Make the parts.
        milestones: Epochs at which the second part begins, the third, and so on.

    Raises:
        ValueError: If the epochs do not rise from 1, there is not one fewer of them than parts, or a part watches a
            metric or is made of others.
    """
    given = list(milestones)
    # torch would take any, and leave parts out
    if any(after <= before for before, after in pairwise([0, *given])):
        raise ValueError(f"scheduler.milestones must be epochs that rise from 1 on, got {given}")
    with warnings.catch_warnings():
        # PyTorch 2.6 begins the first part by an argument that PyTorch warns of
        warnings.filterwarnings("ignore", message=r"The epoch parameter in `scheduler\.step\(\)`")
        return SequentialLR(optimizer, _parts(optimizer, schedulers), milestones=given)


def chained(optimizer: Optimizer, *, schedulers: Sequence[SchedulerFactory]) -> ChainedScheduler:
    """All schedulers at once: each multiplies the rate that the others have left.

    Args:
        optimizer: Whose learning rate they set.
        schedulers: Make the parts.

    Raises:
        ValueError: If there is none, or one watches a metric or is made of others.
    """
    return ChainedScheduler(_parts(optimizer, schedulers), optimizer=optimizer)


@checked("scheduler")
def warmup_cosine(
    optimizer: Optimizer,
    *,
    warmup_epochs: Count,
    max_epochs: Count,
    start_factor: Annotated[float, Range(low=0, high=1, open_low=True)],
    eta_min: NotNegative,
) -> SequentialLR:
    """Up to the optimiser's rate in a line, then down along half a cosine over the rest of the epochs.

    Args:
        optimizer: Whose learning rate they set.
        warmup_epochs: Epochs before the full rate is reached.
        max_epochs: Epochs of the run; where warming up takes as many, the cosine never begins.
        start_factor: Share of the rate in the first epoch.
        eta_min: Rate after the last one.

    Raises:
        ValueError: If a number is out of its range.
    """
    up = partial(LinearLR, start_factor=start_factor, total_iters=warmup_epochs)
    down = partial(CosineAnnealingLR, T_max=max(1, max_epochs - warmup_epochs), eta_min=eta_min)
    return sequential(optimizer, schedulers=[up, down], milestones=[warmup_epochs])


def _parts(optimizer: Optimizer, schedulers: Sequence[SchedulerFactory]) -> list[LRScheduler]:
    """Make all parts.

    Raises:
        ValueError: If one is made of others itself: torch would begin it at another rate than its first, or fail.
    """
    made = [make(optimizer) for make in schedulers]
    for part in made:
        if isinstance(part, (SequentialLR, ChainedScheduler)):
            raise ValueError(f"scheduler.schedulers holds a {type(part).__name__}, which can only stand alone")
    return made
