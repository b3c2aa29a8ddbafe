"""A configuration without a mistake, and which other values would be none in it; a sweep has thousands alike."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from src.config.allowed import refusal
from src.config.schema import kinds

# What else is allowed depends on these.
_DECIDING = frozenset({"module", "trainer.max_time", "trainer.max_steps"})


class Sound:
    """Knows what each key takes.

    Args:
        cfg: In which `src.config.schema.check` finds nothing, without the `hydra` node.
    """

    def __init__(self, cfg: DictConfig) -> None:
        self._kinds = kinds(cfg)

    def allows(self, values: Mapping[str, Any]) -> bool:
        """Whether `check` would find nothing with other values at some keys.

        Args:
            values: By key, without references.

        Returns:
            False also where only `check` can tell.
        """
        return all(self._takes(key, value) for key, value in values.items())

    def _takes(self, key: str, value: Any) -> bool:
        is_plain = not key.rpartition(".")[2].startswith("_") and key not in _DECIDING and value != "???"
        return is_plain and key in self._kinds and not refusal(key, value, self._kinds[key])
