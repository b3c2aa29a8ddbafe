"""What a data module may hand over, what is brought into form, and what is refused with everything that is wrong."""

import json
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from src.build import build
from src.config.errors import ConfigError
from src.data.base import Part, Parts
from src.data.check import checked_parts, overlaps, spec_problems
from src.data.spec import DataSpec
from src.train import train
from tests.tasks.runs import GivenData, classes_spec, numbers_spec, random_parts, small

BINARY, CLASSES, NUMBERS = classes_spec(2, 3), classes_spec(4, 3), numbers_spec(2, 3)
ONE = numbers_spec(1, 1)


def checked(parts: Any, spec: DataSpec = BINARY) -> Parts:
    return checked_parts(parts, spec, source="data._target_=mine.Data")


def equal(one: Parts, other: Parts) -> bool:
    pairs = [pair for two in zip(one, other, strict=True) for pair in zip(*two, strict=True)]
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in pairs)


def changed(parts: Parts, x: Callable[[Tensor], Any] = lambda x: x, y: Callable[[Tensor], Any] = lambda y: y) -> Any:
    return Parts(*(Part(x(part.x), y(part.y)) for part in parts))


@pytest.mark.parametrize("spec", [BINARY, CLASSES, NUMBERS, ONE])
def test_what_is_in_form_is_handed_on_without_a_copy(spec: DataSpec) -> None:
    parts = random_parts(spec)
    found = checked(parts, spec)
    assert equal(found, parts)
    assert all(
        a.data_ptr() == b.data_ptr()
        for one, two in zip(found, parts, strict=True)
        for a, b in zip(one, two, strict=True)
    )


@pytest.mark.parametrize(
    ("spec", "x", "y"),
    [
        (BINARY, Tensor.double, Tensor.bool),
        (BINARY, Tensor.numpy, Tensor.numpy),
        (BINARY, lambda x: x.double().numpy().astype(">f8"), lambda y: y.numpy().astype(np.uint8)),
        (BINARY, lambda x: x.requires_grad_(), lambda y: y.unsqueeze(1)),
        (BINARY, torch.nn.Parameter, lambda y: y.float().unsqueeze(1)),
        (BINARY, lambda x: x.t().contiguous().t(), lambda y: y.to(torch.int8)),
        (CLASSES, lambda x: x, lambda y: y.double().unsqueeze(1)),
        (CLASSES, lambda x: x, lambda y: y.to(torch.uint8).numpy()),
        (NUMBERS, Tensor.double, Tensor.double),
        (ONE, lambda x: x.squeeze(1), lambda y: y.squeeze(1)),
        (ONE, lambda x: x.squeeze(1).numpy(), lambda y: y.squeeze(1).double().numpy()),
    ],
)
def test_what_loses_nothing_is_brought_into_form(
    spec: DataSpec, x: Callable[[Tensor], Any], y: Callable[[Tensor], Any]
) -> None:
    parts = random_parts(spec)
    assert equal(checked(changed(parts, x, y), spec), parts)


def test_parts_may_be_plain_tuples_and_whole_numbers() -> None:
    x, y = torch.arange(12).view(6, 2), torch.tensor([0, 1, 0, 1, 0, 1])
    found = checked(((x, y), [x + 100, y], (x + 200, y)), classes_spec(2, 2))
    assert isinstance(found.train, Part)
    assert found.val.x.dtype == torch.float32
    assert found.val.x.tolist() == (x + 100).tolist()


class Wrong(NamedTuple):
    """A mistake in one part, and what is said of it."""

    name: str
    part: str
    spec: DataSpec
    make: Callable[[Part], Any]
    said: str


def row(tensor: Tensor, i: int, value: float) -> Tensor:
    tensor = tensor.clone().float() if isinstance(value, float) else tensor.clone()
    tensor[i] = value
    return tensor


