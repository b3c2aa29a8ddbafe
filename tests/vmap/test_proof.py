"""What is stacked computes what its single runs compute; what would not, runs one by one, and the reason is true."""

import collections
import itertools
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn, optim

from src.data.base import Part, Parts
from src.data.circles import CirclesDataModule
from src.sweep.jobs import Job
from src.tasks.binary import BinaryClassification
from src.vmap.models import ModelFactory
from src.vmap.planning.plan import Plan, plan
from src.vmap.proof.prove import obstacle_of
from src.vmap.stacked.padded import Frame
from src.vmap.train import StackOptions, train_stack
from tests.vmap.stacked_jobs import assert_near, checkpoint_of, make_jobs, result_of, rows_of, train_alone

# as different as jobs of a stack may be
EACH: list[tuple[str, ...]] = [
    ("seed=1",),
    ("seed=2", "optimizer.lr=0.03"),
    ("seed=3", "data.noise=0.1", "data.batch_seed=7"),
    ("seed=4",),
]


class Even(optim.SGD):
    """Moves all numbers of a parameter by the mean of its gradient."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad.mean())


@pytest.mark.slow
def test_padding_is_tried_although_few_jobs_need_it(tmp_path: Path) -> None:
    # the most different jobs have one width
    each = [(f"seed={i}", f"optimizer.lr=0.{i}", f"data.noise=0.{i}", "model.net.hidden=[4]") for i in range(1, 5)]
    common = ["model=mlp", "model.net.activation=sigmoid", "trainer.max_epochs=5"]
    jobs = make_jobs(common, [*each, ("model.net.hidden=[6]",)], tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Frame, "padding", lambda *_: None)
        reason = obstacle_of(jobs, ModelFactory())
    assert reason is not None
    assert "in a stack and" in reason
    assert obstacle_of(jobs, ModelFactory()) is None


def test_an_optimiser_that_mixes_numbers_is_not_padded(tmp_path: Path) -> None:
    each = [(f"model.net.hidden=[{width}]",) for width in (4, 5, 6)]
    jobs = make_jobs(["model=mlp", "trainer.max_epochs=5"], each, tmp_path)
    for job in jobs:
        job.cfg.optimizer = {"_target_": f"{__name__}.{Even.__name__}", "_partial_": True, "lr": 0.1}
    found = plan(jobs)
    assert not found.stacks
    assert all("does not act on every number by itself" in reason for _, reason in found.single)


def hook(parameter: Tensor, function: Callable[[Tensor], Tensor]) -> None:
    parameter.register_hook(function)  # type: ignore[no-untyped-call]


class Net(nn.Module):
    """A plain network that knows nothing of this project."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(2, width), nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(torch.sin(self.inner(x)))
        return outputs


# What stacks


class Temperature(Net):
    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / self.temperature


class Tied(nn.Module):
    """One matrix with two names."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.again, self.outer = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.outer.weight = self.again.weight
        self.last = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.last(torch.tanh(self.outer(torch.tanh(self.again(torch.tanh(self.inner(x)))))))
        return outputs


class Frozen(Net):
    """The first matrix stays as its seed has drawn it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner.weight.requires_grad = False


class Fourier(nn.Module):
    """Features that the seed draws, in a buffer that training does not change; with a whole number beside them."""

    directions: Tensor
    times: Tensor

    def __init__(self, *, persistent: bool = True) -> None:
        super().__init__()
        self.register_buffer("directions", torch.randn(2, 5), persistent=persistent)
        self.register_buffer("times", torch.tensor(2))
        self.outer = nn.Linear(5, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(torch.sin(self.times * x @ self.directions))
        return outputs


class Forgotten(Fourier):
    """In a buffer that no checkpoint holds."""

    def __init__(self) -> None:
        super().__init__(persistent=False)


class Normed(Net):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x))


class NormedByBatch(Normed):
    """Without running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(2, track_running_stats=False)


class MovingMean(Net):
    """A buffer that is put anew at every step."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * x.mean(0)
        return super().forward(x - self.mean)


class Dropping(Net):
    """Dropout of inputs and of units, as modules and as functions."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.dropout(x, 0.1, self.training)
        outputs: Tensor = self.outer(self.dropout(torch.sin(self.inner(x))))
        return outputs


class Noisy(Net):
    """Noise on the inputs, drawn in three ways."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x = x + 0.1 * torch.randn_like(x) + 0.1 * torch.rand(2)
            x = x + torch.empty_like(self.inner(x)[:, :2]).normal_(0, 0.1)
        return super().forward(x)


