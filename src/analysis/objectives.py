"""What a sweep has chosen by."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from src.config.metrics import split_of
from src.run.reading import PARSE_ERRORS, UnreadableError, read_yaml


def read_objectives(sweep_dirs: Sequence[Path]) -> dict[str, bool | None]:
    """Objectives of a search in their order: whether less is better, None where the metric's name is to tell.

    Empty if there is no search, or it has none of its own, or several that are read together had others.
    """
    found = [_read(sweep_dir) for sweep_dir in sweep_dirs]
    return found[0] if found and all(list(each.items()) == list(found[0].items()) for each in found) else {}


def is_search(sweep_dirs: Sequence[Path]) -> bool:
    """Whether one of the directories holds a search."""
    return any("optuna" in str(_sweeper(sweep_dir).get("_target_")) for sweep_dir in sweep_dirs)


def by_test(metrics: Sequence[str]) -> list[str]:
    """Those of the metrics that are measured on the test part."""
    return [metric for metric in metrics if split_of(metric)[0] == "test"]


def given_objectives(given: Any) -> dict[str, bool | None]:
    """Read a value of `hydra.sweeper.objectives`; what is no such value has none."""
    if isinstance(given, Mapping):
        return {str(metric): {"minimize": True, "maximize": False}.get(str(way)) for metric, way in given.items()}
    names = [given] if isinstance(given, str) else given if isinstance(given, Sequence) else []
    return dict.fromkeys(map(str, names))


def _read(sweep_dir: Path) -> dict[str, bool | None]:
    return given_objectives(_sweeper(sweep_dir).get("objectives"))


def _sweeper(sweep_dir: Path) -> Mapping[str, Any]:
    """The sweeper's node of the command that ran there; empty where nothing tells."""
    try:
        node = read_yaml(sweep_dir / "multirun.yaml", instead="its objectives are not known")["hydra"]["sweeper"]
    except (OSError, UnreadableError, *PARSE_ERRORS):
        return {}
    return node if isinstance(node, Mapping) else {}
