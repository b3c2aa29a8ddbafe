"""The run directory: the only thing that a run leaves behind and that later steps read.

No torch here, so that thousands of finished runs can be read in a moment.
"""

import contextlib
import hashlib
import itertools
import json
import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.errors import ConfigError, suggest
from src.config.keys import NOT_STORED, changed, flatten, lines_of
from src.config.stored import check_stored, resolved_tree
from src.run.files import remove, remove_parts, to_yaml, write_atomically
from src.run.length import is_longer
from src.run.patch import NAME as PATCH
from src.run.reading import UnreadableError, read_bytes, read_json, read_yaml
from src.run.result import Result

log = logging.getLogger(__name__)

Claim = Literal["fresh", "resume", "extend", "completed"]

EXTENDING = ".extending"
"""Folder of a run's directory: what `RunDir.extension` is."""

UNFINISHED = ".unfinished"
"""Folder of a sweep's directory: what its stacks of models go on from."""

_INSTEAD = "remove the directory to train the run anew, or choose another one"

# Bytes of a file that holds a time.
_LONGEST_TIME = 100
# Seconds since 1970 of the year 5138; later ones are no time of a run.
_LATEST = 1e11

# The line of a stored configuration that says where it lies, and those that it is folded into.
_OWN_PLACE = re.compile(rb"^run_dir:.*\n(?: .*\n)*", re.MULTILINE)

_CALL = re.compile(r"\$\{[\w.]+:")

_OTHER_RESULT = "put back the file that belongs here, or remove it, and the same command finds the run's own result"

# The error of a training that ends so; its class needs torch.
_LOST = "NonFiniteLossError"


class OtherRunError(ConfigError):
    """A directory holds a run of another configuration."""