WRONG = [
    Wrong("list", "train", BINARY, lambda p: (p.x.tolist(), p.y), "x is of type list; it must be a tensor"),
    Wrong("none", "val", BINARY, lambda _: None, "is of type NoneType; it must be a Part(x, y)"),
    Wrong("three", "test", BINARY, lambda p: (p.x, p.y, p.y), "is of type tuple; it must be a Part(x, y)"),
    Wrong("texts", "val", BINARY, lambda p: (np.array(["a"] * 60), p.y), "x is an array of <U1; allowed: real numbers"),
    Wrong("complex", "val", BINARY, lambda p: (p.x + 1j, p.y), "x is a tensor of torch.complex64"),
    Wrong("sparse", "val", BINARY, lambda p: (p.x.to_sparse(), p.y), "torch.sparse_coo; allowed: dense real numbers"),
    Wrong("a number", "val", BINARY, lambda p: (p.x, torch.tensor(1)), "y is a single number"),
    Wrong("features", "train", BINARY, lambda p: (p.x[:, :2], p.y), "x has the shape (60, 2); spec.n_features=3 asks"),
    Wrong("images", "train", BINARY, lambda p: (p.x.view(60, 3, 1), p.y), "x has the shape (60, 3, 1)"),
    Wrong("lengths", "val", BINARY, lambda p: (p.x, p.y[:59]), "x holds 60 rows and y 59"),
    Wrong("empty", "test", BINARY, lambda p: (p.x[:0], p.y[:0]), "is empty"),
    Wrong("r2", "val", NUMBERS, lambda p: (p.x[:1], p.y[:1]), "holds 1 row; the explained variance (r2) needs 2"),
    Wrong(
        "nan",
        "test",
        BINARY,
        lambda p: (row(row(p.x, 7, math.nan), 9, math.inf), p.y),
        "x: 2 of 60 rows are not finite; the first is row 7: [nan, nan, nan]",
    ),
    Wrong("nan in y", "train", NUMBERS, lambda p: (p.x, row(p.y, 3, -math.inf)), "y: 1 of 60 rows is not finite"),
    Wrong(
        "labels from 1",
        "train",
        CLASSES,
        lambda p: (p.x, torch.arange(60) % 4 + 1),
        "y: 15 of 60 rows are outside 0 to 3, the labels of 4 classes; the first is row 3: 4",
    ),
    Wrong("-1 and 1", "val", BINARY, lambda p: (p.x, torch.arange(60) % 2 * 2 - 1), "30 of 60 rows are outside 0 to 1"),
    Wrong(
        "halves",
        "val",
        BINARY,
        lambda p: (p.x, row(p.y, 2, 0.5)),
        "no whole numbers, but labels are; the first is row 2: 0.5",
    ),
    Wrong("nan label", "val", BINARY, lambda p: (p.x, row(p.y, 2, math.nan)), "y: 1 of 60 rows is not finite"),
    Wrong(
        "one-hot",
        "train",
        CLASSES,
        lambda p: (p.x, torch.nn.functional.one_hot(p.y, 4)),
        "asks for labels (n,); of a row per class, argmax(1) gives the labels",
    ),
    Wrong(
        "targets",
        "train",
        NUMBERS,
        lambda p: (p.x, p.y[:, 0]),
        "y has the shape (60,); spec.n_outputs=2 asks for (n, 2)",
    ),
    Wrong(
        "too large",
        "train",
        BINARY,
        lambda p: (p.x.double() * 1e300, p.y),
        "x: 60 of 60 rows are too large for float32",
    ),
    Wrong(
        "times",
        "train",
        BINARY,
        lambda p: (p.x.double() + torch.tensor([0, 1.7e9, 0]), p.y),
        "x loses too much in float32: column 1 (x1) varies by",
    ),
    Wrong(
        "large labels", "val", BINARY, lambda p: (p.x, np.full(60, 2**64 - 1, dtype=np.uint64)), "an array of uint64"
    ),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_mistake_is_refused_with_its_part(wrong: Wrong) -> None:
    parts = random_parts(wrong.spec)
    parts = parts._replace(**{wrong.part: wrong.make(getattr(parts, wrong.part))})
    with pytest.raises(ConfigError) as refused:
        checked(parts, wrong.spec)
    first, *lines = str(refused.value).splitlines()
    assert first == "data._target_=mine.Data: its parts are not what training needs"
    (line,) = lines
    assert line.startswith(f"  {wrong.part}: {wrong.said}") or (
        line.startswith(f"  {wrong.part}: ") and wrong.said in line
    )


def test_all_mistakes_are_told_at_once() -> None:
    train, val, test = random_parts(CLASSES)
    parts = Parts(Part(row(train.x, 0, math.nan), train.y + 1), val, Part(test.x[:, :1], test.y[:2]))
    with pytest.raises(ConfigError) as refused:
        checked(parts, CLASSES)
    lines = str(refused.value).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["train:", "train:", "test:"]


@pytest.mark.parametrize("given", [None, [], (1, 2), {"train": 1}, torch.ones(3, 2)])
def test_what_is_no_three_parts_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"it must give Parts\(train=\.\.\., val=\.\.\., test=\.\.\.\)"):
        checked(given)


