"""What a network or a loss must not do is found out before training, and finding out changes nothing."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from src.build import build
from src.checks.forward import check_forward
from src.config.errors import ConfigError
from src.sweep.jobs import Job
from src.tasks.binary import BinaryClassification
from src.train import train
from src.vmap.models import ModelFactory
from src.vmap.planning.plan import plan
from tests.tasks.runs import generator_states, small
from tests.vmap.stacked_jobs import make_jobs


class Net(nn.Module):
    """What the others do in another way."""

    def __init__(self, *, in_features: int, out_features: int, **_: object) -> None:
        super().__init__()
        self.layer = nn.Linear(in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        outputs: Tensor = self.layer(x)
        return outputs


class Flat(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(1)


class Wide(Net):
    def forward(self, x: Tensor) -> Tensor:
        outputs = super().forward(x)
        return torch.cat([outputs, outputs], 1)


class Summed(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).mean()


class Pair(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x), x  # type: ignore[return-value]  # as somebody may write


class Detached(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).detach()


class Frozen(Net):
    def __init__(self, *, in_features: int, out_features: int, **more: object) -> None:
        super().__init__(in_features=in_features, out_features=out_features, **more)
        self.requires_grad_(requires_grad=False)


class First(nn.Module):
    def __init__(self, **_: object) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :1]


class Meta(Net):
    def __init__(self, *, in_features: int, out_features: int, **more: object) -> None:
        super().__init__(in_features=in_features, out_features=out_features, **more)
        self.layer = nn.Linear(in_features, out_features, device="meta")


class Sparse(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).to_sparse()


class NeedsTwo(torch.optim.SGD):
    """Counts on momentum, as an optimiser of somebody's own may count on what it was not given."""

    def step(self, closure: object = None) -> None:  # type: ignore[override]  # as somebody may write
        super().step(closure)
        for weight in self.param_groups[0]["params"]:
            self.state[weight]["momentum_buffer"].mul_(2)


class Huge(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).sign() * 3e38


class Scaling(Net):
    def forward(self, x: Tensor) -> Tensor:
        x *= 2
        return super().forward(x)


class ScalingOnceItTrains(Net):
    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            x -= x.mean(0)
        return super().forward(x)


class OfArrays(Net):
    def forward(self, x: Tensor) -> Tensor:
        x.numpy()[:] = 0
        return super().forward(x)


class EachSample(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square()


class Halves(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets.div_(2)).square().mean()


class Squashes(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.sigmoid_() - targets).square().mean()


class Untensored(nn.Module):
    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - targets).square().mean().item()  # type: ignore[return-value]  # as somebody may write


class Unreduced(nn.BCEWithLogitsLoss):
    def __init__(self) -> None:
        super().__init__(reduction="none")


