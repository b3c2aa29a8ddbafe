"""A rebuilt network with its preprocessing, or several as an ensemble, as one object."""

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from src.build import Built, build, build_data, build_task
from src.checks.targets import check_targets
from src.config.errors import ConfigError
from src.data.base import InMemoryDataModule
from src.data.spec import DataSpec
from src.data.table.encoding import Encoder
from src.data.table.module import TableDataModule
from src.data.table.reading import Table, first_words
from src.measure import load_weights
from src.run.directory import RunDir
from src.run.reading import UnreadableError
from src.tasks.base import Task
from src.tasks.temperature import stored_temperature
from src.use.columns import Columns, by_name, identity

log = logging.getLogger(__name__)

Kind = Literal["classes", "numbers", "outputs"]

# Rows of a call of the network: more brings no speed, only memory.
_ROWS = 65_536

# Of weights that are not of 32 bits.
_WIDTHS = {"64": torch.float64, "64-true": torch.float64, "bf16-true": torch.bfloat16, "16-true": torch.float16}


@dataclass(frozen=True)
class Predicted:
    """What is known of rows.

    Attributes:
        values: Probabilities (n, k) of the classes, or numbers (n, o), float64.
        labels: Numbers (n,) of the likeliest classes; None where there are no classes.
        spread: Standard deviation between members of an ensemble, of the predicted class's probability (n, 1) or of
            each number (n, o); NaN where there is one member. None where there is no ensemble.
    """

    values: NDArray[np.float64]
    labels: NDArray[np.int64] | None
    spread: NDArray[np.float64] | None

    def only(self, rows: NDArray[np.bool_]) -> "Predicted":
        """Some of the rows (n,)."""
        return Predicted(*(None if each is None else each[rows] for each in vars(self).values()))  # type: ignore[arg-type] # in their order


@dataclass(frozen=True)
class Member:
    """One network with its preprocessing.

    Attributes:
        run: Its directory.
        encoder: From columns to its inputs.
        spec: What its data hold.
        task: The network, with what its outputs mean.
        weights: Which weights it has, in the words of tables.
        datamodule: Its data, none of which are made yet.
        temperature: Divides the outputs of a classification before they become probabilities.
    """

    run: RunDir
    encoder: Encoder
    spec: DataSpec
    task: pl.LightningModule
    weights: str
    datamodule: InMemoryDataModule
    temperature: float = 1.0

    @torch.no_grad()
    def outputs(self, x: NDArray[np.float32]) -> Tensor:
        """Outputs (n, o) of inputs (n, f), before they become probabilities."""
        parameter = next(self.task.parameters(), torch.zeros(0))
        pieces = [
            self._called(torch.from_numpy(x[start : start + _ROWS]).to(parameter))
            for start in range(0, max(1, len(x)), _ROWS)
        ]
        return torch.cat(pieces)

    def _called(self, x: Tensor) -> Tensor:
        if isinstance(self.task, Task):
            outputs: Tensor = self.task.net.forward(x)
            return outputs
        try:
            found = self.task.predict_step(x, 0)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise self._refused(f"does not take inputs {tuple(x.shape)}: {why}") from error
        if not isinstance(found, Tensor) or found.ndim not in (1, 2) or len(found) != len(x):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise self._refused(f"gives {shape} for inputs {tuple(x.shape)}; a tensor (n,) or (n, o) is asked for")
        return found.unsqueeze(1) if found.ndim == 1 else found

    def _refused(self, why: str) -> ConfigError:
        return ConfigError(f"run={self.run.path}: predict_step of its module {type(self.task).__name__} {why}")

    def predict(self, x: NDArray[np.float32]) -> Predicted:
        """Probabilities, labels and values of inputs (n, f)."""
        outputs = self.outputs(x)
        if not isinstance(self.task, Task) or self.spec.task == "regression":
            return Predicted(outputs.double().numpy(), None, None)
        # of logits that are not rounded to probabilities
        labels = self.task.preds(outputs).numpy()
        return Predicted(self.task.probs(outputs.double() / self.temperature).numpy(), labels, None)


class Model:
    """Networks that take the same columns and tell the same classes; one of them, or an ensemble.

    Args:
        members: The networks.
        is_ensemble: Whether the spread between them is told.

    Raises:
        ConfigError: If they do not fit together.
    """

    def __init__(self, members: Sequence[Member], *, is_ensemble: bool = False) -> None:
        self.members, self.is_ensemble = tuple(members), is_ensemble
        first = members[0]
        kinds = _kinds(first.encoder)
        for each in members[1:]:
            if each.spec.class_names != first.spec.class_names or each.spec.task != first.spec.task:
                raise ConfigError(
                    f"{each.run.path} predicts {first_words(each.spec.class_names)}, and {first.run.path} "
                    f"{first_words(first.spec.class_names)}: they are no ensemble"
                )
            if _kinds(each.encoder) != kinds:
                raise ConfigError(f"{each.run.path} and {first.run.path} take other columns: they are no ensemble")
        self.columns = Columns([each.encoder for each in members])

    @property
    def spec(self) -> DataSpec:
        """What the data of the first network hold."""
        return self.members[0].spec

    @property
    def kind(self) -> Kind:
        """What is predicted; ``outputs`` of a module of one's own, whose meaning nobody tells."""
        if not isinstance(self.members[0].task, Task):
            return "outputs"
        return "numbers" if self.spec.task == "regression" else "classes"

    @property
    def is_double(self) -> bool:
        """Whether numbers are known in 64 bits."""
        return all(next(each.task.parameters(), torch.zeros(0)).dtype == torch.float64 for each in self.members)

    @property
    def decimal(self) -> str:
        """What stands before the decimals of numbers in the file that the first run has learnt from."""
        return str(getattr(self.members[0].datamodule, "decimal", "."))

    def predict(self, table: Table) -> Predicted:
        """What rows are, that `Columns.look` has found to be whole; of an ensemble by the mean."""
        found = [each.predict(each.encoder.encode(table, tells_new=False)) for each in self.members]
        if not self.is_ensemble:
            return found[0]
        every = np.stack([each.values for each in found])
        mean = every.mean(axis=0)
        labels = mean.argmax(axis=1) if self.kind == "classes" else None
        chosen = every if labels is None else np.take_along_axis(every, labels[None, :, None], axis=2)
        spread = chosen.std(axis=0, ddof=1) if len(found) > 1 else np.full(chosen.shape[1:], np.nan)
        return Predicted(mean, labels, spread)


