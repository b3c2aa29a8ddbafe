"""What loggers are told once a run is over."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.fabric.loggers.tensorboard import TensorBoardLogger as PlainTensorBoardLogger
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.loggers.logger import Logger
from omegaconf import DictConfig

from src.callbacks.metrics_csv import MetricsCSV
from src.callbacks.tensorboard import write_hparams
from src.config.keys import counts, flatten
from src.run.files import to_yaml, write_atomically

# Where TensorBoard shows what a run has come to.
FINAL = "whole"


def tell_loggers(
    cfg: DictConfig | Mapping[str, Any],
    loggers: Sequence[Logger],
    metrics: Mapping[str, float],
    *,
    step: int,
    resolved: Mapping[str, Any] | None = None,
) -> None:
    """Give every logger the hyper-parameters; TensorBoard shows them with the final metrics and the whole config.

    Args:
        cfg: A composed configuration, or the same as plain containers with their references.
        loggers: What has recorded the run.
        metrics: Its final metrics.
        step: Number of epochs that it has trained.
        resolved: ``cfg`` as plain containers without references, where they are at hand.
    """
    if all(isinstance(logger, MetricsCSV) for logger in loggers):
        # they leave all this to the files beside their tables
        for logger in loggers:
            logger.finalize("success")
        return
    flat = flatten(resolved or cfg, resolve=True)
    leaves = {key: value for key, value in flat.items() if counts(key, "show")}
    # a swept group such as optimizer=sgd,adam shows as the class that it stands for
    named = {key.removesuffix("._target_"): _class_name(key, value) for key, value in leaves.items()}
    hparams = {k: v if isinstance(v, (int, float, str)) else str(v) for k, v in named.items() if "._" not in k}
    # under a name of their own, which TensorBoard sorts behind the curves of train and val
    final = {f"{FINAL}/{name}": value for name, value in metrics.items()}
    text = "\n".join(f"{key}: {value}" for key, value in flat.items())
    for logger in loggers:
        if isinstance(logger, TensorBoardLogger):
            logger.experiment.add_text("config", f"```yaml\n{text}\n```")
            write_hparams(logger, hparams, final, step=step)
            # before the logger does, in a tenth of the time
            write_atomically(Path(logger.log_dir) / logger.NAME_HPARAMS_FILE, to_yaml(hparams).encode())
        else:
            logger.log_hyperparams(hparams)
        _finish(logger)


def _finish(logger: Logger) -> None:
    if type(logger) is TensorBoardLogger:
        # Lightning's own would look for the file of hyper-parameters, which may still wait to be put into its place,
        # and write it once more
        PlainTensorBoardLogger.finalize(logger, "success")
    else:
        logger.finalize("success")


def _class_name(key: str, value: Any) -> Any:
    return value.rsplit(".", 1)[-1] if key.endswith("._target_") else value
