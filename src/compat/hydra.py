"""Private parts of Hydra.

`hydra.core`, `hydra.plugins` and `hydra.types` are what Hydra's published plugins are written with, and are used as
they are, but for the singletons below. The rest is in `hydra._internal`:

- The sweeper and the launcher that Hydra takes by default. Plugins that differ from them in one step extend or call
  them; a copy would miss what a later version does in the others. Hydra loads their modules anew when it looks for
  plugins, so that a class from before is no longer theirs: they are looked up when they are asked for.
- Splitting swept overrides into jobs, setting overrides in a configuration, and knowing a group by its name: the parts
  of composing. The public way, ``load_sweep_config``, composes each job as a whole, which takes 50 times as long.
- The parser of the command line, to tell overrides from flags as `hydra.main` does.

Hydra 1.4 asks for what 1.3 does not know, and warns of what 1.3 asks for: `version_base` and `instantiate` suit both.
"""

import functools
import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import hydra
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.core.utils import run_job as hydra_run_job
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

if TYPE_CHECKING:
    from hydra._internal.core_plugins.basic_launcher import BasicLauncher as BasicLauncher
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper as BasicSweeper

_CORE_PLUGINS = {"BasicLauncher": "basic_launcher", "BasicSweeper": "basic_sweeper"}

# From 1.4 on, code may list the targets that a configuration may name, and Hydra warns where it does not. A command
# line is its user's own, and of stored configurations `src.config.stored` has lists.
_HAS_WHITELISTS = "execution_whitelist" in inspect.signature(hydra.main).parameters
_NEEDLESS = (
    r"hydra\.utils\.instantiate\(\) resolved",
    "Hydra configured Python logging without an execution whitelist",
)

# What `hydra.sweeper._target_` is by default.
BASIC_SWEEPER = "hydra._internal.core_plugins.basic_sweeper.BasicSweeper"

# The same of `hydra.launcher._target_`.
BASIC_LAUNCHER = "hydra._internal.core_plugins.basic_launcher.BasicLauncher"


def __getattr__(name: str) -> Any:
    """The classes of Hydra's core plugins, as they are now."""
    if name not in _CORE_PLUGINS:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(importlib.import_module(f"hydra._internal.core_plugins.{_CORE_PLUGINS[name]}"), name)


def version_base() -> dict[str, Any]:
    """The argument ``version_base``, which 1.3 warns without, and 1.4 with."""
    return {} if _HAS_WHITELISTS else {"version_base": "1.3"}


@contextmanager
def quiet_hydra() -> Iterator[None]:
    """Call Hydra inside this, and it does not ask for lists of targets; it refuses those that it refuses."""
    if not _HAS_WHITELISTS:
        yield
        return
    with warnings.catch_warnings():
        for message in _NEEDLESS:
            warnings.filterwarnings("ignore", message=message)
        yield


def instantiate(node: Mapping[str, Any] | DictConfig, **kwargs: Any) -> Any:
    """Make what a node describes, of plain values and of objects, which stay what they are.

    `hydra.utils.instantiate` puts arguments into the node first, where a dataclass becomes a part of a configuration,
    and hands lists and mappings over as OmegaConf's. An optimiser would keep these, and its checkpoints.

    Raises:
        InstantiationException: If the class raises something; from Hydra 1.4 on that may come as it is.
    """
    from hydra.errors import InstantiationException
    from hydra.utils import instantiate

    if (plain := _plain(node)) is not None:
        kind, is_partial, values = plain
        # what goes wrong is told by Hydra, with the key
        with suppress(Exception):
            return functools.partial(kind, **values) if is_partial and not kwargs else kind(**{**values, **kwargs})
    with quiet_hydra():
        if not kwargs:
            return instantiate(node, _convert_="all")
        make = instantiate(node, _convert_="all", _partial_=True)
        try:
            return make(**kwargs)
        except Exception as error:
            raise InstantiationException(f"Error in call to target '{node['_target_']}':\n{error!r}") from error


def has_unheard_mode(name: str, overrides: Sequence[str]) -> bool:
    """Whether chosen files ask for a sweep by `hydra.mode`, and Hydra, from 1.4 on, does not listen to them.

    Args:
        name: Root file in the folder that Hydra is initialised for.
        overrides: The command line.
    """
    if not _HAS_WHITELISTS:
        return False
    loader = GlobalHydra.instance().config_loader()
    try:
        cfg = loader.load_configuration(name, list(overrides), RunMode.MULTIRUN, validate_sweep_overrides=False)
    except (HydraException, OmegaConfBaseException):
        return False
    return bool(cfg.hydra.mode == RunMode.MULTIRUN)


# Packages whose classes are made without Hydra where their arguments are plain, which takes it ten milliseconds.
_PLAIN = ("src.", "torch.", "lightning.")


def _plain(node: Mapping[str, Any] | DictConfig) -> tuple[type, bool, dict[str, Any]] | None:
    """Class of a node, whether it is to be called later, and its arguments; None for what is left to Hydra."""
    if not OmegaConf.is_dict(node) or not str(node.get("_target_")).startswith(_PLAIN):
        return None
    try:
        values: Any = OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException:
        return None
    kind, is_partial = _class_of(values.pop("_target_")), values.pop("_partial_", False)
    if kind is None or type(is_partial) is not bool or _tells(values):
        return None
    return kind, is_partial, values


