"""A callback of one's own that fails in one of several processes only."""

from typing import Any

import lightning.pytorch as pl


class FailsOnRankOne(pl.Callback):
    """Raises in the second process.

    Args:
        hook: Name of the hook that raises.
    """

    def __init__(self, hook: str) -> None:
        setattr(self, hook, self._fail)

    def _fail(self, trainer: pl.Trainer, *_: Any, **__: Any) -> None:
        if trainer.global_rank == 1:
            raise ValueError("only the second process has this fault")