class Words(nn.Module):
    """Rows of an embedding that are shortened in place whenever they are looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.outer = nn.Embedding(3, 4, max_norm=1.0), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.outer(self.words((x[:, 0] > 0).long() + (x[:, 1] > 0).long()))
        return outputs


STACKED = [
    Net,
    Temperature,
    Tied,
    Frozen,
    Fourier,
    Forgotten,
    Normed,
    NormedByBatch,
    MovingMean,
    Dropping,
    Noisy,
    Words,
]


def own_jobs(folder: Path, *common: str, **targets: type) -> list[Job]:
    """Jobs with classes of one's own in the place of ``net``, ``loss``, ``task`` or ``data``."""
    jobs = make_jobs(["logger=csv", "trainer.max_epochs=6", *common], EACH, folder)
    for job in jobs:
        for key, kind in targets.items():
            target = f"{__name__}.{kind.__qualname__}"
            if key == "net":
                job.cfg.model = {"name": "own", "task": None, "net": {"_target_": target}}
            elif key == "loss":
                job.cfg.loss = {"_target_": target}
            else:
                OmegaConf.update(job.cfg, f"{key}._target_", target)
    return jobs


def assert_like_single_runs(jobs: list[Job], folder: Path) -> Plan:
    """Whatever is stacked leaves the rows, the metrics and the checkpoints of the single runs."""
    found = plan(jobs)
    for stack in found.stacks:
        train_stack(stack.jobs, StackOptions(models_per_step=3))
        train_alone(stack.jobs, folder)
        for job in stack.jobs:
            alone = folder / str(job.number)
            assert_near(rows_of(job.run_dir), rows_of(alone), atol=1e-4)
            assert_near(result_of(job.run_dir)["metrics"], result_of(alone)["metrics"], atol=1e-4)
            for name in ("best", "last"):
                assert_near(checkpoint_of(job.run_dir, name), checkpoint_of(alone, name), atol=1e-3, where=name)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("common", [[], ["data.batch_size=150", "optimizer=adam"]], ids=["whole", "batches"])
@pytest.mark.parametrize("kind", STACKED)
def test_these_networks_are_stacked(kind: type[nn.Module], common: list[str], tmp_path: Path) -> None:
    found = assert_like_single_runs(own_jobs(tmp_path / "together", *common, net=kind), tmp_path / "alone")
    assert [len(stack.jobs) for stack in found.stacks] == [len(EACH)], [reason for _, reason in found.single]


# What does not


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


class Coins(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x * torch.bernoulli(torch.full((2,), 0.5)) if self.training else x)


class Unused(Net):
    """A layer that takes no part."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Linear(2, 2)


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
    (Coins, "draws random numbers in a way"),
    (Unused, "net.unused.weight takes no part in the loss"),
]


@pytest.mark.parametrize(("kind", "reason"), NOT_STACKED)
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


# Optimisers


class OwnSGD(torch.optim.Optimizer):
    """Its own numbers, one of which only some jobs feel."""

    def __init__(self, params: Any, lr: float, clip: float = 1e9, after: int = 0) -> None:
        super().__init__(params, {"lr": lr, "clip": clip, "after": after})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["n"] = state.get("n", 0) + 1
                norm = p.grad.norm() if state["n"] > group["after"] else torch.zeros(())
                p.add_(p.grad * (group["clip"] / (norm + 1e-6)).clamp(max=1), alpha=-group["lr"])


@pytest.mark.parametrize(
    ("each", "reason"),
    [
        # clips by the norm of all numbers, in one job and at late steps alone
        (["clip=100.0", "clip=90.0", "clip=80.0", "clip=70.0", "clip=0.01"], "does not act on every number by itself"),
        (["after=40", "after=40", "after=41"], "does not act on every number by itself"),
        (["lr=0.1", "lr=0.2", "lr=0.3"], None),
    ],
)
def test_an_optimiser_is_tried_with_all_numbers_and_at_late_steps(
    each: list[str],
    reason: str | None,
    tmp_path: Path,
) -> None:
    jobs = make_jobs(["model=circle_v2", "trainer.max_epochs=60"], [("seed=1",)] * len(each), tmp_path)
    for job, own in zip(jobs, each, strict=True):
        key, value = own.split("=")
        # one that never clips is elementwise
        node = {"lr": 0.1, "clip": 1e9, "after": 1000, "_target_": f"{__name__}.OwnSGD", "_partial_": True}
        changed = {key: float(value) if key != "after" else int(value), **({"clip": 0.01} if key == "after" else {})}
        job.cfg.optimizer = {**node, **({"after": 0} if key == "clip" else {}), **changed}
    found = plan(jobs)
    assert len(found.stacks) == (reason is None), found.single
    assert all(f"OwnSGD {reason}" in each for _, each in found.single)


def test_jobs_that_are_lost_at_once_prove_nothing(tmp_path: Path) -> None:
    common = ["data=line", "model=line", "logger=csv", "trainer.max_epochs=6"]
    lost = [(f"optimizer.lr=1e{n}",) for n in (28, 29, 30)]
    jobs = make_jobs(common, lost, tmp_path / "lost")
    assert all("lose their loss at once" in reason for _, reason in plan(jobs).single)
    jobs = make_jobs(common, [*lost, ("optimizer.lr=0.01",), ("optimizer.lr=0.02",)], tmp_path / "some")
    (stack,) = plan(jobs).stacks
    assert len(stack.jobs) == 5


# Losses, tasks, data


class Likelihood(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        loss = nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        return torch.exp(-self.log_var) * loss + 0.5 * self.log_var


class DrawnWeights(nn.Module):
    """A loss whose seed draws a buffer."""

    weight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", 0.5 + torch.rand(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.weight * nn.functional.binary_cross_entropy_with_logits(outputs, targets)


class DrawnAttribute(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = 0.5 + float(torch.rand(()))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.weight * nn.functional.binary_cross_entropy_with_logits(outputs, targets)


class CountingLoss(nn.Module):
    calls = 0

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        self.calls += 1
        loss = nn.functional.binary_cross_entropy_with_logits(outputs, targets)
        return loss * (1 + 1 / self.calls)


class DrawingTask(BinaryClassification):
    """Flips labels that its seed draws."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.shift = 0.1 * torch.rand(())

    def targets(self, y: Tensor) -> Tensor:
        return super().targets(y) * (1 - self.shift)