class Alters(BinaryClassification):
    def targets(self, y: Tensor) -> Tensor:
        return super().targets(y.sub_(1).abs_())


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["Flat"],
            r"^model\.net: Flat\.forward returns the shape \(8,\) .* must be \(8, 1\).*write outputs\.unsqueeze\(1\)",
        ),
        (["Flat", "loss=brier"], r"Flat\.forward returns the shape \(8,\)"),
        *[(["Flat", "data=line", f"loss={loss}"], r"returns the shape \(8,\).*each target") for loss in ("mse", "l1")],
        (["Wide"], r"returns the shape \(8, 2\) for 8 samples; it must be \(8, 1\), a column for each logit"),
        (["Wide", "data=blobs"], r"returns the shape \(8, 8\).*\(8, 4\), a column for each class"),
        (["Summed"], r"returns the shape \(\)"),
        (["Pair"], r"Pair\.forward returns tuple; it must return a tensor of the shape \(8, 1\)"),
        (["Detached"], r"^model\.net: nothing of Detached can be trained: forward leaves the gradient behind"),
        (["Frozen"], r"^model\.net: nothing of Frozen can be trained: its weights are frozen"),
        (["First"], r"^model\.net: nothing of First can be trained: it has no weights"),
        (["Meta"], r"^model\.net: weights of Meta are on the device meta, where they hold no numbers"),
        (["Sparse"], r"^model\.net: Sparse\.forward returns a sparse tensor: write outputs\.to_dense\(\)"),
        (
            ["Net", f"optimizer._target_={__name__}.NeedsTwo"],
            r"^optimizer: NeedsTwo fails at its first step \(KeyError\): 'momentum_buffer'",
        ),
        (["Huge", "data=line"], r"^loss: L1Loss is inf before the first step: outputs of Huge are from .*e\+38 to"),
        (["Net", "loss._target_=builtins.dict"], r"^loss\._target_=builtins\.dict makes a dict; allowed: a Module"),
        (["Scaling"], r"^model\.net: .*changes its input in place, such as x \*= 2: write x = x \* 2"),
        (["ScalingOnceItTrains"], r"^model\.net: .*changes its input in place"),
        (["OfArrays"], r"^model\.net: .*changes its input in place"),
        (
            ["Net", f"loss._target_={__name__}.Unreduced"],
            r"^loss: Unreduced returns the shape \(8, 1\) \(loss\.reduction=none\); it must return one number",
        ),
        (["Net", f"loss._target_={__name__}.EachSample"], r"EachSample returns the shape \(8, 1\); it must return one"),
        (["Net", f"loss._target_={__name__}.Untensored"], r"Untensored returns float; it must return one number"),
        (["Net", f"loss._target_={__name__}.Halves"], r"^loss: .*changes its input in place"),
        (["Net", f"loss._target_={__name__}.Squashes"], r"^loss: .*changes its input in place"),
        (["Net", f"task._target_={__name__}.Alters"], r"^task: Alters\.targets changes its input in place"),
        (
            ["Net", "loss._target_=torch.nn.CosineEmbeddingLoss", f"task._target_={__name__}.Anything"],
            r"^loss: CosineEmbeddingLoss fails on outputs torch\.float32 \(8, 1\) and targets torch\.float32 \(8, 1\)",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_training_cannot_count_on_is_refused_and_leaves_nothing(
    overrides: list[str], message: str, tmp_path: Path
) -> None:
    name, *more = overrides
    run_dir = tmp_path / "run"
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        train(small("model=mlp", f"model.net._target_={__name__}.{name}", *more, run_dir=run_dir))
    assert not run_dir.exists()


class Anything(BinaryClassification):
    losses = ()  # type: ignore[assignment]  # of another kind than its base's


class Drawing(Net):
    """Draws, counts in a buffer, keeps statistics."""

    def __init__(self, *, in_features: int, out_features: int, **more: object) -> None:
        super().__init__(in_features=in_features, out_features=out_features, **more)
        self.norm = nn.BatchNorm1d(in_features)
        self.n: Tensor
        self.register_buffer("n", torch.zeros(()))
        self.calls: int = 0

    def forward(self, x: Tensor) -> Tensor:
        self.n += 1
        self.calls += 1
        return super().forward(nn.functional.dropout(self.norm(x), 0.5, self.training))


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
def test_trying_changes_nothing(precision: str, tmp_path: Path) -> None:
    built = build(
        small("model=mlp", f"model.net._target_={__name__}.Drawing", f"trainer.precision={precision}", run_dir=tmp_path)
    )
    task, parts = built.task, built.datamodule.parts
    before, data = {name: value.clone() for name, value in task.state_dict().items()}, parts.train.x.clone()
    states, modes = generator_states(), [module.training for module in task.modules()]
    check_forward(task, parts.train, built.trainer)
    assert generator_states() == states
    assert [module.training for module in task.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
    assert {value.dtype for value in task.parameters()} == {torch.float32}
    assert task.net.calls == 0
    assert torch.equal(parts.train.x, data)
    assert all(parameter.grad is None for parameter in task.parameters())


class OfItsTime(Net):
    """Gives out what is no number; that is for training to tell."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * math.nan


@pytest.mark.parametrize("name", ["Net", "Drawing", "OfItsTime"])
@pytest.mark.parametrize("n", [2, 3, 200])
def test_what_is_right_is_passed_over_whatever_the_number_of_samples(n: int, name: str, tmp_path: Path) -> None:
    net = f"model.net._target_={__name__}.{name}"
    built = build(small("model=mlp", net, f"data.n_samples={n}", run_dir=tmp_path))
    check_forward(built.task, built.datamodule.parts.train, built.trainer)


def reasons(jobs: list[Job]) -> list[str]:
    return [reason for _, reason in plan(jobs, ModelFactory()).single]


@pytest.mark.parametrize(
    ("name", "reason"), [("Flat", "returns the shape"), ("ScalingOnceItTrains", "changes its input in place")]
)
def test_a_sweep_does_not_stack_what_a_run_refuses(name: str, reason: str, tmp_path: Path) -> None:
    target = f"model.net._target_={__name__}.{name}"
    jobs = make_jobs(["model=mlp", target, "trainer.max_epochs=3"], [("seed=1",), ("seed=2",)], tmp_path)
    found = reasons(jobs)
    assert len(found) == 2
    assert all(reason in each for each in found)


def test_a_network_that_works_on_a_copy_trains(tmp_path: Path) -> None:
    target = f"model.net._target_={__name__}.OnACopy"
    train(small("model=mlp", target, "trainer.max_epochs=3", run_dir=tmp_path))
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "completed"


class OnACopy(Net):
    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x *= 2
        return super().forward(x)