class NotExtendedError(OtherRunError):
    """A directory holds a run that cannot go on for longer."""


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
    def begun_file(self) -> Path:
        """When the run began, in a line that `datetime.isoformat` has written; a copy of the run keeps it."""
        return self.path / ".hydra" / "begun.txt"

    @property
    def begun(self) -> float | None:
        """When the run began, in seconds since 1970; None where it has not told, or tells no time."""
        try:
            text = read_bytes(self.begun_file, instead=_INSTEAD, largest=_LONGEST_TIME).decode()
            begun = datetime.fromisoformat(text.strip()).timestamp()
        except (OSError, UnreadableError, ValueError, OverflowError):
            return None
        return begun if 0 < begun < _LATEST else None

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
    def calibration_file(self) -> Path:
        """The temperature that was fitted to the run, where one was; `src.tasks.temperature` reads and writes it."""
        return self.path / "calibration.json"

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
    def extension(self) -> "RunDir":
        """Where the run goes on for longer, until that is whole: a run directory of its own."""
        return RunDir(self.path / EXTENDING)

    @property
    def can_go_on(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.checkpoint("last").is_file() or self.previous.is_file()

    def tested(self, cfg: DictConfig) -> Literal["best", "last"]:
        """The checkpoint that a run tests; there is no best one where nothing was validated, or none is kept."""
        return "best" if cfg.evaluate == "best" and self.checkpoint("best").is_file() else "last"

    def config(self, *, trusted: Sequence[str] = (), key: str = "run") -> DictConfig:
        """The stored configuration, pointed at where the directory stands now; that of a stranger runs nothing.

        Args:
            trusted: Packages of the user's own, which it may name beside those that `src.config.stored` knows.
            key: What the directory was given as, for messages.

        Raises:
            ConfigError: If this is not a run directory, or the configuration names what it may not.
        """
        self.refuse_no_run(key)
        tree = {**self._stored(), "run_dir": str(self.path)}
        if problems := check_stored(tree, trusted=trusted, run_dir=self.path):
            raise ConfigError("\n".join([f"{self.config_file} is not used:", *(f"  {line}" for line in problems)]))
        try:
            return OmegaConf.create(tree)
        # keys that OmegaConf does not take
        except OmegaConfBaseException as error:
            raise UnreadableError(self.config_file, error, _INSTEAD) from error

    def refuse_no_run(self, key: str) -> None:
        """Refuse a directory that holds no configuration of a run.

        Args:
            key: What it was given as.

        Raises:
            ConfigError: If it holds none; with the one that may be meant.
        """
        if self._has_config:
            return
        path = self.path
        if path.suffix == ".zip" and path.is_file():
            why = f"is a zip: python -m src.share open={path} into=DIR unpacks it, and {key}=DIR is it"
        elif not path.exists():
            near = [each.name for each in sorted(path.parent.iterdir())] if path.parent.is_dir() else []
            why = f"is not there; {suggest(path.name, near)}" if near else f"is not there, and neither is {path.parent}"
        elif jobs := sorted(path.glob("*/.hydra/config.yaml")):
            why = f"is no run but holds some; give one of them, such as {jobs[0].parents[1]}"
        else:
            why = (
                "is not a run directory: it holds no .hydra/config.yaml. Give the directory that training printed, "
                "such as outputs/runs/2026-01-31_12-00-00_a1b2c3"
            )
        raise ConfigError(f"{key}={path} {why}")

    @property
    def _has_config(self) -> bool:
        """Whether there is one, readable or not."""
        return self.config_file.exists()

    def _stored(self) -> dict[str, Any]:
        return read_yaml(self.config_file, instead=_INSTEAD)

    def leaves(self) -> dict[str, Any]:
        """The stored configuration by dotted keys, with what references to other keys lead to; nothing is run.

        Raises:
            UnreadableError: If it cannot be read.
        """
        # an extension means the place that it is put into
        return self._resolved({**self._stored(), "run_dir": ""})

    def result(self, digest: str | None = None) -> Result | None:
        """How the run has ended, or None if it has not.

        Args:
            digest: That of the stored configuration, where it has been read already.

        Raises:
            ConfigError: If the file cannot be read, or is that of another run.
        """
        result = Result.read(self.result_file)
        if result is not None and result.configuration is not None:
            found = digest or self.digest
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
            to go on from, ``extend`` if a shorter one has completed here and ``resume`` is ``extend``, else ``fresh``;
            what a failed run has left is removed.

        Raises:
            OtherRunError: If the directory holds a run of another configuration.
            UnreadableError: If it cannot be told which run it holds, or how that has ended.
        """
        if not self._is_new():
            self._end_extension()
            found = self.look(cfg, texts=texts)
            self.tidy(is_over=found == "completed")
            if found != "fresh":
                return found
            if self._has_config:
                self.clear()
            # the record of a run that failed before it had a configuration
            self.result_file.unlink(missing_ok=True)
        write_atomically(self.begun_file, f"{datetime.now(timezone.utc).isoformat()}\n".encode())
        _write_yaml(self.config_file.with_name("overrides.yaml"), list(overrides))
        config_text, hydra_text = texts() if texts is not None else (_config_text(cfg), None)
        if hydra_cfg is not None:
            # a node that holds the other would be a copy of all of it
            hydra = OmegaConf.to_container(hydra_cfg, resolve=False, enum_to_str=True)
            hydra_text = to_yaml({"hydra": hydra})
        if hydra_text is not None:
            write_atomically(self.config_file.with_name("hydra.yaml"), hydra_text.encode())
        # last of all: it marks the directory as taken
        write_atomically(self.config_file, config_text.encode())
        return "fresh"

    def _is_new(self) -> bool:
        """Whether nothing is there, to look at or in the way."""
        try:
            self.path.lstat()
        except FileNotFoundError:
            return True
        # told by whoever looks closer
        except OSError:
            pass
        return False

    def take_over(self, cfg: DictConfig | Mapping[str, Any]) -> None:
        """Put what the extension has left, which has completed, in the place of what this run had.

        A kill leaves it to the next `claim` of the same configuration.

        Args:
            cfg: The configuration of the longer run.
        """
        extension = self.extension
        own = {extension.config_file, extension.result_file, extension.begun_file}
        for file in sorted(extension.path.rglob("*")):
            if file in own or (file.is_dir() and not file.is_symlink()):
                continue
            place = self.path / file.relative_to(extension.path)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        if self.calibration_file.exists():
            log.info("%s is removed: it was fitted to the weights before", self.calibration_file)
            self.calibration_file.unlink()
        # from here on the result is that of another configuration, until the new one is there
        write_atomically(self.config_file, _config_text(cfg).encode())
        self._end_extension()

    def _end_extension(self) -> None:
        """Take the result of an extension that has been put into this place but for that."""
        extension = self.extension
        if extension.digest is not None and extension.digest == self.digest and extension.ended == "completed":
            extension.result_file.replace(self.result_file)
            remove(extension.path)

    def withdraw(self) -> bool:
        """Take a claim back: remove the directory, if it holds nothing but what was asked and said.

        Returns:
            Whether it is gone.
        """
        if {child.name for child in self.path.iterdir()} - {".hydra", "train.log", PATCH}:
            return False
        shutil.rmtree(self.path)
        return True

    def look(self, cfg: DictConfig | Mapping[str, Any], *, texts: Callable[[], tuple[str, str]] | None = None) -> Claim:
        """What `claim` would find; touches nothing.

        Args:
            cfg: As for `claim`.
            texts: As for `claim`: what is stored letter for letter need not be understood.

        Raises:
            OtherRunError: If the directory holds a run of another configuration.
            UnreadableError: If it cannot be told which run it holds, or how that has ended.
        """
        if not self._has_config:
            self._refuse_unknown()
            return "fresh"
        if not (texts is not None and self._holds(texts()[0])) and self._goes_on(cfg):
            return "extend"
        result = self.result()
        if result is not None:
            return "fresh" if result.status == "failed" else "completed"
        return "resume" if self.can_go_on else "fresh"

    def _holds(self, config_text: str) -> bool:
        """Whether this is the stored configuration, letter for letter."""
        try:
            return read_bytes(self.config_file, instead=_INSTEAD) == config_text.encode()
        except (OSError, UnreadableError):
            return False

    def _goes_on(self, cfg: DictConfig | Mapping[str, Any]) -> bool:
        """Whether it holds the same run but shorter, which is to go on.

        Raises:
            OtherRunError: If it holds another one.
        """
        stored, given = self._stored(), _plain(cfg)
        changes = changed(flatten(stored), flatten(given))
        if not changes or self._makes_room():
            return False
        before, now = (self._resolved({**tree, "run_dir": str(self.path)}) for tree in (stored, given))
        longer = is_longer(changes, before, now)
        if longer and given.get("resume") == "extend":
            self._refuse_extension(before)
            return True
        instead = "Choose another directory, or give the same values"
        if longer and self.ended == "completed":
            instead += "; resume=extend goes on with this run for longer (docs/how_to/go_on.md)"
        elif given.get("resume") == "extend":
            instead += (
                ". resume=extend allows a longer training only: more of trainer.max_epochs, max_steps or max_time"
            )
        raise OtherRunError(
            f"run_dir={self.path} holds a run of another configuration:\n{lines_of(changes, before, now)}\n{instead}"
        )

    @property
    def ended(self) -> str | None:
        """How the run has ended; None if it has not, or nothing readable tells."""
        try:
            result = self.result()
        except ConfigError:
            return None
        return None if result is None else result.status

    def _refuse_extension(self, before: Mapping[str, Any]) -> None:
        """Refuse to go on with a run that has not completed, or keeps nothing to go on from."""
        result = self.result()
        why = None
        if result is None:
            why = (
                f"it has not ended; the same command with trainer.max_epochs={before.get('trainer.max_epochs')} ends it"
            )
        elif result.status != "completed":
            why = f"it has {result.status}; only one that has completed goes on"
        elif not self.checkpoint("last").is_file():
            why = f"there is no {self.checkpoint('last')}, from which it would go on"
        if why is not None:
            raise NotExtendedError(f"resume=extend: run_dir={self.path} cannot go on for longer: {why}")

    def _resolved(self, tree: Mapping[str, Any]) -> dict[str, Any]:
        """Leaves with what references to other keys lead to; what a resolver gives is not known."""
        leaves = flatten(tree)
        try:
            resolved = flatten(resolved_tree(_without_calls({"run_dir": "", **tree}), trusted=()))
        except ConfigError:
            return leaves
        return {
            **resolved,
            **{key: value for key, value in leaves.items() if _CALL.search(str(value)) and key != "run_dir"},
        }

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
        folders = self.checkpoints, self.path / "tensorboard", self.plots, self.extension.path
        files = [self.metrics_file, self.path / "logged.csv", self.result_file, self.data_file]
        files += [self.path / PATCH, self.calibration_file]
        for path in (*folders, *files):
            remove(path)


def digest_of(content: bytes) -> str:
    """SHA-256 of a stored configuration, without its own place."""
    return hashlib.sha256(_OWN_PLACE.sub(b"", content)).hexdigest()


def beside(source: Path) -> Path:
    """Where a run is run again: a new directory beside its own, or for a job of a sweep in one beside the sweep's.

    One in which that was interrupted, or has failed, is taken again.
    """
    source = source.absolute()
    sweep = next((folder for folder in source.parents if (folder / "multirun.yaml").is_file()), None)
    base, below = (source, Path()) if sweep is None else (sweep, source.relative_to(sweep))
    for n in itertools.count(1):
        place = base.with_name(f"{base.name}_reproduced{'' if n == 1 else f'_{n}'}") / below
        if not place.exists() or (place.is_dir() and RunDir(place).ended in (None, "failed")):
            return place
    raise AssertionError


def _without_calls(node: Any) -> Any:
    """The same with nothing in the place of texts that call a resolver, as ``${oc.env:HOME}`` does."""
    if isinstance(node, dict):
        return {name: _without_calls(child) for name, child in node.items()}
    if isinstance(node, list):
        return [_without_calls(child) for child in node]
    return None if isinstance(node, str) and _CALL.search(node) else node


def _plain(cfg: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Plain containers, with their references."""
    tree: Any = OmegaConf.to_container(cfg, resolve=False, enum_to_str=True) if OmegaConf.is_config(cfg) else cfg
    return dict(tree)


def _config_text(cfg: DictConfig | Mapping[str, Any]) -> str:
    """What is stored of a configuration, as YAML."""
    return to_yaml({name: node for name, node in _plain(cfg).items() if name not in NOT_STORED})


def _write_yaml(path: Path, cfg: Any) -> None:
    write_atomically(path, to_yaml(cfg).encode())