class GeneratorTask(BinaryClassification):
    """Flips labels by a generator of its own, at every call."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.generator = torch.Generator().manual_seed(0)

    def targets(self, y: Tensor) -> Tensor:
        flipped = torch.rand(len(y), generator=self.generator) < 0.1
        return super().targets(torch.where(flipped, 1 - y, y))


class HookingTask(BinaryClassification):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        hook(next(self.net.parameters()), torch.zeros_like)


class SplitByBatchSeed(CirclesDataModule):
    """Parts that depend on a value which orders batches in the shipped data."""

    def make_parts(self) -> Parts:
        parts = super().make_parts()
        order = torch.randperm(len(parts.train.x), generator=torch.Generator().manual_seed(self.batch_seed))
        return parts._replace(train=Part(parts.train.x[order] + 0.01 * self.batch_seed, parts.train.y[order]))


class Unsteady(CirclesDataModule):
    """Other data each time that they are made."""

    def make_parts(self) -> Parts:
        parts = super().make_parts()
        return parts._replace(train=Part(parts.train.x + float(np.random.default_rng().random()), parts.train.y))


@pytest.mark.slow
@pytest.mark.parametrize(
    "targets", [{"loss": Likelihood}, {"loss": DrawnWeights}, {"data": SplitByBatchSeed}], ids=lambda each: str(each)
)
def test_these_losses_and_data_are_stacked(targets: dict[str, type], tmp_path: Path) -> None:
    jobs = own_jobs(tmp_path / "together", "model=circle_v2", "data.batch_size=300", **targets)
    found = assert_like_single_runs(jobs, tmp_path / "alone")
    assert [len(stack.jobs) for stack in found.stacks] == [len(EACH)], [reason for _, reason in found.single]


@pytest.mark.parametrize(
    ("targets", "reason"),
    [
        ({"loss": DrawnAttribute}, "loss.weight differs from job to job"),
        ({"loss": CountingLoss}, "loss.calls changes while it trains"),
        ({"task": DrawingTask}, "task.shift differs from job to job.*of the network or the loss"),
        ({"task": GeneratorTask}, "task.generator changes while it trains"),
        ({"task": HookingTask}, "a hook is registered on the gradient of net.layers.0.weight"),
        ({"data": Unsteady}, "its data differ each time that they are made"),
    ],
    ids=str,
)
def test_a_loss_a_task_or_data_that_would_not_be_the_same_run_by_themselves(
    targets: dict[str, type], reason: str, tmp_path: Path
) -> None:
    found = plan(own_jobs(tmp_path, "model=circle_v2", **targets))
    assert not found.stacks
    for _, each in found.single:
        with pytest.raises(AssertionError, match=reason):
            raise AssertionError(each)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["{_target_: torch.nn.CrossEntropyLoss, ignore_index: 1}"])
def test_a_loss_that_leaves_out_a_class_is_that_of_the_single_run(loss: str, tmp_path: Path) -> None:
    jobs = make_jobs(
        ["data=blobs", "model=blob", "logger=csv", "trainer.max_epochs=6"],
        [("seed=1",), ("seed=2",)],
        tmp_path / "together",
    )
    for job in jobs:
        job.cfg.loss = OmegaConf.create(loss)
    assert len(assert_like_single_runs(jobs, tmp_path / "alone").stacks) == 1


def test_jobs_of_one_number_keep_their_own_configuration(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v2"], [("optimizer.lr=0.1",), ("optimizer.lr=0.2",)], tmp_path)
    same = [Job(0, job.overrides, job.cfg, job.hydra_cfg) for job in jobs]
    factory = ModelFactory()
    assert [factory.config(job)["optimizer"]["lr"] for job in same] == [0.1, 0.2]


def test_a_trial_leaves_the_global_generators_where_they_were(tmp_path: Path) -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    before: list[Callable[[], Any]] = [random.getstate, lambda: str(np.random.get_state()), torch.get_rng_state]
    states = [get() for get in before]
    plan(own_jobs(tmp_path, net=Dropping))
    assert random.getstate() == states[0]
    assert str(np.random.get_state()) == states[1]
    assert torch.equal(torch.get_rng_state(), states[2])