def _kinds(encoder: Encoder) -> dict[str, str]:
    return {name: column.kind for name, column in by_name(encoder).items()}


def rebuilt(run: RunDir, *, checkpoint: str | None = None, trusted: Sequence[str] = ()) -> Member:
    """Build a run's network again from its directory alone; no data are read or drawn, and nothing trains.

    Args:
        run: Its directory.
        checkpoint: ``best``, ``last`` or a path; None for the one that the run has tested.
        trusted: Packages of the user's own that its configuration may name.

    Raises:
        ConfigError: If the directory or the checkpoint is not what it should be, or nothing tells the columns.
    """
    cfg = run.config(trusted=trusted)
    check_targets(cfg, trusted=trusted)
    _refuse_no_result(run)
    cfg.compile = False
    with generators_kept():
        path = run.checkpoint(checkpoint or run.tested(cfg))
        if cfg.get("module") is not None:
            return _of_module(run, cfg, path)
        return _of_task(run, cfg, path)


def _refuse_no_result(run: RunDir) -> None:
    """Refuse a run of which nothing readable tells how it has ended, and say of one that has not completed.

    Raises:
        ConfigError: If its result cannot be read, or is that of another run.
    """
    try:
        result = run.result()
    except UnreadableError as error:
        raise ConfigError(f"run={run.path} is no whole run: {error}") from error
    if result is None or result.status != "completed":
        how = "has not ended" if result is None else {"pruned": "was ended early"}.get(result.status, "has failed")
        log.warning("run=%s %s: its weights are those that it had until then", run.path, how)


def _of_task(run: RunDir, cfg: DictConfig, path: Path) -> Member:
    if OmegaConf.select(cfg, "loss.class_weights") == "balanced":
        # without a count of the rows of each class, which no prediction asks for; the checkpoint holds the weights
        cfg.loss.class_weights = None
        balanced = True
    else:
        balanced = False
    datamodule = build_data(cfg, run=run)
    encoder, spec = _encoding(datamodule)
    if balanced:
        cfg.loss.class_weights = [1.0] * len(spec.class_names)
    task = build_task(cfg, spec)
    task.to(_WIDTHS.get(str(cfg.trainer.get("precision")), torch.float32))
    weights = load_weights(task, path)
    task.eval().requires_grad_(False)  # noqa: FBT003 - torch's signature
    return Member(run, encoder, spec, task, weights, datamodule, _temperature(run, weights))


def _temperature(run: RunDir, weights: str) -> float:
    """The temperature that was fitted for these weights; 1 where there is none."""
    try:
        return stored_temperature(run, weights=weights) or 1.0
    except UnreadableError as error:
        log.warning("%s; probabilities are those of the network itself", error)
        return 1.0


def _of_module(run: RunDir, cfg: DictConfig, path: Path) -> Member:
    """A LightningModule of one's own, where its data tell the names of columns."""
    built: Built = build(cfg, evaluate_only=True)
    if not isinstance(built.datamodule, InMemoryDataModule):
        raise ConfigError(
            f"run={run.path}: its data, {type(built.datamodule).__name__}, do not tell which columns its module "
            f"{type(built.task).__name__} takes; allowed: runs of this project's tasks, and modules whose data are an "
            "InMemoryDataModule with a spec. Lightning's own load_from_checkpoint opens the others"
        )
    if isinstance(built.datamodule, TableDataModule) and (record := run.data_record()) is not None:
        built.datamodule.use(record)
    encoder, spec = _encoding(built.datamodule)
    module = built.task
    try:
        # where it may make its layers
        module.configure_model()
        module.setup("predict")
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigError(f"run={run.path}: its module {type(module).__name__} cannot be set up: {why}") from error
    try:
        weights = load_weights(module, path)
    except ConfigError as error:
        raise ConfigError(str(error).replace("than model.net describes", "than module describes")) from error
    module.eval().requires_grad_(False)  # noqa: FBT003 - torch's signature
    return Member(run, encoder, spec, module, weights, built.datamodule)


def _encoding(datamodule: Any) -> tuple[Encoder, DataSpec]:
    if isinstance(datamodule, TableDataModule):
        return datamodule.learnt
    return identity(datamodule.spec.feature_names), datamodule.spec


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave the global generators as they are, which a script that loads a model may have seeded."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
