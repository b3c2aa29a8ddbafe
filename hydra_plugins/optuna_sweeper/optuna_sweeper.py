"""What Hydra finds. It imports every plugin at every start, so all that takes time is imported once a sweep begins."""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class OptunaSweeper(Sweeper):
    """Ask Optuna for the overrides of the next jobs, launch them, tell it what they measured.

    Args:
        **options: As in conf/hydra/sweeper/optuna.yaml; checked when the sweep begins.
    """

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.hydra_context: HydraContext | None = None
        self.config: DictConfig | None = None
        self.launcher: Launcher | None = None

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Take what Hydra has composed, and make the launcher."""
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Search until the study holds as many trials as asked for.

        Args:
            arguments: Overrides of the command line, without Hydra's own.

        Raises:
            ConfigError: If options or search space are wrong, or differ from those of the study.
        """
        from hydra_plugins.optuna_sweeper._core import sweep

        return sweep(self, arguments)
