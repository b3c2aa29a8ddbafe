"""The run directory: the only thing that a run leaves behind and that later steps read.

No torch here, so that thousands of finished runs can be read in a moment.
"""

import json
import math
import os
import shutil
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from src.config.errors import ConfigError
from src.run.files import to_yaml, write_atomically
from src.run.versions import git_state, package_versions

# Where a run goes, and whether it is only looked at, does not change what it computes.
_PLACES = frozenset({"run_dir", "sweep.dry_run"})

Claim = Literal["fresh", "resume", "completed"]


class PrunedError(Exception):
    """A search has given up the run that raises this.

    Args:
        metrics: What was measured last, by ``split/name``.
        epoch: The epoch after which it ends.
    """

    def __init__(self, metrics: Mapping[str, float], *, epoch: int) -> None:
        super().__init__(f"pruned at epoch {epoch}")
        self.metrics, self.epoch = dict(metrics), epoch


class OtherRunError(ConfigError):
    """A directory holds a run of another configuration."""


def is_first_process() -> bool:
    """Whether this process speaks for a run that several processes train; launchers tell each its rank."""
    # a rank on its node says all only together with that of the node
    ranks = ("RANK",), ("LOCAL_RANK", "NODE_RANK"), ("SLURM_PROCID",)
    told = next((names for names in ranks if names[0] in os.environ), ())
    return all(os.environ.get(name, "0") == "0" for name in told)


@dataclass(frozen=True)
class RunDir:
    """Paths and life of a run directory.

    Attributes:
        path: The directory.
    """

    path: Path

    @property
    def config_file(self) -> Path:
        """The composed configuration."""
        return self.path / ".hydra" / "config.yaml"

    @property
    def result_file(self) -> Path:
        """Written last; a run without it did not finish."""
        return self.path / "result.json"

    @property
    def checkpoints(self) -> Path:
        """Holds best.ckpt and last.ckpt."""
        return self.path / "checkpoints"

    @property
    def plots(self) -> Path:
        """Holds the pictures."""
        return self.path / "plots"

    @property
    def frames(self) -> Path:
        """Holds a picture per epoch, epoch_000100.png and so on, where the run was asked for them."""
        return self.plots / "frames"

    def checkpoint(self, name: str) -> Path:
        """The file of ``best`` or ``last``; any other name is a path already."""
        return self.checkpoints / f"{name}.ckpt" if name in ("best", "last") else Path(name)

    def config(self) -> DictConfig:
        """The stored configuration, pointed at where the directory stands now.

        Raises:
            ConfigError: If this is not a run directory.
        """
        if not self.config_file.is_file():
            raise ConfigError(
                f"run={self.path} is not a run directory: it holds no .hydra/config.yaml. Give the directory that "
                "training printed, such as outputs/runs/2026-01-31_12-00-00_a1b2c3"
            )
        cfg = OmegaConf.load(self.config_file)
        assert isinstance(cfg, DictConfig)
        cfg.run_dir = str(self.path)
        return cfg

    def result(self) -> dict[str, Any] | None:
        """What the run wrote when it ended, or None if it has not."""
        try:
            result: dict[str, Any] = json.loads(self.result_file.read_text())
        except FileNotFoundError:
            return None
        return result

    def claim(self, cfg: DictConfig, *, overrides: Sequence[str] = (), hydra_cfg: DictConfig | None = None) -> Claim:
        """Take the directory for a run of this configuration, and write what is asked into it.

        Returns:
            ``completed`` if the same run has ended well here or has been pruned, ``resume`` if it has left a checkpoint
            to go on from, else ``fresh``; what a failed run has left is removed.

        Raises:
            OtherRunError: If the directory holds a run of another configuration.
        """
        found = self.look(cfg)
        if found != "fresh":
            return found
        if self.config_file.is_file():
            self._clear()
        _write_yaml(self.config_file.with_name("overrides.yaml"), list(overrides))
        if hydra_cfg is not None:
            # a node that holds the other would be a copy of all of it
            hydra = OmegaConf.to_container(hydra_cfg, resolve=False, enum_to_str=True)
            _write_yaml(self.config_file.with_name("hydra.yaml"), {"hydra": hydra})
        # last of the three: it marks the directory as taken
        _write_yaml(self.config_file, cfg)
        return "fresh"

    def look(self, cfg: DictConfig) -> Claim:
        """What `claim` would find; touches nothing.

        Raises:
            OtherRunError: If the directory holds a run of another configuration.
        """
        if not self.config_file.is_file():
            return "fresh"
        self._refuse_other(cfg)
        result = self.result()
        if result is not None:
            return "completed" if result["status"] in ("completed", "pruned") else "fresh"
        return "resume" if (self.checkpoints / "last.ckpt").is_file() else "fresh"

    def _refuse_other(self, cfg: DictConfig) -> None:
        changes = differences(flatten(OmegaConf.load(self.config_file)), flatten(cfg))
        if changes:
            raise OtherRunError(
                f"run_dir={self.path} holds a run of another configuration:\n{changes}\n"
                "Choose another directory, or give the same values"
            )

    def _clear(self) -> None:
        for name in ("checkpoints", "tensorboard", "plots"):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in ("metrics.csv", "result.json"):
            (self.path / name).unlink(missing_ok=True)

    def finish(self, **result: Any) -> None:
        """Write ``result.json`` of a run that ended well."""
        self._write_result({"status": "completed", **result})

    def prune(self, pruned: PrunedError, **result: Any) -> None:
        """Write ``result.json`` of a run that its search has ended early: what was measured so far."""
        self._write_result({"status": "pruned", **result, "metrics": pruned.metrics, "epoch": pruned.epoch})

    def fail(self, error: BaseException, **result: Any) -> None:
        """Write ``result.json`` of a run that raised."""
        what = {
            "type": type(error).__name__,
            "message": str(error),
            "traceback": "".join(traceback.format_exception(error)),
        }
        self._write_result({"status": "failed", **result, "error": what})

    def _write_result(self, result: Mapping[str, Any]) -> None:
        everything = {**result, "versions": package_versions(), "git": git_state()}
        write_atomically(self.result_file, json.dumps(_json(everything), indent=2, allow_nan=False).encode())


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """A line for each key whose value is not the same; empty if all are. Where a run goes makes no difference."""
    changed = {
        key: (stored.get(key, "absent"), asked.get(key, "absent"))
        for key in sorted(stored.keys() | asked.keys())
        if key not in _PLACES and (key in stored, stored.get(key)) != (key in asked, asked.get(key))
    }
    return "\n".join(f"  {key}: {there} there, {now} now" for key, (there, now) in changed.items())


def flatten(cfg: Any, *, resolve: bool = False) -> dict[str, Any]:
    """Leaves of a configuration by their dotted key; lists are leaves, and so are empty nodes."""
    tree: Any = OmegaConf.to_container(cfg, resolve=resolve) if OmegaConf.is_config(cfg) else cfg
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            leaves.update({f"{key}.{k}": v for k, v in flatten(value).items()})
        else:
            leaves[str(key)] = value
    return leaves


def _write_yaml(path: Path, cfg: Any) -> None:
    write_atomically(path, to_yaml(cfg).encode())


def _json(value: Any) -> Any:
    """Plain containers; numbers that JSON does not know become null."""
    if isinstance(value, Mapping):
        return {str(k): _json(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
