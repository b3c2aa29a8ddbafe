"""Option files of `conf/`, as several tests read them."""

from omegaconf import DictConfig, OmegaConf

from src.config.compose import CONF_DIR

TASK_OF = {"circles": "binary", "blobs": "multiclass", "line": "regression"}
DATA_OF = {task: data for data, task in TASK_OF.items()}


def options(group: str) -> list[str]:
    """Names of a group's options."""
    folder = CONF_DIR / group
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.yaml"))


def stored(group: str, option: str) -> DictConfig:
    """What an option's file holds."""
    node = OmegaConf.load(CONF_DIR / group / f"{option}.yaml")
    assert isinstance(node, DictConfig)
    return node
