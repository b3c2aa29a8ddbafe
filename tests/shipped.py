"""The options that this project ships: those that the table of docs/reference/options.md lists.

A user's own stand beside them in conf/ and need not be listed; no test may take them for ours.
"""

import re

from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR
from tests.waiting import ROOT

TASK_OF = {"circles": "binary", "blobs": "multiclass", "line": "regression"}
DATA_OF = {task: data for data, task in TASK_OF.items()}


def groups() -> dict[str, list[str]]:
    """Options of every config group in that table."""
    rows = re.findall(
        r"^\| `(\w+)` \| (.*) \|$", (ROOT / "docs" / "reference" / "options.md").read_text(), re.MULTILINE
    )
    return {group: list(re.findall(r"`([\w/]+)`", text)) for group, text in rows}


def shipped(group: str) -> list[str]:
    """Options of a group."""
    return groups()[group]


def stored(group: str, option: str) -> DictConfig:
    """The file of an option."""
    node = OmegaConf.load(CONF_DIR / group / f"{option}.yaml")
    assert isinstance(node, DictConfig)
    return node
