"""A stored configuration run again beside its run: what may be made of it, and how nearly both agree."""

import itertools
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.table import Table
from rich.text import Text
from torch import Tensor

from src.checks.targets import check_targets
from src.config.errors import ConfigError
from src.config.stored import trusted_modules
from src.console.terminal import open_terminal, print_table
from src.launch.ranks import wants_many
from src.run.directory import RunDir
from src.run.patch import is_whole, patch_of
from src.run.result import Result
from src.tasks.checkpoint import load_checkpoint, weights_in

log = logging.getLogger(__name__)

_KEPT = (
    "src.callbacks.",
    "lightning.pytorch.callbacks.early_stopping.EarlyStopping",
    "lightning.pytorch.callbacks.stochastic_weight_avg.StochasticWeightAveraging",
    "lightning.pytorch.callbacks.weight_averaging.",
    "lightning.pytorch.callbacks.gradient_accumulation_scheduler.GradientAccumulationScheduler",
    "lightning.pytorch.callbacks.EarlyStopping",
    "lightning.pytorch.callbacks.StochasticWeightAveraging",
    "lightning.pytorch.callbacks.WeightAveraging",
    "lightning.pytorch.callbacks.EMAWeightAveraging",
    "lightning.pytorch.callbacks.GradientAccumulationScheduler",
    "lightning.pytorch.callbacks.rich_model_summary.",
    "lightning.pytorch.callbacks.model_summary.",
)
"""Callbacks that train, print, or leave all of theirs in the run directory; any other may write where it is told to."""

_RECORDS = {"csv": {"_target_": "src.callbacks.metrics_csv.MetricsCSV", "save_dir": "${run_dir}"}}

# Rows of metrics that differ, and of packages.
_SHOWN = 10


def configuration(source: Path, run_dir: Path) -> DictConfig:
    """What a run has stored, to be run in another directory, where alone it writes.

    Args:
        source: Directory of the run, which may be a stranger's.
        run_dir: Where it runs again.

    Raises:
        ConfigError: If that is no run that has completed, or its configuration names what it may not.
    """
    run, trusted = RunDir(source), trusted_modules(None)
    cfg = run.config(trusted=trusted, key="reproduce")
    result = run.result()
    if result is None or result.status != "completed":
        state = "has not ended" if result is None else f"has {result.status}"
        raise ConfigError(f"reproduce={source} {state}; allowed: the directory of a run that has completed")
    check_targets(cfg, trusted=trusted)
    own = tuple(f"{name}." for name in trusted)
    with open_dict(cfg):
        for name, node in (cfg.get("callbacks") or {}).items():
            if node is not None and not str(node.get("_target_")).startswith((*_KEPT, *own)):
                log.info("callbacks.%s (%s) is left out: it may write anywhere", name, node.get("_target_"))
                cfg.callbacks[name] = None
        cfg.logger = OmegaConf.create(_RECORDS)
        for name in ("profiler", "plugins", "default_root_dir"):
            cfg.trainer.pop(name, None)
        if wants_many(cfg.trainer) or not isinstance(cfg.trainer.get("strategy", "auto"), str):
            raise ConfigError(f"reproduce={source}: it was trained by several processes; repeat its own command")
        cfg.run_dir = str(run_dir)
    return cfg


class Row(NamedTuple):
    """What was compared, and how it came out; ``decides`` where it says whether both are equal."""

    what: str
    stored: str
    now: str
    verdict: str
    decides: bool = False


@dataclass(frozen=True)
class Comparison:
    """Two runs of one configuration, side by side."""

    rows: tuple[Row, ...]

    @property
    def is_equal(self) -> bool:
        """Whether metrics and weights are equal in every digit."""
        return all(row.verdict == "equal" for row in self.rows if row.decides)

    def show(self, *, stored: Path, now: Path) -> None:
        """Print a table."""
        table = Table(title="equal" if self.is_equal else "differs")
        for name in ("", "stored", "now", "difference"):
            table.add_column(Text(name))
        for row in self.rows:
            table.add_row(*map(Text, row[:4]))
        terminal = open_terminal()
        print_table(terminal, table)
        for name, path in (("stored", stored), ("now", now)):
            terminal.print(Text(f"{name}: {path}"), soft_wrap=True)


def compare(stored: Path, now: Path) -> Comparison:
    """Compare what two runs have left.

    Raises:
        ConfigError: If one of them cannot be read.
    """
    one, other = RunDir(stored), RunDir(now)
    before, after = _result(one), _result(other)
    rows = [*_metrics(before, after), *_weights(one, other), *_versions(before, after)]
    rows.append(_plain("device", before.device, after.device))
    rows.extend(_data(one, other))
    rows.append(_code(one, other, before, after))
    return Comparison(tuple(rows))


