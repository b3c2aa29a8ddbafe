"""Run directories of a sweep that has never run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from src.run.directory import RunDir
from src.run.result import Failure, Metric, Result


def config(overrides: Sequence[str]) -> dict[str, Any]:
    """What a small conf/ would compose: the keys have the places they have in conf/train.yaml."""
    cfg = OmegaConf.create(
        {
            "seed": 42,
            "run_dir": "${hydra:runtime.output_dir}",
            "optimized_metric": "val/loss",
            "data": {"noise": 0.03, "seed": 42, "batch_seed": "${seed}"},
            "suggested": {"lr": 0.1},
            "model": {"name": "mlp", "net": {"activation": "relu", "hidden": [16, 16]}},
            "optimizer": {"_target_": "torch.optim.SGD", "lr": "${suggested.lr}"},
        }
    )
    for line in overrides:
        key, _, value = line.lstrip("+").partition("=")
        if key == "model":
            OmegaConf.update(cfg, "model.name", value)
        elif key == "optimizer":
            OmegaConf.update(cfg, "optimizer._target_", f"torch.optim.{value}")
        else:
            OmegaConf.update(cfg, key, value if "$" in value else _typed(value), force_add=True)
    container = OmegaConf.to_container(cfg)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def _typed(value: str) -> Any:
    return OmegaConf.from_dotlist([f"x={value}"])["x"]


def make_job(
    path: Path,
    *overrides: str,
    metrics: Mapping[str, float | None] | None = None,
    error: Exception | None = None,
    optimized: str = "val/loss",
    pruned: bool = False,
    n_parameters: int | None = None,
) -> RunDir:
    """Write a run directory: completed with metrics, failed with an error, unfinished with neither."""
    cfg = OmegaConf.create(config(overrides))
    run = RunDir(path)
    run.claim(cfg, overrides=overrides)
    if error is not None or metrics is not None:
        Result(
            status="failed" if error is not None else "pruned" if pruned else "completed",
            seed=cfg.seed,
            overrides=overrides,
            n_parameters=n_parameters,
            duration_s=1.5,
            error=None if error is None else Failure.of(error),
            metrics=metrics or {},
            optimized_metric=None if metrics is None else Metric(optimized, metrics.get(optimized)),
        ).write(run.result_file)
    return run
