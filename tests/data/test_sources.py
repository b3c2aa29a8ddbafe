"""Each data set against its generator, called by hand."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs, make_circles
from sklearn.model_selection import train_test_split

from src.data.base import InMemoryDataModule, Part
from src.data.blobs import BlobsDataModule
from src.data.circles import CirclesDataModule
from src.data.line import LineDataModule
from src.data.spec import DataSpec
from tests.tasks.runs import generator_states

SPLIT = {"seed": 42, "test_size": 0.2, "split_seed": 42, "n_val": 200, "val_seed": 43}
BATCH = {"batch_size": None, "batch_seed": 42}


def circles(**changes: Any) -> CirclesDataModule:
    return CirclesDataModule(**({"n_samples": 1000, "noise": 0.03, "factor": 0.8, **SPLIT, **BATCH} | changes))


def blobs(**changes: Any) -> BlobsDataModule:
    shape = {"n_samples": 1000, "n_features": 2, "centers": 4, "cluster_std": 1.5}
    return BlobsDataModule(**({**shape, **SPLIT, **BATCH} | changes))


def line(**changes: Any) -> LineDataModule:
    given = {"weight": 0.7, "bias": 0.3, "start": 0.0, "end": 1.0, "step": 0.01, "test_size": 0.2, **BATCH}
    return LineDataModule(**(given | changes))


def equals(part: Part, x: Any, y: Any) -> bool:
    """Whether a part holds these arrays, in float32 and int64."""
    expected = torch.from_numpy(x).float(), torch.from_numpy(y)
    return torch.equal(part.x, expected[0]) and torch.equal(part.y, expected[1])


CHANGES = [
    {},
    {"seed": 0, "val_seed": 1},
    {"n_samples": 37, "test_size": 0.3, "split_seed": 7, "n_val": 5},
]


@pytest.mark.parametrize("changes", [*CHANGES, {"noise": 0.2, "factor": 0.3}, {"factor": 0.0}, {"noise": 0.0}])
def test_circles_are_those_of_scikit_learn(changes: dict[str, Any]) -> None:
    data = circles(**changes)
    given = {"noise": data.noise, "factor": data.factor}
    x, y = make_circles(data.n_samples, random_state=data.seed, **given)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=data.test_size, random_state=data.split_seed)
    assert equals(data.parts.train, x_train, y_train)
    assert equals(data.parts.test, x_test, y_test)
    assert equals(data.parts.val, *make_circles(data.n_val, random_state=data.val_seed, **given))


@pytest.mark.parametrize("changes", [*CHANGES, {"n_features": 5, "centers": 3, "cluster_std": 0.1}])
def test_blobs_are_those_of_scikit_learn(changes: dict[str, Any]) -> None:
    data = blobs(**changes)
    shape = {"n_features": data.n_features, "centers": data.centers, "cluster_std": data.cluster_std}
    x, y, centers = make_blobs(data.n_samples, random_state=data.seed, return_centers=True, **shape)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=data.test_size, random_state=data.split_seed)
    assert equals(data.parts.train, x_train, y_train)
    assert equals(data.parts.test, x_test, y_test)
    val = make_blobs(data.n_val, random_state=data.val_seed, **(shape | {"centers": centers}))
    assert equals(data.parts.val, *val)


def test_blobs_validation_lies_around_the_same_centres() -> None:
    parts = blobs(n_samples=4000, n_val=4000).parts
    for k in range(4):
        train, val = (part.x[part.y == k].mean(0) for part in (parts.train, parts.val))
        assert torch.allclose(train, val, atol=0.3)


@pytest.mark.parametrize(
    "changes", [{}, {"weight": -2.0, "bias": 5.0, "start": -3.0, "end": 4.0, "step": 0.13, "test_size": 0.35}]
)
def test_line_is_the_formula_split_in_order(changes: dict[str, Any]) -> None:
    given = {"weight": 0.7, "bias": 0.3, "start": 0.0, "end": 1.0, "step": 0.01, "test_size": 0.2} | changes
    parts = line(**changes).parts
    x = torch.arange(given["start"], given["end"], given["step"]).unsqueeze(1)
    y = given["weight"] * x + given["bias"]
    assert torch.equal(torch.cat([parts.train.x, parts.test.x]), x)
    assert torch.equal(torch.cat([parts.train.y, parts.test.y]), y)
    assert parts.train.x.max() < parts.test.x.min()
    assert len(parts.test.x) == int(np.ceil(len(x) * given["test_size"]))


def test_line_of_the_notebook_has_80_and_20_points() -> None:
    parts = line().parts
    assert (len(parts.train.x), len(parts.val.x), len(parts.test.x)) == (80, 79, 20)


def test_line_validation_points_are_the_midpoints_of_training() -> None:
    parts = line().parts
    expected = [(a.item() + b.item()) / 2 for a, b in pairwise(parts.train.x.flatten())]
    assert torch.allclose(parts.val.x.flatten(), torch.tensor(expected))
    assert torch.equal(parts.val.y, 0.7 * parts.val.x + 0.3)


@pytest.mark.parametrize("data", [circles(), blobs(), line()], ids=["circles", "blobs", "line"])
def test_no_sample_is_in_two_parts(data: InMemoryDataModule) -> None:
    rows = [set(map(tuple, part.x.tolist())) for part in data.parts]
    assert all(len(row) == len(part.x) for row, part in zip(rows, data.parts, strict=True))
    assert not rows[0] & rows[1]
    assert not rows[2] & (rows[0] | rows[1])


@pytest.mark.parametrize(
    "data",
    [circles(), blobs(), line(), line(start=0, end=100, step=1), line(start=0, end=100, step=1, weight=2, bias=1)],
    ids=["circles", "blobs", "line", "line of whole numbers", "line of whole numbers only"],
)
def test_inputs_are_float32_and_labels_int64(data: InMemoryDataModule) -> None:
    labels = torch.float32 if data.spec.task == "regression" else torch.int64
    for part in data.parts:
        assert (part.x.dtype, part.y.dtype) == (torch.float32, labels)


@pytest.mark.parametrize("data", [circles(), blobs(), line()], ids=["circles", "blobs", "line"])
def test_making_data_takes_nothing_from_the_global_generators(data: InMemoryDataModule) -> None:
    before = generator_states()
    data.make_parts()
    assert generator_states() == before


@pytest.mark.parametrize(
    ("data", "spec"),
    [
        (
            circles(),
            DataSpec(
                task="binary",
                n_features=2,
                n_outputs=1,
                feature_names=("X1", "X2"),
                class_names=("outer", "inner"),
            ),
        ),
        (
            blobs(n_features=3, centers=3),
            DataSpec(
                task="multiclass",
                n_features=3,
                n_outputs=3,
                feature_names=("X1", "X2", "X3"),
                class_names=("blob 0", "blob 1", "blob 2"),
            ),
        ),
        (line(), DataSpec(task="regression", n_features=1, n_outputs=1, feature_names=("x",), class_names=("y",))),
    ],
    ids=["circles", "blobs", "line"],
)
def test_spec_tells_the_shapes_of_the_parts(data: InMemoryDataModule, spec: DataSpec) -> None:
    assert data.spec == spec
    for part in data.parts:
        assert part.x.shape[1] == spec.n_features
        if spec.task != "regression":
            assert set(part.y.tolist()) == set(range(len(spec.class_names)))


def test_class_names_of_circles_say_where_the_ring_is() -> None:
    x, y = circles().parts.train
    outer, inner = (x[y == k].norm(dim=1).mean() for k in range(2))
    assert (outer - 1).abs() < 0.05
    assert (inner - 0.8).abs() < 0.05


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_samples": 1}, r"data\.n_samples must be a whole number from 2 to 1000000000, got 1"),
        ({"noise": -0.1}, r"data\.noise must be a number of at least 0, got -0\.1"),
        ({"factor": -0.1}, r"data\.factor must be .*, got -0\.1"),
        ({"factor": 1.0}, r"data\.factor must be .*, got 1\.0"),
        ({"n_val": 1}, r"data\.n_val must be a whole number from 2 to 1000000000, got 1"),
        ({"test_size": 1.0}, r"data\.test_size must be a number greater than 0 and below 1, got 1\.0"),
        ({"test_size": 0.99, "n_samples": 10}, r"data\.test_size=0\.99 of 10 samples leaves 0"),
        ({"batch_size": 0}, r"data\.batch_size must be null or a whole number of at least 1, got 0"),
        ({"batch_size": True}, r"data\.batch_size must be null or a whole number of at least 1, got True"),
        ({"batch_size": 2.5}, r"data\.batch_size"),
        ({"n_samples": 100.5}, r"data\.n_samples"),
        ({"seed": -1}, r"data\.seed"),
    ],
)
def test_circles_refuse_values_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        circles(**changes)


def test_the_error_about_the_factor_does_not_allow_what_it_refuses() -> None:
    with pytest.raises(ValueError, match=r"data\.factor") as error:
        circles(factor=1.0)
    assert "between 0 and 1," not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_samples": 1}, r"data\.n_samples must be a whole number from 2 to 1000000000, got 1"),
        ({"n_features": 0}, r"data\.n_features must be a whole number from 1 to 1000000, got 0"),
        ({"centers": 2}, r"data\.centers must be a whole number from 3 to 1000000, got 2"),
        ({"cluster_std": -1.0}, r"data\.cluster_std must be a number of at least 0, got -1\.0"),
        ({"n_val": 0}, r"data\.n_val must be a whole number from 1 to 1000000000, got 0"),
        ({"test_size": 0.0}, r"data\.test_size must be a number greater than 0 and below 1, got 0\.0"),
        ({"batch_size": -3}, r"data\.batch_size must be null or a whole number of at least 1, got -3"),
        ({"n_features": 2.5}, r"data\.n_features"),
    ],
)
def test_blobs_refuse_values_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        blobs(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"end": 0.0}, r"data\.end must be greater than data\.start=0\.0, got 0\.0"),
        ({"step": 0.0}, r"data\.step must be a number greater than 0, got 0\.0"),
        ({"step": 0.5}, r"data\.step=0\.5 and .* leave 1 points to train on and 1 to test, must be at least 3 and 2"),
        ({"test_size": -0.2}, r"data\.test_size must be a number greater than 0 and below 1"),
        ({"step": 0.4, "test_size": 0.5}, r"data\.test_size=0\.5 leave 1 points to train on and 2 to test"),
        ({"step": 0.4, "test_size": 0.9}, r"data\.test_size=0\.9 of 3 samples leaves 0"),
    ],
)
def test_line_refuses_values_out_of_range(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        line(**changes)


def test_parts_are_made_once() -> None:
    data = circles()
    assert data.parts is data.parts
