"""Small runs that several tests share."""

import copy
import functools
import pickle
import random
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig
from torch import Tensor, nn

from src.build import Built, build
from src.callbacks.checkpoint import go_on_from
from src.compat.lightning import interruptible
from src.config.compose import compose_train, override
from src.data.base import InMemoryDataModule, Part, Parts
from src.data.spec import DataSpec
from src.run.directory import RunDir
from src.tasks.training.network import OneNetwork

QUIET = ("trainer=cpu", "callbacks=none", "logger=none")


@functools.cache
def _composed(choices: tuple[str, ...]) -> DictConfig:
    return compose_train(choices, run_dir="never-written")


def small(*overrides: str, run_dir: Path) -> DictConfig:
    """A checked configuration without logs and callbacks; group choices are composed once per session."""
    choices = tuple(text for text in overrides if "." not in text.split("=")[0])
    values = [text for text in overrides if text not in choices]
    cfg = override(copy.deepcopy(_composed((*QUIET, *choices))), values)
    cfg.run_dir = str(run_dir)
    return cfg


def fit(cfg: DictConfig) -> Built:
    """Build and train."""
    built = build(cfg)
    built.fit()
    return built


class Interrupts(Callback):
    """Ends a run as Ctrl-C does, where an epoch begins."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def interrupted(cfg: DictConfig, *, epoch: int) -> None:
    """Begin a run, or go on with it, and end it where an epoch begins."""
    run = RunDir(Path(cfg.run_dir))
    claim = run.claim(cfg, overrides=[], hydra_cfg=None)
    built = build(cfg)
    built.trainer.callbacks.append(Interrupts(epoch))  # type: ignore[attr-defined]  # Lightning leaves it untyped
    with pytest.raises(KeyboardInterrupt), interruptible():
        built.fit(checkpoint=go_on_from(run, is_first=True) if claim == "resume" else None)


def trainer_in(path: Path, *, max_epochs: int = 1) -> pl.Trainer:
    """Lightning's own trainer, which records nothing."""
    return pl.Trainer(
        max_epochs=max_epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=path,
    )


def validate_and_test(built: Built) -> dict[str, float]:
    """Metrics of both splits for the weights that the network has."""
    metrics: dict[str, float] = {}
    for run in (built.trainer.validate, built.trainer.test):
        run(built.task, datamodule=built.datamodule, verbose=False)
        metrics.update({name: float(value) for name, value in built.trainer.callback_metrics.items()})
    return metrics


def linears(*sizes: int, seed: int) -> list[nn.Linear]:
    """Linear layers in order, drawn straight after seeding."""
    torch.manual_seed(seed)
    return [nn.Linear(i, o) for i, o in pairwise(sizes)]


def circle_v2(seed: int = 42) -> nn.Sequential:
    """The network of model=circle_v2, written by hand."""
    first, second, last = linears(2, 10, 10, 1, seed=seed)
    return nn.Sequential(first, second, nn.ReLU(), last)


def weights(net: nn.Module) -> list[Tensor]:
    """Copies of all parameters in order."""
    return [p.detach().clone() for p in net.parameters()]


def stored_weights(run_dir: Path) -> dict[str, Tensor]:
    """All parameters by name, as the last checkpoint holds them."""
    state: dict[str, Tensor] = torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return state


def close(a: Iterable[Tensor], b: Iterable[Tensor], *, atol: float = 1e-6) -> bool:
    """Whether all pairs are equal within ``atol``."""
    return all(torch.allclose(x, y, rtol=0, atol=atol) for x, y in zip(a, b, strict=True))


def generator_states() -> tuple[bytes, bytes, Any]:
    """States of the global generators of PyTorch, NumPy and Python."""
    return torch.get_rng_state().numpy().tobytes(), pickle.dumps(np.random.get_state()), random.getstate()


class GivenData(InMemoryDataModule):
    """Parts that a test has made."""

    def __init__(self, parts: Parts, spec: DataSpec, *, batch_size: int | None = None, batch_seed: int = 0) -> None:
        super().__init__(batch_size=batch_size, batch_seed=batch_seed)
        self._given, self._spec = parts, spec

    @property
    def spec(self) -> DataSpec:
        return self._spec

    def make_parts(self) -> Parts:
        return self._given


def classes_spec(n_classes: int, n_features: int) -> DataSpec:
    """Binary for two classes, else multiclass."""
    return DataSpec(
        task="binary" if n_classes == 2 else "multiclass",
        n_features=n_features,
        n_outputs=1 if n_classes == 2 else n_classes,
        feature_names=tuple(f"x{i}" for i in range(n_features)),
        class_names=tuple(f"class {i}" for i in range(n_classes)),
    )


def numbers_spec(n_targets: int, n_features: int) -> DataSpec:
    """Regression."""
    return DataSpec(
        task="regression",
        n_features=n_features,
        n_outputs=n_targets,
        feature_names=tuple(f"x{i}" for i in range(n_features)),
        class_names=tuple(f"y{i}" for i in range(n_targets)),
    )


def random_parts(spec: DataSpec, *, n: int = 60, seed: int = 0) -> Parts:
    """Noise of the right shapes, three different draws."""
    generator = torch.Generator().manual_seed(seed)

    def draw() -> Part:
        x = torch.randn(n, spec.n_features, generator=generator)
        if spec.task == "regression":
            return Part(x, torch.randn(n, spec.n_outputs, generator=generator))
        return Part(x, torch.randint(len(spec.class_names), (n,), generator=generator))

    return Parts(draw(), draw(), draw())


def listing(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def interrupted_once(monkeypatch: pytest.MonkeyPatch, epoch: int) -> list[int]:
    """Interrupt the first training that begins an epoch; the epochs that are begun."""
    begun: list[int] = []
    start_epoch = OneNetwork.start_epoch

    def interrupt(self: OneNetwork, number: int) -> None:
        begun.append(number)
        if number == epoch and begun.count(number) == 1:
            raise KeyboardInterrupt
        start_epoch(self, number)

    monkeypatch.setattr(OneNetwork, "start_epoch", interrupt)
    return begun
