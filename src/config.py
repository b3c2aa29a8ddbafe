"""Entry points and composed configurations: checks before a run, one clear message for a user's mistake."""

import copy
import difflib
import functools
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from src.schema import VERSION_BASE, ConfigError, Model, Node, Root, Suggested, check, hydra_at, suggest, unknown

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.errors import InstantiationException, MissingConfigException

__all__ = [
    "CONF_DIR",
    "ConfigError",
    "Model",
    "Node",
    "Root",
    "Suggested",
    "check",
    "compose_train",
    "entry",
    "override",
    "split_argv",
]

CONF_DIR = Path(__file__).resolve().parents[1] / "conf"

_FULL_ERROR = "HYDRA_FULL_ERROR"

# Six hexadecimal characters for the name of a run directory. From the operating system, since a seeded generator gives
# every run the same. Hydra hands the cache of a configuration to its copies and to the jobs of a sweep.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def entry(
    config_name: str, *, rest: str | None = None, conf_dir: Path = CONF_DIR
) -> Callable[[Callable[[DictConfig], Any]], Callable[..., Any]]:
    """Make a function of cfg the entry point for a root file, as `hydra.main` does.

    A mistake in the configuration ends the process with status 1 and one message; HYDRA_FULL_ERROR=1 shows the
    traceback instead. Any other exception keeps its traceback, from the decorated function on. Called with a
    configuration, the entry point passes it on unchanged.

    Args:
        config_name: Root file in ``conf_dir``; `train` is checked against the schema.
        rest: Key of the root file that receives, as a list of strings, the overrides that are not its own.
        conf_dir: Absolute path of the folder of YAML files.
    """

    def decorate(function: Callable[[DictConfig], Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def main(cfg: DictConfig | None = None) -> Any:
            if cfg is not None:
                return function(cfg)
            argv = sys.argv[1:]
            if rest is not None:
                own = OmegaConf.load(conf_dir / f"{config_name}.yaml")
                argv = split_argv(argv, [str(key) for key in own], rest=rest)
            return _start(function, argv, _Source(config_name, conf_dir, rest))

        return main

    return decorate


def compose_train(overrides: Sequence[str] = (), *, run_dir: Path | str | None = None) -> DictConfig:
    """Compose and check `conf/train.yaml` for a notebook or a test, inside or outside a Hydra application.

    Args:
        overrides: As on the command line.
        run_dir: Where the run leaves its files; by default a new path in `outputs/runs`. Nothing is created.

    Raises:
        ConfigError: If the overrides or the YAML files are wrong.
    """
    source = _Source("train", CONF_DIR)
    try:
        cfg = source.compose(overrides)
        directory = Path(run_dir or cfg.hydra.run.dir).resolve()
        choices = cfg.hydra.runtime.choices
    except Exception as error:
        message = source.explain(error, overrides)
        if message is None:
            raise
        raise ConfigError(message) from error
    with open_dict(cfg):
        del cfg["hydra"]
    cfg.run_dir = str(directory)
    check(cfg, choices=choices, overrides=overrides, conf_dir=CONF_DIR)
    return cfg


def override(cfg: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """Copy a composed configuration and change single values in it.

    Args:
        cfg: Composed configuration, e.g. the stored one of a run.
        overrides: ``key=value`` each, in Hydra's grammar. A key is known if it is there, or is a parameter of the
            `_target_` beside it.

    Raises:
        ConfigError: If a key is unknown, or an override is anything but ``key=value``.
    """
    changed = copy.deepcopy(cfg)
    for parsed in _parse(overrides):
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
    return changed


def split_argv(argv: Sequence[str], own_keys: Sequence[str], *, rest: str = "overrides") -> list[str]:
    """Gather the overrides of another configuration under one key.

    Args:
        argv: Command line without the program's name.
        own_keys: First parts of the keys that stay as they are, beside `hydra`; so do flags.
        rest: Key that gets the others as a list of strings.
    """
    from hydra.core.override_parser.types import Quote, QuotedString

    def is_own(argument: str) -> bool:
        first = re.split(r"[./@=]", argument.lstrip("+~"))[0]
        return first in (*own_keys, "hydra") or not ("=" in argument or argument.startswith("~"))

    kept = [argument for argument in argv if argument.startswith("-") or is_own(argument)]
    moved = [argument for argument in argv if argument not in kept]
    # OmegaConf would resolve ${...} in the list
    quoted = [QuotedString(text.replace("${", "\\${"), Quote.single).with_quotes() for text in moved]
    return [*kept, f"{rest}=[{','.join(quoted)}]"] if moved else kept


def _start(function: Callable[[DictConfig], Any], argv: Sequence[str], source: "_Source") -> None:
    import hydra

    full = os.environ.get(_FULL_ERROR)

    @functools.wraps(function)
    def job(cfg: DictConfig) -> Any:
        with _full_error(full):
            return _run_job(function, cfg, source)

    main = hydra.main(version_base=VERSION_BASE, config_path=str(source.conf_dir), config_name=source.name)(job)
    shown, sys.argv = sys.argv, [sys.argv[0], *argv]
    try:
        # set, it makes Hydra raise what it would otherwise print
        with _full_error("1"):
            main()
    except KeyboardInterrupt:
        _fail("Interrupted", status=130)
    except Exception as error:
        message = None if full == "1" else source.explain(error, _arguments(argv))
        if message is not None:
            _fail(message)
        traceback = error.__traceback__ if full == "1" else _below_job(error.__traceback__)
        raise error.with_traceback(traceback)  # noqa: B904 the same exception again
    finally:
        sys.argv = shown


def _run_job(function: Callable[[DictConfig], Any], cfg: DictConfig, source: "_Source") -> Any:
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra = HydraConfig.get()
    # unresolved: an override may hold ${...}
    overrides = [str(line) for line in OmegaConf.to_container(hydra.overrides.task) or []]
    try:
        source.check(cfg, choices=hydra.runtime.choices, overrides=overrides)
        return function(cfg)
    except Exception as error:
        # A single run ends here, without Hydra's line about the job; in a sweep that line tells which job it was.
        if hydra.mode == RunMode.RUN and os.environ.get(_FULL_ERROR) != "1":
            message = source.explain(error, overrides)
            if message is not None:
                _fail(message)
        raise


def _fail(message: str, *, status: int = 1) -> NoReturn:
    sys.stderr.write(f"{message.strip()}\n")
    raise SystemExit(status) from None


@contextmanager
def _full_error(value: str | None) -> Iterator[None]:
    before = os.environ.get(_FULL_ERROR)
    _set(value)
    try:
        yield
    finally:
        _set(before)


def _set(value: str | None) -> None:
    if value is None:
        os.environ.pop(_FULL_ERROR, None)
    else:
        os.environ[_FULL_ERROR] = value


def _below_job(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out the frames above the decorated function."""
    frame = traceback
    while frame is not None:
        if frame.tb_frame.f_code is _run_job.__code__:
            return frame.tb_next
        frame = frame.tb_next
    return traceback


def _arguments(argv: Sequence[str]) -> list[str]:
    from hydra._internal.utils import get_args_parser

    return list(get_args_parser().parse_known_args(argv)[0].overrides)


def _parse(overrides: Sequence[str]) -> "list[Override]":
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise ConfigError(f"{error.override}: {_plain(error)}") from error


@dataclass(frozen=True)
class _Source:
    """A root file and the folder it lies in."""

    name: str
    conf_dir: Path
    rest: str | None = None

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Compose with the `hydra` node."""
        from hydra import compose

        with hydra_at(self.conf_dir):
            return compose(self.name, list(overrides), return_hydra_config=True)

    def check(self, cfg: DictConfig, *, choices: Mapping[str, Any], overrides: Sequence[str]) -> None:
        """Check what is known about this root file: the schema of `train`, missing values of any other."""
        if self.name == "train":
            check(cfg, choices=choices, overrides=overrides, conf_dir=self.conf_dir)
        given = {str(line).split("=")[0]: line for line in (cfg[self.rest] if self.rest else [])}
        for key in map(str, cfg):
            if OmegaConf.is_missing(cfg, key):
                near = [given[name] for name in difflib.get_close_matches(key, given)]
                raise ConfigError(f"{key}: no value; give {key}=..." + (f" (got {near[0]})" if near else ""))

    def explain(self, error: Exception, overrides: Sequence[str]) -> str | None:
        """Say what a user has to mend; None for an exception that is not a mistake in the configuration."""
        from hydra.errors import (
            HydraException,
            InstantiationException,
            MissingConfigException,
            OverrideParseException,
        )

        if isinstance(error, ConfigError):
            return str(error)
        if isinstance(error, InstantiationException):
            return _instantiation(error)
        if isinstance(error, MissingConfigException):
            return self._missing_option(error, overrides)
        if isinstance(error, OverrideParseException):
            return f"{error.override}: {_plain(error)}"
        if isinstance(error, HydraException):
            return self._unknown_keys(overrides) or self._unknown_group(error) or _plain(error)
        if isinstance(error, InterpolationResolutionError | MissingMandatoryValue):
            return " ".join([*([f"{error.full_key}:"] if error.full_key else []), str(error).splitlines()[0]])
        if isinstance(error, ValueError) and str(error).startswith("Config group override"):
            return self._not_an_option(overrides)
        return str(error) if isinstance(error, yaml.YAMLError) else None

    def _options(self, group: str) -> list[str]:
        return sorted(file.stem for file in (self.conf_dir / group).glob("*.yaml"))

    def _groups(self) -> list[str]:
        return sorted(folder.name for folder in self.conf_dir.iterdir() if folder.is_dir())

    def _is_choice(self, parsed: "Override") -> bool:
        """Tell whether an override chooses options of a group."""
        is_group = "/" in parsed.key_or_group or (self.conf_dir / parsed.key_or_group).is_dir()
        return is_group and not isinstance(parsed.value(), dict)

    def _missing_option(self, error: "MissingConfigException", overrides: Sequence[str]) -> str:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        options = list(error.options or self._options(group))
        if not group:
            return _plain(error)
        lines = [f"command line: {line}" for line in overrides if re.match(rf"\+?{group}\b.*\b{option}\b", line)]
        entry = re.compile(rf"\b{group}\b.*:.*\b{option}\b")
        files = sorted(self.conf_dir.rglob("*.yaml"))
        lines += [
            str(file.relative_to(self.conf_dir.parent)) for file in files if entry.search(file.read_text("utf-8"))
        ]
        where = f" ({lines[0]})" if lines else ""
        if not (options or (self.conf_dir / group).is_dir()):
            return f"{group}={option}{where}: unknown group; {suggest(group, self._groups())}"
        near = difflib.get_close_matches(option, options, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{group}={option}{where}: no such option; {hint}options of {group}: {', '.join(options) or 'none'}"

    def _not_an_option(self, overrides: Sequence[str]) -> str | None:
        for parsed in _parse(overrides):
            group = parsed.key_or_group
            if self._is_choice(parsed) and not isinstance(parsed.value(), str | list):
                options = ", ".join(self._options(group))
                return f"{parsed.input_line}: not an option; options of {group}: {options}"
        return None

    def _unknown_group(self, error: Exception) -> str | None:
        """Explain an `override` of a defaults list in a file."""
        found = re.match(r"In '(.+)': Could not override '([^'@]+)", str(error))
        if found is None:
            return None
        file = f"{self.conf_dir.name}/{found[1]}.yaml"
        return f"override {found[2]} ({file}): unknown group; {suggest(found[2], self._groups())}"

    def _unknown_keys(self, overrides: Sequence[str]) -> str | None:
        """Find the overrides of keys that the chosen options do not have."""
        parsed = _parse(overrides)
        choices = [each for each in parsed if self._is_choice(each)]
        try:
            cfg = self.compose([line for each in choices if (line := _first(each))])
        except Exception:  # its own mistake comes first
            return None
        lines = []
        for each in parsed:
            if each in choices or each.is_add() or each.is_force_add():
                continue
            if hint := unknown(cfg, each.key_or_group, groups=self._groups()):
                lines.append(f"{each.key_or_group} (command line: {each.input_line}): unknown key; {hint}")
        return "\n".join(lines) or None


def _first(choice: "Override") -> str | None:
    """Give the override with the first value of a sweep."""
    from hydra.core.override_parser.types import ValueType

    if not choice.is_sweep_override():
        return choice.input_line
    if choice.value_type not in (ValueType.CHOICE_SWEEP, ValueType.SIMPLE_CHOICE_SWEEP):
        return None
    return f"{choice.get_key_element()}={next(choice.sweep_string_iterator())}"


def _is_group(cfg: DictConfig, key: str) -> bool:
    return isinstance(OmegaConf.select(cfg, key, throw_on_resolution_failure=False), DictConfig)


def _leaves(key: str, value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [key]
    return [leaf for name, child in value.items() for leaf in _leaves(f"{key}.{name}", child)]


def _instantiation(error: "InstantiationException") -> str:
    """Name the key and the innermost cause."""
    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    keys = [found[1] for cause in causes if (found := re.search(r"full_key: (\S+)", str(cause)))]
    cause = causes[-1]
    kind = "" if isinstance(cause, ValueError | ConfigError) or cause is error else f"{type(cause).__name__}: "
    text = " ".join(line for line in str(cause).splitlines() if not line.startswith("full_key"))
    return f"{keys[-1] if keys else 'configuration'}: {kind}{text}\n{_FULL_ERROR}=1 shows the whole traceback."


def _plain(error: Exception) -> str:
    """Join an exception's message and that of its cause."""
    parts = [str(error), str(error.__cause__ or "")]
    return "\n".join(part.strip() for part in parts if part)
