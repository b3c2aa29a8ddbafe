"""Which keys of a configuration do not count, and for what; and configurations as flat tables of keys.

Whoever compares configurations asks `counts`, with what it compares them for:

- ``run``: is a stored run the run that is asked for?
- ``group``: are two jobs of a sweep of one group, whose mean is taken over seeds, draws of the data or folds?
- ``fold``: does a fold of one number hold the same test rows for both? Asked of keys below `data` alone.
- ``stack``: can two jobs be trained as one batch? What is free here may differ from model to model.
- ``samples``: do two jobs see the same samples?
- ``show``: does a key belong among the hyper-parameters that a run shows?

A key counts for all that its line in the table below does not name; what holds for a key holds for all keys below it::

    counts("optimizer.lr", "run")       True
    counts("run_dir", "run")            False
    counts("sweep.dry_run", "group")    False, as `sweep` does
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from omegaconf import OmegaConf

from src.config.metrics import better

Purpose = Literal["run", "group", "fold", "stack", "samples", "show"]

_DOES_NOT_COUNT_FOR: dict[str, frozenset[Purpose]] = {
    # where a run goes, and whether it is only looked at
    "run_dir": frozenset({"run", "group", "stack", "show"}),
    "sweep": frozenset({"run", "group", "stack", "show"}),
    # how a command takes up what there is, and no part of a run
    "resume": frozenset({"run", "group", "stack", "show"}),
    "reproduce": frozenset({"run", "group", "stack", "show"}),
    # what is shown while a run begins
    "print_config": frozenset({"run", "group", "stack", "show"}),
    "callbacks.summary": frozenset({"run", "group"}),
    # begins each model with weights of its own, as a seed does
    "init_from": frozenset({"stack"}),
    # what the mean of a group is taken over
    "seed": frozenset({"group", "stack"}),
    "data.seed": frozenset({"group"}),
    "data.split_seed": frozenset({"group"}),
    "data.val_seed": frozenset({"group", "fold"}),
    "base_seed": frozenset({"group", "stack"}),
    "data.fold": frozenset({"group", "fold"}),
    # what is trained on, and what of a row goes in
    "data.test_size": frozenset({"fold"}),
    "data.val_size": frozenset({"fold"}),
    "data.columns": frozenset({"fold"}),
    "data.drop": frozenset({"fold"}),
    "data.missing": frozenset({"fold"}),
    # all metrics are measured, whichever is asked for
    "optimized_metric": frozenset({"group", "stack"}),
    # what is computed is the same
    "threads": frozenset({"run", "group", "show"}),
    # decides after training which weights are measured
    "evaluate": frozenset({"stack"}),
    # values that other keys refer to, and those count
    "suggested": frozenset({"stack", "show"}),
    # records a run, and does not change it
    "logger": frozenset({"stack", "show"}),
    # may end a run early; most of them watch it
    "callbacks": frozenset({"show"}),
    # what is drawn at its end, which `src.draw` does at any time; a later version draws more by default
    "callbacks.pictures.draw": frozenset({"run", "group"}),
    # what a title says
    "model.name": frozenset({"stack"}),
    # order the batches, and leave the samples as they are
    "data.batch_size": frozenset({"samples", "fold"}),
    "data.batch_seed": frozenset({"samples", "fold"}),
    "data.drop_last": frozenset({"samples", "fold"}),
}

# Keys of the root that say how a command takes up what there is: no run stores them.
NOT_STORED = ("resume", "reproduce", "print_config")

# Keys of a sweep's command that none of its jobs has to be told again.
OF_COMMAND = ("sweep.until", "sweep.max_seeds", "sweep.margin")

# Keys that an earlier version did not store, and the value that says what it did.
ADDED = {
    "init_from": None,
    "print_config": False,
    "threads": None,
    "vary": ["init", "order"],
    "base_seed": 42,
    "sweep.until": None,
    "sweep.max_seeds": 64,
    "sweep.margin": None,
    "data.class_shares": None,
    "data.drop_last": False,
    "task.loop": "auto",
    "task.l1": 0.0,
    "task.l2": 0.0,
    "module": None,
    "model.net.norm": None,
    "model.net.dropout": 0.0,
    "model.net.residual": False,
    "model.net.init": None,
    "model.net.features": None,
}

# Keys of earlier versions, and what they are called now.
RENAMED = {
    "hydra.launcher.shard": "hydra.launcher.models_per_process",
    "hydra.launcher.cohort": "hydra.launcher.models_per_step",
}

# Keys of the trainer that a task which takes its own steps leaves no room for, and habits from other templates for
# Hydra and Lightning: what does the same here.
INSTEAD = {
    "ckpt_path": (
        "the same command with hydra.run.dir=DIR goes on from its last checkpoint; python -m src.eval run=DIR "
        "checkpoint=PATH measures one"
    ),
    "extras": "print_config=true prints the configuration, and no extra is needed for it",
    "hparams_search": "hydra/sweeper=optuna searches, and experiment=search/mlp_circles is an example",
    "paths": "hydra.run.dir=DIR is where a run leaves its files, hydra.sweep.dir=DIR a sweep",
    "tags": "a name for a run is that of its directory: hydra.run.dir=outputs/runs/NAME",
    "task_name": "a name for a run is that of its directory: hydra.run.dir=outputs/runs/NAME",
    "test": "every run is tested once, at its end; python -m src.eval run=DIR tests it again",
    "train": "python -m src.eval run=DIR measures without training",
    "callbacks.model_checkpoint": "callbacks.checkpoint.monitor=... decides which weights are kept",
    "callbacks.model_summary": "callbacks.summary.max_depth=... is the depth of the summary",
    "callbacks.rich_progress_bar": "callbacks.progress is the bar; callbacks.progress=null leaves it out",
    "data.data_dir": "the data are made anew for every run, and lie in memory",
    "data.num_workers": "the data lie in memory, where no worker is needed",
    "data.pin_memory": "the data lie on the device that trains",
    "data.train_val_test_split": "data.test_size=... and data.n_val=... are the sizes of the parts",
    "model.compile": "compile=true compiles the network",
    "model.optimizer": "optimizer=... chooses, optimizer.lr=... and so on change it",
    "model.scheduler": "scheduler=... chooses, scheduler.gamma=... and so on change it",
}


@functools.cache
def counts(key: str, purpose: Purpose) -> bool:
    """Whether configurations that differ in this key differ for this purpose.

    Args:
        key: Dotted key of a value or a node.
        purpose: What they are compared for.
    """
    parts = key.split(".")
    above = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
    return not any(purpose in _DOES_NOT_COUNT_FOR.get(name, ()) for name in above)


def flatten(cfg: Any, *, resolve: bool = False) -> dict[str, Any]:
    """Leaves of a configuration by their dotted key; lists are leaves, and so are empty nodes.

    A tuple is a list, as it is once it is stored: OmegaConf makes one of it before 2.4.
    """
    tree: Any = OmegaConf.to_container(cfg, resolve=resolve) if OmegaConf.is_config(cfg) else cfg
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            leaves.update({f"{key}.{k}": v for k, v in flatten(value).items()})
        else:
            leaves[str(key)] = _in_lists(value)
    return leaves


def _in_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_lists(each) for key, each in value.items()}
    return [_in_lists(each) for each in value] if isinstance(value, list | tuple) else value


def as_before(tree: Mapping[str, Any], *, above: str = "") -> dict[str, Any]:
    """A configuration in plain containers as an earlier version stored it: without keys that say what it did anyway."""
    return {
        name: as_before(value, above=f"{above}{name}.") if isinstance(value, dict) else value
        for name, value in tree.items()
        if not (name in NOT_STORED and not above)
        and (f"{above}{name}" not in ADDED or ADDED[f"{above}{name}"] != value)
    }


def _told(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """With the end of a monitored metric that its name tells where the mode is left open."""

    def told(key: str, value: Any) -> Any:
        monitor = leaves.get(f"{key.removesuffix('mode')}monitor") if key.endswith(".mode") else None
        return better(monitor) if value is None and isinstance(monitor, str) else value

    return {key: told(key, value) for key, value in leaves.items()}


class Difference(NamedTuple):
    """A key in which a run that is asked for is not the stored one.

    Attributes:
        key: Its dotted name.
        stored: Its value there, ``(value,)``; empty where it is not stored.
        given: Its value here; empty where it is not given.
    """

    key: str
    stored: tuple[Any, ...]
    given: tuple[Any, ...]


def changed(stored: Mapping[str, Any], given: Mapping[str, Any]) -> list[Difference]:
    """The keys in which a run that is asked for is not the stored one; empty if it is.

    Args:
        stored: Leaves by dotted key.
        given: The same of what is asked for.
    """
    stored, given = (
        _told({**leaves, **{k: v for k, v in ADDED.items() if k not in leaves}}) for leaves in (stored, given)
    )
    found = []
    for key in sorted(stored.keys() | given.keys()):
        before, now = (((leaves[key],) if key in leaves else ()) for leaves in (stored, given))
        if counts(key, "run") and before != now:
            found.append(Difference(key, before, now))
    return found


def differences(stored: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """A line for each of these keys, with values as they stand there."""
    return lines_of(changed(stored, given), {}, {})


def lines_of(found: Iterable[Difference], stored: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """A line for each difference.

    Args:
        found: The differences.
        stored: Leaves by dotted key, with what references lead to; a reference that is none of them is shown itself.
        given: The same of what is asked for.
    """
    lines = []
    for key, before, now in found:
        was, becomes = (_shown(key, value, leaves) for value, leaves in ((before, stored), (now, given)))
        if before and now and was == becomes:
            # one refers to what the other says
            was, becomes = (
                shown if str(value[0]) == shown else f"{value[0]} ({shown})"
                for value, shown in ((before, was), (now, becomes))
            )
        lines.append(
            f"  {key}: {f'stored {was}' if before else 'not stored'}, {f'given {becomes}' if now else 'not given'}"
        )
    return "\n".join(lines)


def _shown(key: str, value: tuple[Any, ...], resolved: Mapping[str, Any]) -> str:
    if not value:
        return ""
    return str(resolved.get(key, value[0]) if "${" in str(value[0]) else value[0])
