"""Networks that would not compute the same in a stack run one by one, and the reason is true."""

import collections
import itertools
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from src.vmap.models import ModelFactory
from src.vmap.planning.plan import plan
from tests.slow import slow
from tests.vmap.proof.own import Net, hook, own_jobs


class InPlace(Net):
    def forward(self, x: Tensor) -> Tensor:
        x *= 0.99
        return super().forward(x)


class MaskedGradient(Net):
    def __init__(self) -> None:
        super().__init__()
        hook(self.inner.weight, lambda grad: grad * torch.tensor([[1.0, 0.0]]))


class Clipped(Net):
    """A hook that acts on large gradients only, which no trial meets."""

    def __init__(self) -> None:
        super().__init__()
        hook(self.inner.weight, lambda grad: grad.clamp(-1e3, 1e3))


class FirstGradientOnly(torch.autograd.Function):
    """A rule for many models that is wrong for all but the first."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Nothing to keep."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor) -> tuple[Tensor, int]:
        scale = torch.ones(info.batch_size)
        scale[1:] = 1.07
        x = x.movedim(in_dims[0], 0)
        scaled = x * scale.view(-1, *[1] * (x.ndim - 1))
        # the value of x with the gradient of what is scaled
        return scaled - (scaled - x).detach(), 0

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> Tensor:
        return grads[0]


class WrongForOthers(Net):
    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(FirstGradientOnly.apply(torch.sin(self.inner(x))))  # type: ignore[no-untyped-call]
        return outputs


class Projecting(Net):
    """Looks at features that its seed has drawn, and keeps them as a plain attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.directions = torch.randn(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x @ self.directions)


