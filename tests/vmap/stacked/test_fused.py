"""The compiled kernel trains to the weights that PyTorch's operations train to."""

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from src.build import build_trainer
from src.console.sweep import NoProgress
from src.sweep.jobs import Job
from src.vmap import stacked
from src.vmap.models import ModelFactory
from src.vmap.module import StackedModule
from src.vmap.planning.plan import plan
from src.vmap.stacked.fused import Fused, is_fit
from src.vmap.stacked.fused import kernel as compiled_kernel
from src.vmap.tile import Tile
from src.vmap.train import StackOptions, train_stack
from tests.vmap.stacked_jobs import make_jobs, result_of
from tests.waiting import completed

numba = pytest.importorskip("numba")
kernel = pytest.importorskip("src.vmap.stacked.kernel")

N_EPOCHS = 100
WITHIN = 1e-5

DATA = {
    "two classes": ["data=circles", "data.noise=0.1"],
    "classes": ["data=blobs", "data.cluster_std=4"],
    "numbers": ["data=plane"],
}
OPTIMIZERS = {
    "sgd": ["optimizer.lr=0.05"],
    "momentum, decay": ["optimizer.lr=0.01", "optimizer.momentum=0.5", "optimizer.weight_decay=0.01"],
    "adam, clipped": ["optimizer=adam", "optimizer.lr=0.003", "task.gradient_clip_val=0.1"],
    "adamw, penalty": ["optimizer=adamw", "optimizer.lr=0.003", "task.l2=0.01"],
    # with PyTorch's small eps what rounding leaves of a gradient moves weights as far as a gradient does
    "rmsprop": ["optimizer=rmsprop", "optimizer.lr=0.001", "optimizer.eps=1e-4"],
    "of torch": ["optimizer=adam", "optimizer._target_=torch.optim.NAdam", "optimizer.lr=0.003"],
}
# of each model; the last ones have widths and activations of their own
NETS = {
    "merged": [["model=mlp", "model.net.hidden=[10,10]", "model.net.activation=[identity,relu]"]] * 3,
    "linear": [["model=mlp", "model.net.hidden=[5,5]", "model.net.activation=identity"]] * 3,
    "relu": [["model=mlp", "model.net.hidden=[7]"]] * 3,
    "tanh, narrow": [["model=mlp", "model.net.hidden=[9,2,9]", "model.net.activation=[tanh,identity,tanh]"]] * 3,
    "by hand": [["model=mlp", "model.net.hidden=[6,6]", "model.net.activation=[tanh,handmade_relu]"]] * 3,
    "widths": [["model=mlp", f"model.net.hidden=[{a},{b}]"] for a, b in ((3, 8), (8, 3), (5, 5))],
    "activations": [
        ["model=mlp", f"model.net.hidden=[{n},4]", f"model.net.activation=[{first},relu]"]
        for n, first in ((4, "identity"), (6, "tanh"), (5, "handmade_relu"))
    ],
}
BATCHES = {"whole": "null", "batches": "24"}
COMMON = ["data.n_samples=100", f"trainer.max_epochs={N_EPOCHS}", "task.log_every_n_epochs=25"]
# one seed of its own for each model, and its own data or the same
MODELS = {"shared": [["seed=0"], ["seed=1"], ["seed=2"]], "own": [[f"seed={i}", f"data.seed={i}"] for i in range(3)]}


def stack(folder: Path, common: Sequence[str], each: Sequence[Sequence[str]]) -> list[Job]:
    choices = [text for own in each for text in own if "." not in text.split("=")[0] and not text.startswith("seed")]
    return make_jobs(
        [*dict.fromkeys(choices), *COMMON, *common], [[t for t in o if t not in choices] for o in each], folder
    )


def trained(jobs: Sequence[Job], *, fused: bool, tile: int = 8, threads: int = 1) -> list[Tile]:
    factory = ModelFactory()
    module = StackedModule(
        [factory.model(job) for job in jobs],
        batch_size=factory.batch_size(jobs[0]),
        monitor=None,
        tile=tile,
        progress=NoProgress(),
        threads=threads,
        fused=fused,
    )
    build_trainer(jobs[0].cfg, [], []).fit(module, train_dataloaders=[0])
    assert all(tile.is_fused == fused for tile in module.tiles)
    return module.tiles


