"""What is measured of many models together is what each measures by itself, to the last bit."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.precision import DoublePrecision, HalfPrecision, Precision
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryAUROC

from src.data.base import InMemoryDataModule, Part, Parts
from src.data.spec import DataSpec
from src.models.mlp import MLP
from src.tasks.base import Task
from src.tasks.binary import BinaryClassification
from src.vmap.measure import Measured, Weighed, at_once, measure_model, measure_models
from src.vmap.stacked.layout import tensors_of
from tests.tasks.runs import classes_spec, numbers_spec, random_parts
from tests.tasks.test_metrics import make

N_MODELS = 5


def two_of_several() -> DataSpec:
    """A multiclass task that happens to have two classes."""
    spec = classes_spec(3, 3)
    return DataSpec(
        task="multiclass", n_features=3, n_outputs=2, feature_names=spec.feature_names, class_names=spec.class_names[:2]
    )


SPECS = {
    "binary": classes_spec(2, 3),
    "two classes": two_of_several(),
    "classes": classes_spec(4, 3),
    "many classes": classes_spec(17, 3),
    "number": numbers_spec(1, 3),
    "numbers": numbers_spec(3, 3),
}


def drawn(task: Task, seed: int) -> dict[str, Tensor]:
    """Other tensors for a task, of numbers that may be large."""
    generator = torch.Generator().manual_seed(seed)
    places = tensors_of(task.net, task.loss)
    return {
        name: 2 * torch.randn(each.shape, generator=generator).abs().to(each) if each.is_floating_point() else each
        for name, each in places.items()
    }


def models_of(task: Task, parts: Callable[[int], Parts]) -> list[Weighed]:
    return [Weighed(task, drawn(task, seed), parts(seed)) for seed in range(N_MODELS)]


def alone(model: Weighed, precision: Precision) -> Measured:
    """What a model measures by itself."""
    metrics = measure_model(model.task, model.tensors, model.parts, precision)
    return Measured(metrics, model.task.confusion.get("test"))


def assert_measured_as_alone(models: list[Weighed], precision: Precision | None = None) -> None:
    precision = precision or Precision()
    for found, model in zip(measure_models(models, precision), models, strict=True):
        expected = alone(model, precision)
        assert found is not None
        assert list(found.metrics) == list(expected.metrics)
        # text, so that nan equals itself
        assert repr(found.metrics) == repr(expected.metrics)
        assert (found.confusion is None) == (expected.confusion is None)
        if found.confusion is not None and expected.confusion is not None:
            assert torch.equal(found.confusion, expected.confusion)


@pytest.mark.parametrize("shared", [True, False], ids=["one data set", "data of their own"])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_models_measured_together_are_measured_as_alone(spec: DataSpec, *, shared: bool) -> None:
    parts = random_parts(spec, n=137)
    assert_measured_as_alone(models_of(make(spec), lambda seed: parts if shared else random_parts(spec, seed=seed)))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_lost_weights_are_measured_as_alone(spec: DataSpec) -> None:
    parts = random_parts(spec)
    models = models_of(make(spec), lambda _: parts)
    for number, lost in zip((1, 3), (torch.nan, torch.inf), strict=True):
        tensors = {name: torch.full_like(each, lost) for name, each in models[number].tensors.items()}
        models[number] = models[number]._replace(tensors=tensors)
    assert_measured_as_alone(models)


@pytest.mark.parametrize("name", ["binary", "classes", "many classes"])
def test_classes_that_do_not_occur_are_counted_as_alone(name: str) -> None:
    spec = SPECS[name]
    parts = random_parts(spec)
    # of validation one class is there, of test all but the first
    parts = parts._replace(
        val=Part(parts.val.x, torch.zeros_like(parts.val.y)), test=Part(parts.test.x, parts.test.y.clamp(min=1))
    )
    models = models_of(make(spec), lambda _: parts)
    # of two models one answers with the same class always, and the other with 0.5
    for number, size in ((1, 1e3), (3, 0.0)):
        tensors = {name: size * torch.ones_like(each) for name, each in models[number].tensors.items()}
        models[number] = models[number]._replace(tensors=tensors)
    assert_measured_as_alone(models)


@pytest.mark.parametrize("name", ["number", "numbers"])
def test_targets_that_never_change_are_measured_as_alone(name: str) -> None:
    spec = SPECS[name]
    parts = random_parts(spec)
    constant = Part(parts.val.x, torch.full_like(parts.val.y, 3.0))
    one = Part(parts.test.x[:1], parts.test.y[:1])
    assert_measured_as_alone(models_of(make(spec), lambda _: parts._replace(val=constant, test=one)))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("precision", [DoublePrecision(), HalfPrecision("bf16-true")], ids=["double", "bfloat16"])
def test_other_precisions_are_measured_as_alone(precision: Precision, spec: DataSpec) -> None:
    task = make(spec)
    precision.convert_module(task)
    parts = random_parts(spec)
    assert_measured_as_alone(models_of(task, lambda _: parts), precision)


def test_any_network_is_measured_as_alone() -> None:
    spec = SPECS["classes"]
    layers = (nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 4))
    task = make(spec, net=nn.Sequential(*layers))
    task.train()
    parts = random_parts(spec)
    assert_measured_as_alone(models_of(task, lambda _: parts))


def test_networks_of_several_widths_are_measured_as_alone() -> None:
    spec = SPECS["binary"]
    parts = random_parts(spec)
    tasks = [
        make(spec, net=MLP(in_features=3, hidden=[width], out_features=1, activation="relu")) for width in (2, 9, 4)
    ]
    assert_measured_as_alone([Weighed(tasks[i % 3], drawn(tasks[i % 3], i), parts) for i in range(7)])


def test_parts_of_several_sizes_are_measured_as_alone() -> None:
    spec = SPECS["numbers"]
    assert_measured_as_alone(models_of(make(spec), lambda seed: random_parts(spec, n=20 + seed % 2, seed=seed)))


class OwnMetric(BinaryClassification):
    """Measures something else."""

    def make_metrics(self) -> MetricCollection:
        return MetricCollection({"auroc": BinaryAUROC(validate_args=False)})


class Fails(nn.Module):
    """A loss that takes no large outputs."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if outputs.abs().max() > 1e3:
            raise ValueError("too large")
        return (outputs - targets).square().mean()


