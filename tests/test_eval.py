"""A finished run, evaluated again from its directory alone."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf

from src.config.compose import compose_train
from src.config.errors import ConfigError
from src.eval import evaluate
from src.train import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run")
    train(compose_train(["logger=none", "callbacks=none", "trainer.max_epochs=40", "optimizer=adam"], run_dir=path))
    return path


def asked(run: Path, *overrides: str, checkpoint: str = "best") -> DictConfig:
    cfg = OmegaConf.create({"run": str(run), "checkpoint": checkpoint, "overrides": list(overrides)})
    assert isinstance(cfg, DictConfig)
    return cfg


def stored(run: Path) -> dict[str, float]:
    metrics: dict[str, float] = json.loads((run / "result.json").read_text())["metrics"]
    return {name: value for name, value in metrics.items() if not name.startswith("train/")}


@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_evaluation_gives_the_metrics_of_training(checkpoint: str, tmp_path: Path) -> None:
    overrides = ["logger=none", "callbacks=none", "trainer.max_epochs=40", "optimizer=adam", f"evaluate={checkpoint}"]
    train(compose_train(overrides, run_dir=tmp_path))
    assert evaluate(asked(tmp_path, checkpoint=checkpoint)).metrics == pytest.approx(stored(tmp_path), abs=1e-6)


def test_a_moved_run_directory_is_enough(trained: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(trained, tmp_path / "elsewhere")
    before = {path: path.read_bytes() for path in moved.rglob("*") if path.is_file()}
    assert evaluate(asked(moved)).metrics == pytest.approx(stored(trained), abs=1e-6)
    assert {path: path.read_bytes() for path in moved.rglob("*") if path.is_file()} == before


def test_overrides_change_the_data(trained: Path) -> None:
    noisy = evaluate(asked(trained, "data.noise=0.2")).metrics
    assert noisy["test/loss"] > stored(trained)["test/loss"]
    assert noisy["test/loss"] == pytest.approx(evaluate(asked(trained, "data.noise=0.2")).metrics["test/loss"])


def test_a_path_chooses_any_checkpoint(trained: Path) -> None:
    path = str(trained / "checkpoints" / "best.ckpt")
    assert evaluate(asked(trained, checkpoint=path)).metrics == pytest.approx(stored(trained), abs=1e-6)


def test_a_directory_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is not a run directory: it holds no \.hydra/config\.yaml"):
        evaluate(asked(tmp_path))


@pytest.mark.parametrize("length", [0, 1000])
def test_an_empty_or_cut_off_checkpoint_is_refused(length: int, trained: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(trained, tmp_path / "broken")
    best = broken / "checkpoints" / "best.ckpt"
    best.write_bytes(best.read_bytes()[:length])
    with pytest.raises(ConfigError, match=rf"best\.ckpt cannot be read as a checkpoint \({length} bytes"):
        evaluate(asked(broken))


def test_a_missing_checkpoint_is_refused(trained: Path, tmp_path: Path) -> None:
    without = shutil.copytree(trained, tmp_path / "without")
    (without / "checkpoints" / "best.ckpt").unlink()
    with pytest.raises(ConfigError, match=r"there is no checkpoint .*best\.ckpt"):
        evaluate(asked(without))


def test_weights_of_another_network_are_refused(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"belongs to another network than model\.net describes"):
        evaluate(asked(trained, "model.net.hidden=[3,3]"))


def test_a_typo_in_an_override_names_the_nearest_key(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.noize.*did you mean data\.noise"):
        evaluate(asked(trained, "data.noize=0.2"))


def test_another_task_is_refused(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"task=regression does not fit data=circles"):
        evaluate(asked(trained, "task._target_=src.tasks.regression.Regression"))


@pytest.mark.slow
# `make test` asks for no system package, and torch.compile cannot do without this one; CI fails where it is skipped
@pytest.mark.skipif(not shutil.which("c++"), reason="torch.compile needs a C++ compiler")
# torch's own code generator reads deprecated names while it compiles
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_compiled_run_keeps_plain_names_and_evaluates_to_the_same_numbers(tmp_path: Path) -> None:
    overrides = ["logger=none", "callbacks=none", "trainer.max_epochs=3", "compile=true"]
    train(compose_train(overrides, run_dir=tmp_path))
    state = torch.load(tmp_path / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert set(state) == {f"net.layers.{i}.{kind}" for i in (0, 1, 3) for kind in ("weight", "bias")}
    assert evaluate(asked(tmp_path)).metrics == pytest.approx(stored(tmp_path), abs=1e-6)
    assert evaluate(asked(tmp_path, "compile=false")).metrics == pytest.approx(stored(tmp_path), abs=1e-5)