def assert_alike(jobs: Sequence[Job]) -> None:
    (expected,), (found,) = trained(jobs, fused=False), trained(jobs, fused=True)
    torch.testing.assert_close(found.weights, expected.weights, rtol=0, atol=WITHIN)
    for name, column in expected.columns.items():
        # a score moves by one sample where an output lies next to the border
        within = 0.02 if name.endswith("accuracy") else WITHIN
        torch.testing.assert_close(found.columns[name], column, rtol=WITHIN, atol=within)


# a sixth of all combinations, in which each pair of choices is found
SOME = [
    (data, optimizer, net, batches)
    for (a, data), (b, optimizer), (c, net), (d, batches) in itertools.product(
        enumerate(DATA), enumerate(OPTIMIZERS), enumerate(NETS), enumerate(BATCHES)
    )
    if (a + b + c + 3 * d) % 6 == 0
]


@pytest.mark.slow
@pytest.mark.parametrize(("data", "optimizer", "net", "batches"), SOME)
def test_weights_are_those_of_the_operations(data: str, optimizer: str, net: str, batches: str, tmp_path: Path) -> None:
    common = [*DATA[data], f"data.batch_size={BATCHES[batches]}", *OPTIMIZERS[optimizer]]
    models = MODELS["own" if batches == "whole" else "shared"]
    assert_alike(stack(tmp_path, common, [[*n, *m] for n, m in zip(NETS[net], models, strict=True)]))


def test_a_step_is_that_of_the_operations(tmp_path: Path) -> None:
    for (data, choices), n_samples in zip(DATA.items(), (100, 37, 100), strict=True):
        net = NETS["activations"]
        common = [*choices, f"data.n_samples={n_samples}", "trainer.max_epochs=2", "task.log_every_n_epochs=1"]
        assert_alike(stack(tmp_path / data, common, [[*n, *m] for n, m in zip(net, MODELS["own"], strict=True)]))


def test_tiles_and_threads_change_no_bit(tmp_path: Path) -> None:
    jobs = stack(
        tmp_path, [*DATA["two classes"], "trainer.max_epochs=20"], [["model=mlp", *m] for m in MODELS["shared"]]
    )
    (whole,) = trained(jobs, fused=True)
    parts = trained(jobs, fused=True, tile=1, threads=2)
    assert torch.equal(torch.cat([tile.weights for tile in parts]), whole.weights)


def test_a_model_that_is_lost_is_seen_to_be_and_leaves_the_others_alone(tmp_path: Path) -> None:
    own = [["model=mlp", "seed=1", f"optimizer.lr={lr}"] for lr in (0.1, 1e30)]
    found, expected = (
        trained(stack(tmp_path, [*DATA["numbers"], "trainer.max_epochs=30"], own), fused=fused)
        for fused in (True, False)
    )
    for tiles in (found, expected):
        finite = {
            model.recipe.make()[0].param_groups[0]["lr"]: ok
            for t in tiles
            for model, ok in zip(t.models, t.is_finite, strict=True)
        }
        assert {lr: bool(ok) for lr, ok in finite.items()} == {0.1: True, 1e30: False}


@pytest.mark.parametrize(
    ("function", "reference", "low", "high"),
    [
        ("exp_below", np.exp, -80, 0),
        ("log1p_below", np.log1p, 0, 1),
        ("tanh", np.tanh, -20, 20),
    ],
)
def test_functions_err_by_a_few_units_in_the_last_place(
    function: str, reference: Callable[[Any], Any], low: float, high: float
) -> None:
    tried = np.linspace(low, high, 20_001, dtype=np.float32)
    near = np.float32(10.0) ** -np.arange(1, 30, dtype=np.float32)
    x = np.concatenate([tried, near if high > 0 else -near])
    found = np.array([getattr(kernel, function)(value) for value in x], np.float32)
    expected = reference(x.astype(np.float64))
    # of 1 where it is added to others of that size
    size = np.ones_like(expected) if function == "tanh" else np.abs(expected)
    assert np.max(np.abs(found - expected) / np.spacing(size.astype(np.float32))) < 5
    assert np.isnan(getattr(kernel, function)(np.float32(np.nan)))