def own(spec: DataSpec, **changes: Any) -> Task:
    task = make(spec, **changes)
    given = {name: getattr(task, name) for name in ("net", "loss", "spec")}
    return OwnMetric(
        **given,
        optimizer=task.make_optimizer,
        scheduler=None,
        log_every_n_epochs=None,
        eval_every_n_epochs=None,
        gradient_clip_val=None,
    )


def test_a_task_of_ones_own_is_left_to_measure_by_itself() -> None:
    spec = SPECS["binary"]
    parts = random_parts(spec)
    models = [Weighed(task, drawn(task, 0), parts) for task in (own(spec), make(spec))]
    found = measure_models(models, Precision())
    assert found[0] is None
    assert found[1] is not None
    assert "val/auroc" in alone(models[0], Precision()).metrics


def test_what_one_model_raises_is_left_to_itself() -> None:
    spec = SPECS["number"]
    parts = random_parts(spec)
    models = models_of(make(spec, loss=Fails()), lambda _: parts)
    models[2] = models[2]._replace(tensors={name: 1e6 * each for name, each in models[2].tensors.items()})
    found = measure_models(models, Precision())
    assert [each is None for each in found] == [False, False, True, False, False]
    with pytest.raises(ValueError, match="too large"):
        alone(models[2], Precision())


class Squeezed(nn.Module):
    """Gives a shape that the metrics of many models do not know."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x).unsqueeze(0)
        return y


class Flattened(nn.Module):
    """Takes whatever it is given."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs.flatten() - targets.flatten()).square().mean()


def test_outputs_of_another_form_are_measured_as_alone_or_left_to_themselves() -> None:
    spec = SPECS["binary"]
    parts = random_parts(spec)
    models = models_of(make(spec, net=Squeezed(), loss=Flattened()), lambda _: parts)
    for found, model in zip(measure_models(models, Precision()), models, strict=True):
        if found is not None:
            assert found.metrics == alone(model, Precision()).metrics


def test_an_empty_part_and_one_of_several_batches_are_left_to_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = SPECS["binary"]
    task, parts = make(spec), random_parts(spec)
    empty = parts._replace(test=Part(parts.test.x[:0], parts.test.y[:0]))
    assert measure_models([Weighed(task, drawn(task, 0), empty)], Precision()) == [None]
    monkeypatch.setattr(InMemoryDataModule, "EVAL_BATCH_SIZE", 59)
    assert measure_models([Weighed(task, drawn(task, 0), parts)], Precision()) == [None]


def test_no_models_are_measured_as_none() -> None:
    assert measure_models([], Precision()) == []


def test_fewer_models_are_measured_at_once_where_their_outputs_are_large() -> None:
    small, large = (SPECS["classes"], 100), (SPECS["many classes"], 60_000)
    counts = [at_once(make(spec), random_parts(spec, n=n), n_weights=100) for spec, n in (small, large)]
    assert counts[0] > 100
    assert counts[1] == 1
    assert at_once(make(small[0]), random_parts(small[0]), n_weights=10_000_000) == 1
