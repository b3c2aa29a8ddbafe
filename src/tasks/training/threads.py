"""How many threads torch computes with.

Its threads wait for each other at the end of every operation. For networks of a few hundred weights an operation takes
microseconds: a second thread gains nothing on an idle machine, and on a busy one it waits for the scheduler thousands
of times a second, which takes several times as long as to compute alone. So small networks are trained by one thread.
What is computed is the same but for rounding: numbers that several threads add up come in another order.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

# Multiplications of a batch, forward, from which on a second thread pays.
_WORTH = 20_000_000


@contextmanager
def computing_threads(asked: int | None, n_multiplications: float | None) -> Iterator[int]:
    """Compute with so many threads inside this.

    Args:
        asked: Their number; None to choose.
        n_multiplications: Of a batch; None where nobody knows.

    Yields:
        Their number: where it is chosen, one for little work, else those that torch has, which ``OMP_NUM_THREADS``
        and the launchers of jobs side by side limit.
    """
    before = torch.get_num_threads()
    is_little = n_multiplications is not None and is_little_work(n_multiplications)
    n = asked or (1 if is_little else before)
    if n == before:
        yield n
        return
    torch.set_num_threads(n)
    try:
        yield n
    finally:
        torch.set_num_threads(before)


def is_little_work(n_multiplications: float) -> bool:
    """Whether several threads would wait for each other longer than they compute, in a batch of so many."""
    return n_multiplications < _WORTH


@torch.no_grad()
def multiplications(net: nn.Module, x: Tensor, *, batch_size: int | None) -> float | None:
    """About how many multiplications a network takes for a batch; None where it cannot be tried.

    Each weight of a matrix or kernel is multiplied once for each place of what its layer gives out.

    Args:
        net: The network; a copy is tried.
        x: All samples (n, f), of which two are tried.
        batch_size: How many are in a batch; None for all.
    """
    few, found = x[:2].clone(), 0.0

    def count(module: nn.Module, _inputs: object, outputs: object) -> None:
        nonlocal found
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        for weight in module.parameters(recurse=False):
            if weight.ndim > 1 and isinstance(first, Tensor):
                found += weight.numel() * max(1.0, first.numel() / len(few) / weight.shape[0])

    try:
        # which may change its input, or itself
        tried = copy.deepcopy(net).eval()
        for module in tried.modules():
            if module is not tried:
                module.register_forward_hook(count)
        with torch.random.fork_rng(devices=[]):
            # past what `compile` has put before it
            count(tried, (), tried.forward(few.to(next(tried.parameters()))))
    # a network may raise anything; it is told where it is trained, and here only a number of threads is chosen
    except Exception:
        return None
    return found * min(batch_size or len(x), len(x))