class LayerDrop(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if not self.training or random.random() < 0.5 else self.outer(self.inner(x))


class NumPyNoise(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.1 * float(np.random.default_rng().random() < 2) * float(np.random.randn()))


class FirstStatistics(Net):
    """Scales by what it has seen first."""

    scale: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.scale is None:
            self.scale = x.detach().std(0)
        return super().forward(x / self.scale)


class Annealing(Net):
    """Counts calls, and does something else after many of them."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * (1 if self.calls < 10_000 else 2)


CALLS = {"n": 0}


class CountingElsewhere(Net):
    """Counts in its module instead of in itself."""

    def forward(self, x: Tensor) -> Tensor:
        CALLS["n"] += 1
        return super().forward(x)


class Talking(Net):
    def forward(self, x: Tensor) -> Tensor:
        sys.stdout.write("hello")
        return super().forward(x)


class Branching(Net):
    def forward(self, x: Tensor) -> Tensor:
        outputs = super().forward(x)
        return outputs if outputs.sum() > 0 else -outputs


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.LazyLinear(6), nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(torch.sin(self.inner(x)))
        return outputs


class Double(Net):
    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.shift.float()


class HookedInside(Net):
    """Limits gradients between its layers: no trial meets one that is so large."""

    def forward(self, x: Tensor) -> Tensor:
        units = torch.sin(self.inner(x))
        if units.requires_grad:
            hook(units, lambda grad: grad.clamp(-1e3, 1e3))
        outputs: Tensor = self.outer(units)
        return outputs


class HookedModule(Net):
    def __init__(self) -> None:
        super().__init__()
        self.inner.register_full_backward_hook(lambda _module, grads, _outputs: grads)


class Iterating(Net):
    """Keeps how far it has come where no attribute shows it."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = itertools.count()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * (1 + next(self.steps) / 50 if self.training else 1))


class Generating(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scales = (1 + i / 50 for i in itertools.count())

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * next(self.scales))


class Turning(Net):
    def __init__(self) -> None:
        super().__init__()
        self.scales = collections.deque([1.0, 0.5, 2.0])

    def forward(self, x: Tensor) -> Tensor:
        self.scales.rotate(1)
        return super().forward(x * self.scales[0])


class State:
    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0


class Slotted(Net):
    def __init__(self) -> None:
        super().__init__()
        self.state = State()

    def forward(self, x: Tensor) -> Tensor:
        self.state.n += 1
        return super().forward(x * (1 + self.state.n / 50))


class SomeSeeds(Net):
    """Another network for some seeds alone, which are not among those that are tried."""

    def __init__(self) -> None:
        super().__init__()
        self.is_flat = torch.initial_seed() == 4

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(self.inner(x)) if self.is_flat else super().forward(x)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.LSTMCell(2, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(self.inner(x)[0])
        return outputs


class Normalised(Net):
    def __init__(self) -> None:
        super().__init__()
        nn.utils.spectral_norm(self.inner)


class Outside(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + float(self.inner.weight.detach().numpy()[0, 0]))


class AlwaysDropping(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(nn.functional.dropout(x, 0.2, training=True))


class Randomised(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * torch.binomial(torch.full((2,), 3.0), torch.full((2,), 0.5)) if self.training else x)


class Sometimes(Net):
    """A layer that takes part with many samples only."""

    def __init__(self) -> None:
        super().__init__()
        self.extra = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs = super().forward(x)
        return outputs if len(x) > 100 else outputs + self.extra(x)


NOT_STACKED: list[tuple[type[nn.Module], str]] = [
    (InPlace, "changes its input in place"),
    (MaskedGradient, "a hook is registered on the gradient of net.inner.weight"),
    (Clipped, "a hook is registered on the gradient of net.inner.weight"),
    (WrongForOthers, "gives .* in a stack and .* by itself"),
    (Projecting, "net.directions differs from job to job.*keep it in a buffer"),
    (LayerDrop, "draws from Python's random generator"),
    (NumPyNoise, "draws from NumPy's random generator"),
    (FirstStatistics, "net.scale changes while it trains"),
    (Annealing, "net.calls changes while it trains"),
    (CountingElsewhere, "CALLS changes while it trains"),
    (Branching, "decides by the value of a tensor"),
    (Lazy, "a lazy layer"),
    (Double, "net.shift is of torch.float64"),
    (HookedInside, "a hook is registered on the gradient of a tensor"),
    (HookedModule, "a hook is registered on the backward pass of net.inner"),
    (Iterating, "net.steps changes while it trains"),
    (Generating, "net.scales (changes while it trains|differs from job to job)"),
    (Turning, "net.scales changes while it trains"),
    (Slotted, "net.state changes while it trains"),
    (SomeSeeds, "net.is_flat differs from job to job"),
    (Recurrent, "torch.func.vmap knows no aten::lstm_cell"),
    (Normalised, "net.inner.weight .*torch.nn.utils.parametrizations"),
    (Outside, "takes numbers out of PyTorch"),
    (AlwaysDropping, "draws random numbers while it is evaluated"),
    (Randomised, "draws random numbers in a way that cannot be given"),
    (Sometimes, "takes no part in the loss"),
]


# one of each way to find out
@pytest.mark.parametrize(
    ("kind", "reason"), [*NOT_STACKED[::4], *slow(*(each for i, each in enumerate(NOT_STACKED) if i % 4))]
)
def test_a_network_that_would_not_be_the_same_runs_by_itself(
    kind: type[nn.Module], reason: str, tmp_path: Path
) -> None:
    jobs = own_jobs(tmp_path, net=kind)
    factory = ModelFactory()
    before = [tensor.clone() for part in factory.datamodule(jobs[0]).parts for tensor in part]
    found = plan(jobs, factory)
    assert not found.stacks
    for _, each in found.single:
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(each)
    # what was tried has not touched what others train on
    after = [tensor for part in factory.datamodule(jobs[0]).parts for tensor in part]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_trial_puts_back_what_a_module_holds_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dict(CALLS)
    assert not plan(own_jobs(tmp_path, net=CountingElsewhere)).stacks
    assert before == CALLS
    plan(own_jobs(tmp_path, net=Talking))
    assert "hello" not in capsys.readouterr().out
