"""Entry points and composed configurations: checks before a run, one clear message for a user's mistake."""

import copy
import functools
import os
import re
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from omegaconf import DictConfig, OmegaConf, open_dict

from src.config.errors import ConfigError
from src.config.explain import FULL_ERROR, Source, parse
from src.config.origins import VERSION_BASE
from src.config.schema import Model, Node, Root, Suggested, check, unknown

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

CONF_DIR = Path(__file__).resolve().parents[2] / "conf"

# Six hexadecimal characters for the name of a run directory. From the operating system, since a seeded generator gives
# every run the same. Hydra hands the cache of a configuration to its copies and to the jobs of a sweep.
OmegaConf.register_new_resolver("unique", lambda: secrets.token_hex(3), use_cache=True, replace=True)


def entry(
    config_name: str,
    *,
    rest: str | None = None,
    conf_dir: Path = CONF_DIR,
    tolerate: Callable[[DictConfig, Exception, str], Any] | None = None,
    at_end: Callable[[BaseException | None], int] = lambda _: 0,
) -> Callable[[Callable[[DictConfig], Any]], Callable[..., Any]]:
    """Make a function of cfg the entry point for a root file, as `hydra.main` does.

    A mistake in the configuration ends the process with status 1 and one message; HYDRA_FULL_ERROR=1 shows the
    traceback instead. Any other exception keeps its traceback, from the decorated function on. Called with a
    configuration, the entry point passes it on unchanged.

    Args:
        config_name: Root file in ``conf_dir``; `train` is checked against the schema.
        rest: Key of the root file that receives, as a list of strings, the overrides that are not its own.
        conf_dir: Absolute path of the folder of YAML files.
        tolerate: Gets the configuration, the exception and its message of a failed job of a sweep; what it returns is
            the job's value, so that the other jobs go on.
        at_end: Called when the entry point ends, with the exception or Ctrl-C that ended it; its value is the exit
            status where there was none.
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
            return _start(_Job(function, Source(config_name, conf_dir, rest), tolerate), argv, at_end)

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
    source = Source("train", CONF_DIR)
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


@dataclass(frozen=True)
class _Job:
    """What Hydra runs; picklable, since launchers send it to other processes."""

    function: Callable[[DictConfig], Any]
    source: Source
    tolerate: Callable[[DictConfig, Exception, str], Any] | None
    full_error: str | None = field(default_factory=lambda: os.environ.get(FULL_ERROR))

    def __call__(self, cfg: DictConfig) -> Any:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        hydra = HydraConfig.get()
        # unresolved: an override may hold ${...}
        overrides = [str(line) for line in OmegaConf.to_container(hydra.overrides.task, resolve=False) or []]
        with _full_error(self.full_error):
            try:
                self.source.check(cfg, choices=hydra.runtime.choices, overrides=overrides)
                return self.function(cfg)
            except Exception as error:
                message = self.source.explain(error, overrides)
                if hydra.mode != RunMode.RUN and self.tolerate is not None:
                    return self.tolerate(cfg, error, message or f"{type(error).__name__}: {error}")
                # A single run ends here, without Hydra's line about the job; in a sweep that line tells which job.
                if hydra.mode == RunMode.RUN and message is not None and self.full_error != "1":
                    _fail(message)
                raise


def _start(job: _Job, argv: Sequence[str], at_end: Callable[[BaseException | None], int]) -> None:
    import hydra

    source, full = job.source, job.full_error
    decorate = hydra.main(version_base=VERSION_BASE, config_path=str(source.conf_dir), config_name=source.name)
    main = decorate(functools.update_wrapper(lambda cfg: job(cfg), job.function))
    shown, sys.argv = sys.argv, [sys.argv[0], *argv]
    try:
        # set, it makes Hydra raise what it would otherwise print
        with _full_error("1"):
            if {"--help", "-h"} & set(argv):
                # Hydra's own parses the defaults anew for every group, and takes a second for it
                sys.stdout.write(source.help(_arguments(argv)))
            else:
                main()
    except KeyboardInterrupt as interrupt:
        at_end(interrupt)
        _fail("Interrupted", status=130)
    except Exception as error:
        at_end(error)
        message = None if full == "1" else source.explain(error, _arguments(argv))
        if message is not None:
            _fail(message)
        traceback = error.__traceback__ if full == "1" else _below_job(error.__traceback__)
        raise error.with_traceback(traceback)  # noqa: B904 the same exception again
    finally:
        sys.argv = shown
    if status := at_end(None):
        raise SystemExit(status)


def _fail(message: str, *, status: int = 1) -> NoReturn:
    sys.stderr.write(f"{message.strip()}\n")
    raise SystemExit(status) from None


@contextmanager
def _full_error(value: str | None) -> Iterator[None]:
    before = os.environ.get(FULL_ERROR)
    _set(value)
    try:
        yield
    finally:
        _set(before)


def _set(value: str | None) -> None:
    if value is None:
        os.environ.pop(FULL_ERROR, None)
    else:
        os.environ[FULL_ERROR] = value


def _below_job(traceback: TracebackType | None) -> TracebackType | None:
    """Leave out the frames above the decorated function."""
    frame = traceback
    while frame is not None:
        if frame.tb_frame.f_code is _Job.__call__.__code__:
            return frame.tb_next
        frame = frame.tb_next
    return traceback


def _arguments(argv: Sequence[str]) -> list[str]:
    from src.compat.hydra import overrides_of

    return overrides_of(argv)


def _is_group(cfg: DictConfig, key: str) -> bool:
    return isinstance(OmegaConf.select(cfg, key, throw_on_resolution_failure=False), DictConfig)


def _leaves(key: str, value: Any) -> list[str]:
    if not isinstance(value, dict):
        return [key]
    return [leaf for name, child in value.items() for leaf in _leaves(f"{key}.{name}", child)]
