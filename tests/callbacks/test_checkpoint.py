"""What best.ckpt and last.ckpt hold, when they are written, and what is said of a broken one."""

import copy
import math
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from src.build import Built, build
from src.callbacks.checkpoint import BestAndLast, go_on_from
from src.config.errors import ConfigError
from src.run.directory import RunDir
from src.run.files import write_atomically
from src.tasks.checkpoint import load_checkpoint
from src.tasks.finite import NonFiniteLossError
from tests.tasks.runs import fit, listing, small

# A learning rate that makes losses go up and down.
ROUGH = (
    "data.n_samples=50",
    "data.n_val=30",
    "data.batch_size=16",
    "optimizer.lr=3",
    "optimizer.momentum=0.9",
    "trainer.max_epochs=20",
    "task.log_every_n_epochs=2",
)


class Watch(Callback):
    """Metrics and weights at the end of every block, and the checkpoint that is there by then."""

    def __init__(self) -> None:
        self.metrics: dict[int, dict[str, float]] = {}
        self.weights: dict[int, dict[str, Tensor]] = {}
        self.optimizers: dict[int, dict[str, Any]] = {}
        self.last: list[int | None] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch
        self.metrics[epoch] = {name: value.item() for name, value in trainer.callback_metrics.items()}
        self.weights[epoch] = {name: value.clone() for name, value in pl_module.state_dict().items()}
        self.optimizers[epoch] = copy.deepcopy(trainer.optimizers[0].state_dict())
        last = Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt"
        # Lightning calls checkpoint callbacks after all others, so this is what the block before has left
        self.last.append(load_checkpoint(last)["epoch"] if last.exists() else None)


def watched(*overrides: str, run_dir: Path) -> tuple[Built, Watch]:
    built, watch = build(small(*ROUGH, *overrides, run_dir=run_dir)), Watch()
    built.trainer.callbacks.insert(0, watch)  # type: ignore[attr-defined]  # Lightning leaves it untyped
    built.trainer.fit(built.task, datamodule=built.datamodule)
    return built, watch


@pytest.mark.parametrize(
    ("monitor", "mode"), [("val/loss", "min"), ("val/accuracy", "max"), ("train/loss", "min"), ("val/loss", "max")]
)
def test_best_holds_the_first_epoch_with_the_best_value(monitor: str, mode: str, tmp_path: Path) -> None:
    given = [f"callbacks.checkpoint.monitor={monitor}", f"callbacks.checkpoint.mode={mode}"]
    _, watch = watched(*given, run_dir=tmp_path)
    values = {epoch: metrics[monitor] for epoch, metrics in watch.metrics.items()}
    assert list(values) == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 19]
    best = min(values, key=lambda epoch: values[epoch] if mode == "min" else -values[epoch])
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")
    assert checkpoint["epoch"] == best
    assert checkpoint["global_step"] == (best + 1) * 3
    assert all(torch.equal(value, watch.weights[best][name]) for name, value in checkpoint["state_dict"].items())
    momenta, expected = checkpoint["optimizer_states"][0]["state"], watch.optimizers[best]["state"]
    assert all(torch.equal(momenta[i]["momentum_buffer"], expected[i]["momentum_buffer"]) for i in expected)


def test_the_best_epoch_of_these_tests_lies_in_between(tmp_path: Path) -> None:
    watched(run_dir=tmp_path)
    assert 0 < load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")["epoch"] < 19


def test_last_holds_the_weights_at_the_end(tmp_path: Path) -> None:
    built, _ = watched(run_dir=tmp_path)
    checkpoint = load_checkpoint(tmp_path / "checkpoints" / "last.ckpt")
    assert (checkpoint["epoch"], checkpoint["global_step"]) == (20, 60)
    state = built.task.state_dict()
    assert checkpoint["state_dict"].keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in checkpoint["state_dict"].items())


@pytest.mark.parametrize(("every_s", "seen"), [("0", [0, 2, 4, 6, 8, 10, 12, 14, 16, 18]), ("1e9", [None] * 10)])
def test_files_are_written_as_often_as_asked(every_s: str, seen: list[int | None], tmp_path: Path) -> None:
    _, watch = watched(f"callbacks.checkpoint.every_s={every_s}", run_dir=tmp_path)
    assert watch.last == [None, *seen]
    # the one before is kept until the run is over
    before = ["last.previous.ckpt"] if every_s == "0" else []
    assert listing(tmp_path / "checkpoints") == ["best.ckpt", "last.ckpt", *before]


def kinds(value: Any) -> set[type]:
    if isinstance(value, dict):
        return {type(value)}.union(*(kinds(part) for pair in value.items() for part in pair))
    if isinstance(value, (list, tuple)):
        return {type(value)}.union(*map(kinds, value))
    return {type(value)}


@pytest.mark.parametrize("name", ["best.ckpt", "last.ckpt"])
def test_checkpoints_hold_plain_containers_only(name: str, tmp_path: Path) -> None:
    watched("scheduler=plateau", run_dir=tmp_path)
    content = torch.load(tmp_path / "checkpoints" / name, weights_only=True)
    names = {kind.__name__ for kind in kinds(content)}
    assert names <= {"dict", "OrderedDict", "list", "tuple", "Tensor", "str", "int", "float", "bool", "NoneType"}
    assert "hyper_parameters" not in content


def test_without_a_finite_value_there_is_a_last_checkpoint_and_no_best(tmp_path: Path) -> None:
    built = build(small(*ROUGH, run_dir=tmp_path))
    built.datamodule.parts.val.x[0] = math.nan
    with pytest.raises(NonFiniteLossError, match="val/loss is nan"):
        built.trainer.fit(built.task, datamodule=built.datamodule)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]