# Specs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "ranking"}, "spec.task is 'ranking'; allowed: binary, multiclass, regression"),
        ({"n_features": 0}, "spec.n_features is 0"),
        ({"n_features": 2.0}, "spec.n_features is 2.0"),
        ({"n_outputs": True}, "spec.n_outputs is True"),
        ({"n_outputs": 2}, "spec.n_outputs is 2; a binary task has 1"),
        ({"feature_names": ("a", "b")}, "spec.feature_names holds 2 names (a, b); one for each feature are 3"),
        ({"feature_names": "abc"}, "spec.feature_names is 'abc'; allowed: a tuple of strings"),
        ({"class_names": ("a",)}, "spec.class_names holds 1 names (a); one for each class are 2"),
        ({"class_names": (0, 1)}, "spec.class_names is (0, 1)"),
        ({"class_names": ("a", "a")}, "spec.class_names holds a name twice: a, a"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(changes: dict[str, Any], said: str) -> None:
    (problem,) = spec_problems(DataSpec(**{**vars(BINARY), **changes}))
    assert problem.startswith(said)


def test_a_spec_of_another_type_is_refused() -> None:
    assert spec_problems(None) == ["spec is of type NoneType; it must be a DataSpec"]  # type: ignore[arg-type]


@pytest.mark.parametrize("spec", [BINARY, CLASSES, NUMBERS, ONE])
def test_a_spec_that_can_be_has_no_problem(spec: DataSpec) -> None:
    assert spec_problems(spec) == []


# Overlap


def test_samples_in_two_parts_are_told_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    train, val, test = random_parts(BINARY)
    shared = Part(torch.cat([val.x[:50], train.x[5:7]]), torch.cat([val.y[:50], train.y[5:7]]))
    with caplog.at_level(logging.WARNING):
        checked(Parts(train, shared, test))
    said = "2 of the 60 samples of part train are in part val too, such as row 5 of part train, which equals row 50 of"
    assert f"{said} part val: metrics of a part" in caplog.text
    assert len(caplog.records) == 1


def test_equal_inputs_with_other_targets_are_other_samples() -> None:
    train, val, test = random_parts(BINARY)
    assert list(overlaps(Parts(train, Part(train.x, 1 - train.y), test))) == []
    assert len(list(overlaps(Parts(train, val, train)))) == 1


def test_zero_is_minus_zero() -> None:
    zeros = Part(torch.zeros(2, 1), torch.zeros(2, 1))
    others = Part(torch.ones(2, 1), torch.ones(2, 1))
    (line,) = overlaps(Parts(zeros, Part(-zeros.x, -zeros.y), others))
    assert line.startswith("2 of the 2 samples of part train are in part val")


def test_large_parts_are_looked_at_in_chunks() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200_000, 2, generator=generator)
    y = torch.zeros(200_000, dtype=torch.int64)
    few, rest = Part(torch.randn(9, 2, generator=generator), y[:9]), Part(x[:3] + 10, y[:3])
    assert list(overlaps(Parts(Part(x, y), few, rest))) == []
    (line,) = overlaps(Parts(Part(x, y), Part(x[150_000:150_002], y[:2]), rest))
    said = "2 of the 200,000 samples of part train are in part val too, such as row 150000 of part train, which equals"
    assert line.startswith(f"{said} row 0 of part val")


# In a run


class NotFinite(GivenData):
    """A number of the test part is lost."""

    def __init__(self, *, batch_size: int | None, batch_seed: int, **_: Any) -> None:
        spec = classes_spec(2, 2)
        parts = random_parts(spec)
        parts.test.x[4, 1] = math.nan
        super().__init__(parts, spec, batch_size=batch_size, batch_seed=batch_seed)


class BadSpec(NotFinite):
    """Names one class only."""

    @property
    def spec(self) -> DataSpec:
        return DataSpec(**{**vars(super().spec), "class_names": ("a",)})


def test_a_run_is_refused_before_it_trains_and_leaves_nothing(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    cfg = small(f"data._target_={__name__}.NotFinite", "trainer.max_epochs=2", run_dir=run_dir)
    message = rf"data\._target_={__name__}\.NotFinite: .*\n  test: x: 1 of 60 rows is not finite; the first is row 4: "
    with pytest.raises(ConfigError, match=message):
        train(cfg)
    assert not run_dir.exists()


def test_parts_are_checked_once(tmp_path: Path) -> None:
    built = build(small(run_dir=tmp_path))
    assert built.datamodule.parts is built.datamodule.parts


def test_a_spec_is_checked_before_the_network_is_made(tmp_path: Path) -> None:
    cfg = small(f"data._target_={__name__}.BadSpec", run_dir=tmp_path)
    with pytest.raises(ConfigError, match=rf"^data={__name__}\.BadSpec: spec\.class_names holds 1 names"):
        build(cfg)


def test_a_data_module_whose_labels_are_columns_of_doubles_trains_as_any(tmp_path: Path) -> None:
    metrics = []
    for name in ("Plain", "Columns"):
        run_dir = tmp_path / name
        train(small(f"data._target_={__name__}.{name}", "trainer.max_epochs=3", run_dir=run_dir))
        metrics.append(json.loads((run_dir / "result.json").read_text())["metrics"])
    assert metrics[0] == metrics[1]


class Plain(GivenData):
    """In form."""

    def __init__(self, *, batch_size: int | None, batch_seed: int, **_: Any) -> None:
        spec = classes_spec(2, 2)
        super().__init__(random_parts(spec), spec, batch_size=batch_size, batch_seed=batch_seed)


class Columns(Plain):
    """The same in another form."""

    def make_parts(self) -> Any:
        return changed(super().make_parts(), Tensor.double, lambda y: y.double().unsqueeze(1).numpy())
