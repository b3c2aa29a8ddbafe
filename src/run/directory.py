"""The run directory: the only thing that a run leaves behind and that later steps read.

No torch here, so that thousands of finished runs can be read in a moment.
"""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.errors import ConfigError
from src.config.keys import differences, flatten
from src.config.stored import check_stored
from src.run.files import remove, remove_parts, to_yaml, write_atomically
from src.run.reading import UnreadableError, read_bytes, read_json, read_yaml
from src.run.result import Result

Claim = Literal["fresh", "resume", "completed"]

UNFINISHED = ".unfinished"
"""Folder of a sweep's directory: what its stacks of models go on from."""

_INSTEAD = "remove the directory to train the run anew, or choose another one"

# The line of a stored configuration that says where it lies, and those that it is folded into.
_OWN_PLACE = re.compile(rb"^run_dir:.*\n(?: .*\n)*", re.MULTILINE)

_OTHER_RESULT = "put back the file that belongs here, or remove it, and the same command finds the run's own result"

# The error of a training that ends so; its class needs torch.
_LOST = "NonFiniteLossError"


class OtherRunError(ConfigError):
    """A directory holds a run of another configuration."""


class UnknownRunError(OtherRunError):
    """A directory holds a run, and nothing tells of which configuration."""


class OtherResultError(UnreadableError):
    """The result in a directory is that of another configuration than the stored one, or that one is damaged."""


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
    def metrics_file(self) -> Path:
        """A row per measured epoch; `src.run.metrics` reads and writes it."""
        return self.path / "metrics.csv"

    @property
    def data_file(self) -> Path:
        """What the run has learnt of its data, such as means and categories; there is none of data that are drawn."""
        return self.path / "data.json"

    @property
    def checkpoints(self) -> Path:
        """Holds best.ckpt and last.ckpt, and while a run goes on last.previous.ckpt."""
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

    @property
    def previous(self) -> Path:
        """The checkpoint before ``last``, which a run goes on from where that is damaged."""
        return self.checkpoints / "last.previous.ckpt"

    @property
    def can_go_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.checkpoint("last").is_file() or self.previous.is_file()

    def tested(self, cfg: DictConfig) -> Literal["best", "last"]:
        """The checkpoint that a run tests; there is no best one where nothing was validated, or none is kept."""
        return "best" if cfg.evaluate == "best" and self.checkpoint("best").is_file() else "last"

    def config(self, *, trusted: Sequence[str] = ()) -> DictConfig:
        """The stored configuration, pointed at where the directory stands now; that of a stranger runs nothing.

        Args:
            trusted: Packages of the user's own, which it may name beside those that `src.config.stored` knows.

        Raises:
            ConfigError: If this is not a run directory, or the configuration names what it may not.
        """
        if not self._has_config and self.path.suffix == ".zip" and self.path.is_file():
            raise ConfigError(
                f"run={self.path} is a zip: python -m src.share open={self.path} into=DIR unpacks it, and run=DIR is it"
            )
        if not self._has_config:
            raise ConfigError(
                f"run={self.path} is not a run directory: it holds no .hydra/config.yaml. Give the directory that "
                "training printed, such as outputs/runs/2026-01-31_12-00-00_a1b2c3"
            )
        tree = {**self._stored(), "run_dir": str(self.path)}
        if problems := check_stored(tree, trusted=trusted, run_dir=self.path):
            raise ConfigError("\n".join([f"{self.config_file} is not used:", *(f"  {line}" for line in problems)]))
        try:
            return OmegaConf.create(tree)
        # keys that OmegaConf does not take
        except OmegaConfBaseException as error:
            raise UnreadableError(self.config_file, error, _INSTEAD) from error

    @property
    def _has_config(self) -> bool:
        """Whether there is one, readable or not."""
        return self.config_file.exists()

    def _stored(self) -> dict[str, Any]:
        return read_yaml(self.config_file, instead=_INSTEAD)

    def result(self) -> Result | None:
        """How the run has ended, or None if it has not.

        Raises:
            ConfigError: If the file cannot be read, or is that of another run.
        """
        result = Result.read(self.result_file)
        if result is not None and result.configuration is not None:
            found = self.digest
            if found is not None and found != result.configuration:
                why = f"it is the result of another configuration than that of {self.config_file}"
                raise OtherResultError(self.result_file, why, _OTHER_RESULT)
        return result

    def write_result(self, result: Result) -> None:
        """Write how the run has ended, in one step, with the digest of the configuration that it is the result of."""
        replace(result, configuration=self.digest).write(self.result_file)

    def data_record(self) -> dict[str, Any] | None:
        """What the run has learnt of its data; None if that is nothing.

        Raises:
            UnreadableError: If the file cannot be read.
        """
        try:
            return read_json(self.data_file, instead=_INSTEAD)
        except FileNotFoundError:
            return None

    def write_data_record(self, record: Mapping[str, Any]) -> None:
        """Write what the run has learnt of its data, in one step."""
        write_atomically(self.data_file, json.dumps(record, indent=2, ensure_ascii=False).encode())

    @property
    def digest(self) -> str | None:
        """SHA-256 of the stored configuration, without its own place; None where there is none to be read."""
        try:
            return digest_of(read_bytes(self.config_file, instead=_INSTEAD))
        except (OSError, UnreadableError):
            return None

    def claim(
        self,
        cfg: DictConfig | Mapping[str, Any],
        *,
        overrides: Sequence[str] = (),
        hydra_cfg: DictConfig | None = None,
        texts: Callable[[], tuple[str, str]] | None = None,
    ) -> Claim:
        """Take the directory for a run of this configuration, and write what is asked into it.

        Args:
            cfg: A composed configuration, or the same as plain containers with their references.
            overrides: What it was composed from.
            hydra_cfg: Hydra's own configuration.
            texts: Gives both as YAML, where somebody knows them already.

        Returns:
            ``completed`` if the same run has ended well here or has been pruned, ``resume`` if it has left a checkpoint
            to go on from, else ``fresh``; what a failed run has left is removed.

        Raises:
            OtherRunError: If the directory holds a run of another configuration.
            UnreadableError: If it cannot be told which run it holds, or how that has ended.
        """
        found = self.look(cfg)
        self.tidy(is_over=found == "completed")
        if found != "fresh":
            return found
        if self._has_config:
            self.clear()
        # the record of a run that failed before it had a configuration
        self.result_file.unlink(missing_ok=True)
        _write_yaml(self.config_file.with_name("overrides.yaml"), list(overrides))
        config_text, hydra_text = texts() if texts is not None else (to_yaml(cfg), None)
        if hydra_cfg is not None:
            # a node that holds the other would be a copy of all of it
            hydra = OmegaConf.to_container(hydra_cfg, resolve=False, enum_to_str=True)
            hydra_text = to_yaml({"hydra": hydra})
        if hydra_text is not None:
            write_atomically(self.config_file.with_name("hydra.yaml"), hydra_text.encode())
        # last of the three: it marks the directory as taken
        write_atomically(self.config_file, config_text.encode())
        return "fresh"

    def withdraw(self) -> bool:
        """Take a claim back: remove the directory, if it holds nothing but what was asked and said.

        Returns:
            Whether it is gone.
        """
        if {child.name for child in self.path.iterdir()} - {".hydra", "train.log"}:
            return False
        shutil.rmtree(self.path)
        return True

    def look(self, cfg: DictConfig | Mapping[str, Any]) -> Claim:
        """What `claim` would find; touches nothing.

        Raises:
            OtherRunError: If the directory holds a run of another configuration.
            UnreadableError: If it cannot be told which run it holds, or how that has ended.
        """
        if not self._has_config:
            self._refuse_unknown()
            return "fresh"
        self._refuse_other(cfg)
        result = self.result()
        if result is not None:
            return "fresh" if result.status == "failed" else "completed"
        return "resume" if self.can_go_on else "fresh"

    def _refuse_other(self, cfg: DictConfig | Mapping[str, Any]) -> None:
        changes = differences(flatten(self._stored()), flatten(cfg))
        if changes and not self._makes_room():
            raise OtherRunError(
                f"run_dir={self.path} holds a run of another configuration:\n{changes}\n"
                "Choose another directory, or give the same values"
            )

    def _refuse_unknown(self) -> None:
        """What a run has left whose configuration is gone would pass for that of the new one, and be lost."""
        result = self.result()
        has_result = result is not None and result.status != "failed"
        if has_result or any(self.checkpoints.glob("*.ckpt")):
            raise UnknownRunError(
                f"run_dir={self.path} holds {'a result' if has_result else 'checkpoints'} without .hydra/config.yaml, "
                "so that nothing tells which run left that. Choose another directory, or remove this one"
            )

    def _makes_room(self) -> bool:
        """Whether it holds a failure with which nothing is lost.

        That is one before anything was trained, or one of a loss that was no longer finite: whoever is told to give
        another rate gives it here.
        """
        try:
            result = self.result()
        except ConfigError:
            return False
        if result is None or result.status != "failed":
            return False
        has_trained = self.checkpoints.exists() or self.metrics_file.exists()
        return not has_trained or (result.error is not None and result.error.type == _LOST)

    def tidy(self, *, is_over: bool) -> None:
        """Remove what kills have left of files that were not whole, and once the run is over all that it went on from.

        A directory that one may only read stays as it is.
        """
        for folder in (self.path, self.config_file.parent, self.checkpoints, self.plots):
            remove_parts(folder)
        if is_over:
            with contextlib.suppress(OSError):
                self.previous.unlink()

    def clear(self) -> None:
        """Remove all that training has left."""
        folders = self.checkpoints, self.path / "tensorboard", self.plots
        for path in (*folders, self.metrics_file, self.path / "logged.csv", self.result_file, self.data_file):
            remove(path)


def digest_of(content: bytes) -> str:
    """SHA-256 of a stored configuration, without its own place."""
    return hashlib.sha256(_OWN_PLACE.sub(b"", content)).hexdigest()


def _write_yaml(path: Path, cfg: Any) -> None:
    write_atomically(path, to_yaml(cfg).encode())