def _result(run: RunDir) -> Result:
    result = run.result()
    if result is None:
        raise ConfigError(f"{run.path} has no result to compare")
    return result


def _metrics(before: Result, after: Result) -> Iterator[Row]:
    """A row for all, or one for each that differs; what the stored run has not measured is not compared."""
    names = [name for name in before.metrics if before.metrics[name] != after.metrics.get(name, _ABSENT)]
    if not names:
        yield Row("metrics", f"{len(before.metrics)}", f"{len(before.metrics)}", "equal", decides=True)
    for name in names[:_SHOWN]:
        was, value = before.metrics[name], after.metrics.get(name)
        difference = "differs" if was is None or value is None else f"{abs(value - was):.3g}"
        yield Row(
            name, _number(was), _number(value) if name in after.metrics else "not measured", difference, decides=True
        )
    if len(names) > _SHOWN:
        yield Row(f"{len(names) - _SHOWN} more metrics", "", "", "differ", decides=True)


_ABSENT: Any = object()


def _number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.6g}"


def _weights(one: RunDir, other: RunDir) -> Iterator[Row]:
    for name in ("best", "last"):
        paths = [run.checkpoint(name) for run in (one, other)]
        what, there = f"{name} weights", [path.is_file() for path in paths]
        if not any(there):
            continue
        if not all(there):
            was, now = ("kept" if each else "not kept" for each in there)
            # a run that was shared keeps the best weights alone, which says nothing of the others
            yield Row(what, was, now, "nothing to compare", decides=there[0])
            continue
        before, after = (load_checkpoint(path) for path in paths)
        was, now = weights_in(paths[0], before), weights_in(paths[1], after)
        yield Row(what, was, now, difference_of(before["state_dict"], after["state_dict"]), decides=True)


def difference_of(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """``equal``, or the largest difference between weights of two networks, or that they are two."""
    if one.keys() != other.keys():
        return f"another network: {min(one.keys() ^ other.keys())} is in one only"
    largest = 0.0
    for name, value in one.items():
        if not (isinstance(value, Tensor) and isinstance(other[name], Tensor)):
            if value != other[name]:
                return f"{name} differs"
            continue
        if value.shape != other[name].shape:
            return f"another network: {name} has another shape"
        if torch.equal(value, other[name]):
            continue
        apart = (value.double() - other[name].double()).abs()
        # where both are NaN nothing differs
        apart = apart[~(value.isnan() & other[name].isnan())] if value.is_floating_point() else apart
        largest = max(largest, float(apart.nan_to_num(nan=float("inf")).max()) if len(apart.flatten()) else 0.0)
    return "equal" if largest == 0 else f"largest {largest:.3g}"


def _versions(before: Result, after: Result) -> Iterator[Row]:
    names = [name for name in before.versions if before.versions[name] != after.versions.get(name)]
    if not names:
        yield Row("versions", f"{len(before.versions)} packages", "", "equal")
    for name in itertools.islice(names, _SHOWN):
        yield _plain(name, before.versions[name], after.versions.get(name))


def _data(one: RunDir, other: RunDir) -> Iterator[Row]:
    """Of a table whether its file is the same, wherever it lies, and what was learnt of its columns."""
    before, after = (
        {name: value for name, value in (run.data_record() or {}).items() if name != "path"} for run in (one, other)
    )
    files = [record.pop("sha256", None) for record in (before, after)]
    if before or after:
        same = before == after
        verdict = "equal" if same else "differs: the table is not the one of then"
        yield Row("columns", "data.json", "data.json", verdict)
    if any(files):
        row = _plain("file of data", *(None if each is None else str(each)[:10] for each in files))
        yield row._replace(verdict="differs: the table is not the one of then") if row.verdict == "differs" else row


def _code(one: RunDir, other: RunDir, before: Result, after: Result) -> Row:
    was, now = _commit(before), _commit(after)
    if was is not None and was == now:
        then, here = patch_of(one.path), patch_of(other.path)
        if (then is None) != (here is None):
            return Row("commit", was, now, "not known: one has no code.patch")
        if then != here:
            return Row("commit", was, now, "other changes (code.patch)")
        if then is not None and not is_whole(then):
            return Row("commit", was, now, "not known: code.patch lacks files")
    return _plain("commit", was, now)


def _commit(result: Result) -> str | None:
    commit = result.git and result.git.get("commit")
    if not commit:
        return None
    return f"{str(commit)[:10]}{' and changes' if result.git and result.git.get('dirty') else ''}"


def _plain(what: str, before: str | None, after: str | None) -> Row:
    verdict = "not known" if before is None or after is None else "equal" if before == after else "differs"
    return Row(what, before or "not known", after or "not known", verdict)