def test_only_the_first_process_writes_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Trainer, "is_global_zero", False)
    fit(small(*ROUGH, run_dir=tmp_path))
    assert not (tmp_path / "checkpoints" / "best.ckpt").exists()


@pytest.mark.parametrize("decided", [True, False])
def test_all_processes_write_when_the_first_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, decided: bool
) -> None:
    # its own clock says otherwise; a process that saved alone would wait for ever
    built = build(small(*ROUGH, f"callbacks.checkpoint.every_s={'1e9' if decided else 0}", run_dir=tmp_path))
    watch = Watch()
    built.trainer.callbacks.insert(0, watch)  # type: ignore[attr-defined]  # Lightning leaves it untyped

    def broadcast(value: object, *_: object) -> object:
        return decided if isinstance(value, bool) else value

    monkeypatch.setattr(built.trainer.strategy, "broadcast", broadcast)
    built.trainer.fit(built.task, datamodule=built.datamodule)
    assert (watch.last[-1] is not None) is decided


def test_state_survives_a_stop() -> None:
    first = BestAndLast(monitor="val/loss", mode="min", every_s=1)
    first.load_state_dict({"score": 0.5, "best": {"epoch": 3}})
    assert first.state_dict() == {"score": 0.5, "best": {"epoch": 3}}


def test_unknown_monitor_is_refused_with_what_is_measured(tmp_path: Path) -> None:
    message = (
        r"callbacks\.checkpoint\.monitor=val/f1 is not measured during training; "
        "allowed: train/accuracy, train/loss, val/accuracy, val/loss"
    )
    with pytest.raises(ConfigError, match=message):
        fit(small(*ROUGH, "callbacks.checkpoint.monitor=val/f1", run_dir=tmp_path))


@pytest.mark.parametrize(("monitor", "best"), [("val/loss", min), ("val/accuracy", max)])
def test_without_a_mode_the_name_tells_which_weights_are_best(monitor: str, best: Any, tmp_path: Path) -> None:
    _, watch = watched(f"callbacks.checkpoint.monitor={monitor}", run_dir=tmp_path)
    values = {epoch: metrics[monitor] for epoch, metrics in watch.metrics.items()}
    kept = load_checkpoint(tmp_path / "checkpoints" / "best.ckpt")["epoch"]
    assert values[kept] == best(values.values())


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"callbacks\.checkpoint\.mode must be null or min or max, got 'lowest'"):
        BestAndLast(monitor="val/loss", mode="lowest", every_s=1)


def test_missing_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no checkpoint .*best\.ckpt"):
        load_checkpoint(tmp_path / "best.ckpt")
    with pytest.raises(ConfigError, match="there is no checkpoint"):
        load_checkpoint(tmp_path)


class Harmful:
    """Unpickling it would run code."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("harm"),)


def broken(kind: str, path: Path) -> None:
    torch.save({"state_dict": {"w": torch.ones(1000)}}, path)
    whole = path.read_bytes()
    if kind == "object":
        torch.save({"state_dict": Harmful()}, path)
    elif kind == "no weights":
        torch.save({"epoch": 1}, path)
    elif kind == "tensor":
        torch.save(torch.ones(3), path)
    else:
        content = {
            "empty": b"",
            "cut off": whole[: len(whole) // 2],
            "garbage": b"epoch,step\n" * 50,
            "half": whole[:9],
        }
        path.write_bytes(content[kind])


@pytest.mark.parametrize("kind", ["empty", "cut off", "half", "garbage", "object", "no weights", "tensor"])
def test_broken_checkpoint_is_refused_with_its_size_and_a_way_out(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "last.ckpt"
    broken(kind, path)
    message = (
        rf"last\.ckpt cannot be read as a checkpoint \({path.stat().st_size} bytes.*The run has no other: train again"
    )
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        load_checkpoint(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("changes", [["model.net.hidden=[3]"], ["model.net.hidden=[4,4]"]])
def test_a_checkpoint_of_another_network_is_named_and_set_aside(
    changes: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run, other = RunDir(tmp_path / "run"), RunDir(tmp_path / "other")
    built = build(small("model=mlp", "model.net.hidden=[4]", run_dir=run.path))
    built.fit()
    build(small("model=mlp", *changes, run_dir=other.path)).fit()
    write_atomically(run.previous, run.checkpoint("last").read_bytes())
    write_atomically(run.checkpoint("last"), other.checkpoint("last").read_bytes())
    assert go_on_from(run, is_first=True, module=built.task) == run.previous
    assert "last.ckpt is damaged (it holds weights of another network, net.layers." in caplog.text
    assert "last.ckpt.set_aside" in {file.name for file in run.checkpoints.iterdir()}
    assert go_on_from(run, is_first=True, module=built.task) == run.checkpoint("last")


def test_a_checkpoint_of_another_run_with_an_equal_network_is_set_aside_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    runs = [RunDir(tmp_path / name) for name in ("run", "other")]
    for seed, run in enumerate(runs):
        cfg = small(f"seed={seed}", run_dir=run.path)
        run.claim(cfg)
        build(cfg).fit()
    run, other = runs
    write_atomically(run.previous, run.checkpoint("last").read_bytes())
    write_atomically(run.checkpoint("last"), other.checkpoint("last").read_bytes())
    assert go_on_from(run, is_first=True) == run.previous
    assert "last.ckpt is damaged (it is that of a run of another configuration)" in caplog.text