@pytest.mark.parametrize(
    "given",
    [
        ["model=mlp", "model.net.activation=gelu"],
        ["model=mlp", "model.net.norm=layer"],
        ["model=mlp", "model.net.residual=true"],
        ["model=mlp", "model.net.dropout=0.1"],
        ["model=mlp", "features=squares"],
        ["model=mlp", "model.net.hidden=[500]"],
        ["model=mlp", "loss=brier"],
        ["model=mlp", "loss=of_data", "loss.class_weights=balanced"],
        ["model=mlp", "data=blobs", "loss=of_data", "loss.label_smoothing=0.1"],
        ["model=mlp", "data=plane", "loss=l1"],
    ],
    ids=lambda given: given[-1],
)
def test_what_it_does_not_know_is_left_to_the_operations(given: list[str], tmp_path: Path) -> None:
    factory = ModelFactory()
    (job,) = make_jobs(given, [[]], tmp_path)
    assert not is_fit([factory.task(job)])


def test_double_precision_is_left_to_the_operations(tmp_path: Path) -> None:
    jobs = make_jobs(["model=circle_v2", "trainer.precision=64-true", "trainer.max_epochs=1"], [["seed=1"]], tmp_path)
    factory = ModelFactory()
    module = StackedModule(
        [factory.model(jobs[0])], batch_size=None, monitor=None, tile=1, progress=NoProgress(), fused=True
    )
    build_trainer(jobs[0].cfg, [], []).fit(module, train_dataloaders=[0])
    assert not module.tiles[0].is_fused


def test_without_numba_the_operations_compute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "src.vmap.stacked.kernel", None)
    monkeypatch.delattr(stacked, "kernel", raising=False)
    caplog.set_level("INFO")
    assert compiled_kernel.__wrapped__() is None
    assert "Numba is not installed (the extra fast)" in caplog.text


def test_a_kernel_that_computes_something_else_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kernel, "learn", lambda *_: None)
    caplog.set_level("INFO")
    assert compiled_kernel.__wrapped__() is None
    assert "Numba cannot compile here: it computes [[0.0, 0.0]] where -2 is right" in caplog.text


def test_where_nothing_can_be_kept_it_is_compiled_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def njit(*, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**options)

    monkeypatch.setattr(kernel, "njit", njit)
    double = kernel._compiled("contract")(lambda x: x + x)
    assert double(2.0) == 4.0


@pytest.mark.slow
def test_what_was_kept_of_it_and_is_damaged_is_made_anew(tmp_path: Path) -> None:
    code = "from src.vmap.stacked.fused import kernel; print(kernel() is not None)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for damage in (None, b"garbage", b""):
        if damage is not None:
            files = [file for file in tmp_path.rglob("kernel.*.nb[ic]") if "learn" in file.name]
            assert files
            for file in files:
                file.write_bytes(damage)
        done = completed(sys.executable, "-c", code, env=environment)
        assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


PROVEN = ["model=circle_v2", "trainer.max_epochs=2", "data.n_samples=60"]


def test_a_stack_is_proven_as_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[bool] = []
    learn = Fused.learn

    def noted(self: Fused, *args: Any, **named: Any) -> Any:
        tried.append(True)
        return learn(self, *args, **named)

    monkeypatch.setattr(Fused, "learn", noted)
    factory = ModelFactory()
    assert plan(make_jobs(PROVEN, [["seed=0"], ["seed=1"]], tmp_path), factory).stacks
    assert tried
    assert factory.fused


def test_where_the_kernel_differs_the_stack_trains_by_the_operations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    learn = Fused.learn

    def wrong(self: Fused, *args: Any, **named: Any) -> Any:
        means, grad = learn(self, *args, **named)
        return means, grad * 1.1

    monkeypatch.setattr(Fused, "learn", wrong)
    caplog.set_level("INFO")
    factory = ModelFactory()
    (found,) = plan(make_jobs(PROVEN, [["seed=0"], ["seed=1"]], tmp_path), factory).stacks
    assert len(found.jobs) == 2
    assert not factory.fused
    assert "Numba computes no stacks of this sweep" in caplog.text
    train_stack(found.jobs, StackOptions(), factory=factory)
    assert result_of(tmp_path / "0")["status"] == "completed"
