"""Entry points: a function of cfg as a command, with one clear message for a user's mistake."""

import functools
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from omegaconf import DictConfig, OmegaConf

from src.compat.python import collect_seldom, leave, nothing_waits
from src.config import folders
from src.config.command import interrupts
from src.config.command.explain import FULL_ERROR, Source
from src.config.command.flags import SWEEP_FLAGS, refuse_flags, refuse_unknown_root, with_flags_first
from src.config.command.marks import marked
from src.config.command.paths import with_paths
from src.config.command.readers import outlive_readers
from src.config.compose import CONF_DIR, given_overrides, hydra_overrides
from src.config.errors import ConfigError, offered
from src.config.resolvers import register_resolvers

_SWEEPS = "hydra.mode=MULTIRUN"


class RefusedError(BaseException):
    """Carries an exception out of a callback of Hydra, which swallows an `Exception`.

    Args:
        error: Why a start is refused.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


def entry(
    config_name: str,
    *,
    rest: str | None = None,
    conf_dir: Path = CONF_DIR,
    tolerate: Callable[[DictConfig, Exception, str], Any] | None = None,
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
    """

    def decorate(function: Callable[[DictConfig], Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def main(cfg: DictConfig | None = None) -> Any:
            if cfg is not None:
                return function(cfg)
            collect_seldom()
            outlive_readers()
            try:
                refuse_flags(sys.argv[1:], name=config_name, conf_dir=conf_dir)
                argv = with_paths(sys.argv[1:], is_sweep=_is_sweep(sys.argv[1:]))
                argv = folders.as_override(with_flags_first(argv), conf_dir=conf_dir)
            except ConfigError as error:
                _fail(str(error))
            folders.use(argv)
            try:
                refuse_unknown_root(argv, name=config_name, conf_dir=conf_dir)
            except ConfigError as error:
                _fail(str(error))
            if rest is not None:
                own = OmegaConf.load(conf_dir / f"{config_name}.yaml")
                argv = split_argv(argv, [str(key) for key in own], rest=rest)
            return _start(_Job(function, Source(config_name, conf_dir, rest), tolerate), argv)

        return main

    return decorate


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

        hydra: Any = HydraConfig.get()
        overrides = given_overrides(hydra)
        # in the process of a launcher too
        folders.use(hydra_overrides(hydra))
        is_job = hydra.mode != RunMode.RUN
        with (
            _full_error(self.full_error),
            _quiet_threads(self),
            marked(f"#{hydra.job.num}: ") if is_job else nullcontext(),
        ):
            try:
                with interrupts.meant():
                    self.source.check(cfg, choices=hydra.runtime.choices, overrides=overrides)
                    return self.function(cfg)
            except Exception as error:
                message = self.source.explain(error, overrides)
                if is_job and self.tolerate is not None:
                    return self.tolerate(cfg, error, message or f"{type(error).__name__}: {error}")
                # A single run ends here, without Hydra's line about the job; in a sweep that line tells which job.
                if hydra.mode == RunMode.RUN and message is not None and self.full_error != "1":
                    _fail("\n".join([message.strip(), *(f"  try: {command}" for command in offered(error))]))
                raise


def _start(job: _Job, argv: Sequence[str]) -> None:
    import hydra

    from src.compat.hydra import version_base

    register_resolvers()
    source = job.source
    decorate = hydra.main(config_path=str(source.conf_dir), config_name=source.name, **version_base())
    main = decorate(functools.update_wrapper(lambda cfg: job(cfg), job.function))
    with interrupts.handled():
        is_last = job.function.__module__ == "__main__" and nothing_waits()
        status: Any = 0
        try:
            _call(job, main, argv)
        except SystemExit as end:
            status = end.code
            if not (is_last and isinstance(status, int)):
                raise
        if is_last:
            leave(status, is_asked=interrupts.asked())


def _call(job: _Job, main: Callable[[], Any], argv: Sequence[str]) -> None:
    from src.compat.hydra import quiet_hydra

    source = job.source
    shown, sys.argv = sys.argv, [sys.argv[0], *argv]
    try:
        # set, it makes Hydra raise what it would otherwise print
        with _full_error("1"), interrupts.meant(), quiet_hydra():
            if {"--help", "-h"} & set(argv):
                # Hydra's own parses the defaults anew for every group, and takes a second for it
                sys.stdout.write(source.help(_arguments(argv)))
            else:
                _run(main, source, argv)
    except KeyboardInterrupt:
        _fail("Interrupted", status=interrupts.status())
    except RefusedError as refused:
        _raise(refused.error, job, argv)
    except Exception as error:
        _raise(error, job, argv)
    finally:
        sys.argv = shown


def _run(main: Callable[[], Any], source: Source, argv: Sequence[str]) -> Any:
    """Run it, as a sweep where Hydra has refused an experiment that is one and says so in its file."""
    from hydra.errors import HydraException

    try:
        return main()
    except HydraException:
        if _is_sweep(argv) or not source.is_unheard_sweep(_arguments(argv)):
            raise
    sys.argv = [sys.argv[0], *argv, _SWEEPS]
    return main()


def _raise(error: Exception, job: _Job, argv: Sequence[str]) -> NoReturn:
    """End with one message for a user's mistake, and for anything else with the traceback below the job."""
    full = job.full_error == "1"
    message = None if full else job.source.explain(error, _arguments(argv))
    if message is not None:
        _fail(message)
    raise error.with_traceback(error.__traceback__ if full else _below_job(error.__traceback__))


def _fail(message: str, *, status: int = 1) -> NoReturn:
    sys.stderr.write(f"{message.strip()}\n")
    raise SystemExit(status) from None


@contextmanager
def _quiet_threads(job: _Job) -> Iterator[None]:
    """Let threads that write, as TensorBoard's do, end without a traceback where the file system refuses.

    Whoever gave them something to write meets the same error at the next record, or when the file is closed.
    """
    before = threading.excepthook

    def show(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value
        if job.full_error == "1" or not isinstance(error, OSError) or job.source.explain(error, []) is None:
            before(args)

    threading.excepthook = show
    try:
        yield
    finally:
        threading.excepthook = before


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


def _is_sweep(argv: Sequence[str]) -> bool:
    return any(each in (*SWEEP_FLAGS, _SWEEPS) for each in argv)


def _arguments(argv: Sequence[str]) -> list[str]:
    from src.compat.hydra import overrides_of

    return overrides_of(argv)