def _tells(value: Any) -> bool:
    """Whether a value tells Hydra something, at any depth."""
    if isinstance(value, dict):
        return any(str(key).startswith("_") and str(key).endswith("_") for key in value) or any(
            map(_tells, value.values())
        )
    return isinstance(value, list) and any(map(_tells, value))


@functools.lru_cache(maxsize=1000)
def _class_of(target: str) -> type | None:
    module, _, name = target.rpartition(".")
    found = getattr(sys.modules.get(module) or _imported(module), name, None)
    return found if isinstance(found, type) else None


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    # a module may raise anything while it is imported; Hydra imports it once more, and says what with the key
    except Exception:
        return None


def overrides_of(argv: Sequence[str]) -> list[str]:
    """The overrides among the words of a command line, without the program's name."""
    return list(arguments_of(argv).overrides)


def arguments_of(argv: Sequence[str]) -> Any:
    """What Hydra's parser reads of a command line, an attribute for each flag."""
    # overrides behind a flag too, which Hydra takes from 1.4 on
    return get_args_parser().parse_known_intermixed_args(list(argv))[0]


def line_of(key: str, text: str) -> str:
    """An override of this key, with its ``~`` or ``+``, and this text.

    A deletion without a value has the text ``null``, which Hydra, from 1.4 on, takes for the value to be deleted.
    """
    return key if key.startswith("~") and text == "null" else f"{key}={text}"


def batches(overrides: list[Override], max_size: int | None) -> list[list[list[str]]]:
    """Overrides of each job of a sweep, in the order and the batches of Hydra's own sweeper; of None there is one."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

    split = BasicSweeper.split_arguments(overrides, max_size)
    return [[[line_of(*line.split("=", 1)) for line in job] for job in batch] for batch in split]


def grid(overrides: list[Override]) -> list[list[str]]:
    """The same of all jobs in one batch."""
    (jobs,) = batches(overrides, None)
    return jobs


def casts(sweep: RangeSweep) -> Sequence[Callable[[Any], Any]]:
    """What is made of each value of a range, as in `float(range(0,3))`; before Hydra 1.4 its ends are of that kind."""
    return getattr(sweep, "transformers", ())


def is_group(name: str) -> bool:
    """Whether the configuration that Hydra is initialised for has a group of this name."""
    loader = GlobalHydra.instance().config_loader()
    assert isinstance(loader, ConfigLoaderImpl)
    return loader.repository.group_exists(name)


def apply_overrides(cfg: DictConfig, overrides: list[Override]) -> None:
    """Set values in a composed configuration, as they are set when it is composed."""
    ConfigLoaderImpl._apply_overrides_to_config(overrides, cfg)


def hydra_part(config: DictConfig) -> DictConfig:
    """Hydra's own node, whose references still lead to what stands beside it, as in `HydraConfig`."""
    part = OmegaConf.masked_copy(config, "hydra")
    part.hydra._set_parent(config)
    return part


def override_dirname(job: Mapping[str, Any], overrides: list[Override]) -> dict[str, str]:
    """`hydra.job.override_dirname` by its name for a job with these overrides; nothing from Hydra 1.4 on.

    There it is a reference.

    Args:
        job: The node `hydra.job`.
        overrides: Of the job.
    """
    dirname = getattr(config_loader_impl, "get_overrides_dirname", None)
    if dirname is None:
        return {}
    style = job["config"]["override_dirname"]
    # a list of OmegaConf's as well as a plain one
    form = {name: style[name] for name in ("kv_sep", "item_sep", "exclude_keys")}
    return {"override_dirname": dirname(overrides=overrides, **form)}


def state() -> Mapping[Any, Any]:
    """Hydra's state, for a job in another process; goes there by pickle."""
    return dict(Singleton.get_state())


def restore(state: Mapping[Any, Any]) -> None:
    """Take over the state of another process."""
    setup_globals()
    Singleton.set_state(dict(state))


def failed(overrides: Sequence[str], error: BaseException) -> JobReturn:
    """What a launcher returns of a job that has raised."""
    returned = JobReturn(overrides=list(overrides), status=JobStatus.FAILED)
    returned.return_value = error
    return returned


def run_job(**arguments: Any) -> JobReturn:
    """As Hydra's own, but that a job which cannot begin has failed like any other, and ends none of those after it.

    Where a file stands in the place of its directory, or the disk is full, Hydra's raises before it calls anything.
    """
    try:
        return hydra_run_job(**arguments)
    except OSError as error:
        return failed(arguments["config"].hydra.overrides.task, error)


@contextmanager
def each_job_apart() -> Iterator[None]:
    """Let Hydra's own launcher run jobs in this way."""
    launcher: Any = importlib.import_module("hydra._internal.core_plugins.basic_launcher")
    before, launcher.run_job = launcher.run_job, run_job
    try:
        yield
    finally:
        launcher.run_job = before


def error_of(returned: JobReturn) -> Exception | None:
    """What a job has raised; None if it has not. The public ``return_value`` raises it, and prints a line before."""
    error: Exception | None = returned._return_value if returned.status == JobStatus.FAILED else None
    return error
