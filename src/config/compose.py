"""Composed configurations: of conf/train.yaml for a notebook or a test, and stored ones with changed values."""

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict

from src.config import folders
from src.config.allowed import fits
from src.config.command.explain import Source, parse
from src.config.errors import ConfigError
from src.config.keys import NOT_STORED, OF_COMMAND
from src.config.schema import Directory, check, unknown, wrong_below

CONF_DIR = Path(__file__).resolve().parents[2] / "conf"


def compose_train(overrides: Sequence[str] = (), *, run_dir: Path | str | None = None) -> DictConfig:
    """Compose and check `conf/train.yaml` for a notebook or a test, inside or outside a Hydra application.

    Args:
        overrides: As on the command line.
        run_dir: Where the run leaves its files; by default a new path in `outputs/runs`. Nothing is created.

    Raises:
        ConfigError: If the overrides or the YAML files are wrong.
    """
    source = Source("train", CONF_DIR)
    overrides = folders.as_override(overrides, conf_dir=CONF_DIR)
    folders.use(overrides)
    try:
        cfg = source.compose(overrides)
        directory = Path(run_dir or cfg.hydra.run.dir).expanduser().resolve()
        choices = cfg.hydra.runtime.choices
    except Exception as error:
        message = source.explain(error, overrides)
        if message is None:
            raise
        raise ConfigError(message) from error
    with open_dict(cfg):
        del cfg["hydra"]
    if run_dir is None:
        set_run_dir(cfg, directory)
    else:
        cfg.run_dir = str(directory)
    check(cfg, choices=choices, overrides=overrides, conf_dir=CONF_DIR)
    return cfg


def set_run_dir(cfg: DictConfig, default: Path) -> None:
    """Put the absolute path of its run directory into a composed configuration without the `hydra` node.

    Args:
        cfg: The configuration; a ``run_dir`` of its own stays.
        default: Hydra's directory, which is meant by any other.
    """
    asked: Any = OmegaConf.to_container(OmegaConf.masked_copy(cfg, "run_dir"), resolve=False)
    given = asked.get("run_dir")
    cfg.run_dir = absolute_run_dir(None if "${" in str(given) else given, default)


def absolute_run_dir(given: Any, default: Path) -> Any:
    """The path of a run directory; what names none stays as it is, for `check` to refuse.

    Args:
        given: What ``run_dir`` is.
        default: What is meant by None.
    """
    if given is None:
        return str(default.expanduser().absolute())
    return str(Path(given).expanduser().absolute()) if fits(given, Directory) else given


def override(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Copy a composed configuration and change single values in it.

    Args:
        cfg: Composed configuration, e.g. the stored one of a run.
        overrides: ``key=value`` each, in Hydra's grammar. A key is known if it is there, or is a parameter of the
            `_target_` beside it.

    Raises:
        ConfigError: If a key is unknown, a value is not what its key takes, or an override is anything but
            ``key=value``.
    """
    changed = copy.deepcopy(cfg)
    lines: dict[str, str] = {}
    for parsed in parse(overrides):
        key, value = parsed.key_or_group, parsed.value()
        if (
            parsed.is_add()
            or parsed.is_force_add()
            or parsed.is_delete()
            or parsed.package
            or parsed.is_sweep_override()
        ):
            raise ConfigError(f"{parsed.input_line}: only key=value can change a stored configuration")
        for path in _leaves(key, value):
            if hint := unknown(changed, path, can_add=True):
                raise ConfigError(f"{path} (command line: {parsed.input_line}): unknown key; {hint}")
        if _is_group(changed, key) and not isinstance(value, dict | None):
            raise ConfigError(f"{parsed.input_line}: {key} is a group, whose choice is stored; change values below it")
        OmegaConf.update(changed, key, value, merge=True, force_add=True)
        lines[key] = str(parsed.input_line)
    if found := wrong_below(changed, list(lines)):
        where = {at: line for at in found for key, line in lines.items() if at == key or at.startswith(f"{key}.")}
        raise ConfigError("\n".join(f"{at} (command line: {where[at]}): {text}" for at, text in found.items()))
    return changed


def given_overrides(hydra_cfg: DictConfig) -> list[str]:
    """Overrides of a job as they were given, Hydra's own left out.

    Args:
        hydra_cfg: The `hydra` node.
    """
    # unresolved: one may hold ${...}
    return [str(line) for line in OmegaConf.to_container(hydra_cfg.overrides.task, resolve=False) or []]


def lasting(overrides: Sequence[str]) -> list[str]:
    """Overrides without those that only say how a command takes up what there is, or how long a sweep goes on."""
    return [line for line in overrides if line.lstrip("+").split("=")[0] not in (*NOT_STORED, *OF_COMMAND)]


def hydra_overrides(hydra_cfg: DictConfig) -> list[str]:
    """Overrides of Hydra's own keys as they were given, without the mode, which Hydra adds itself.

    Args:
        hydra_cfg: The `hydra` node.
    """
    given = OmegaConf.to_container(hydra_cfg.overrides.hydra, resolve=False) or []
    return [str(line) for line in given if not str(line).startswith("hydra.mode=")]


def quoted(value: object) -> str:
    """A value as Hydra's grammar wants it: in quotes, unless it is plain."""
    from hydra.core.override_parser.types import Quote, QuotedString

    text = str(value)
    if re.fullmatch(r"[A-Za-z0-9_./-]+", text):
        return text
    # OmegaConf would resolve ${...}
    return QuotedString(text.replace("${", "\\${"), Quote.single).with_quotes()


def _is_group(cfg: DictConfig, key: str) -> bool:
    return isinstance(OmegaConf.select(cfg, key, throw_on_resolution_failure=False), DictConfig)


def _leaves(key: str, value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [key]
    return [leaf for name, child in value.items() for leaf in _leaves(f"{key}.{name}", child)]
