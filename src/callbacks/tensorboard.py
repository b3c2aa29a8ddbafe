"""What TensorBoard shows beside curves and pictures: precision-recall curves, histograms, hyper-parameters."""

from collections.abc import Mapping, Sequence

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams as hparams_summaries

from src.callbacks.every_few_epochs import EveryFewEpochs
from src.compat.tensorboard import file_writer
from src.data.base import InMemoryDataModule
from src.pictures.subject import Subject
from src.plots.plane import class_probs
from src.tasks.base import Task


def writers(trainer: pl.Trainer) -> list[SummaryWriter]:
    """Those of all TensorBoard loggers; none in a process that keeps no records."""
    if not trainer.is_global_zero:
        return []
    return [logger.experiment for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]


def add_png(writer: SummaryWriter, tag: str, png: bytes, shape: tuple[int, ...], *, step: int) -> None:
    """Add a picture as it stands; `SummaryWriter.add_image` would resample and pack it once more, which takes longer.

    Args:
        writer: Where to.
        tag: Name of the picture.
        png: The file's content.
        shape: Height and width in pixels, then anything.
        step: Epoch.
    """
    image = Summary.Image(height=shape[0], width=shape[1], colorspace=3, encoded_image_string=png)
    file_writer(writer).add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def add_graph(writer: SummaryWriter, graph: GraphDef) -> None:
    """Add a graph that has been traced already."""
    file_writer(writer).add_event(Event(graph_def=graph.SerializeToString()))


def write_hparams(
    logger: TensorBoardLogger, hparams: Mapping[str, float | str], metrics: Mapping[str, float], *, step: int
) -> None:
    """Fill a run's row of the HParams tab.

    Lightning and PyTorch put a description of the whole experiment beside it, of which TensorBoard reads one at random:
    it then knows neither the hyper-parameters that only other runs have, nor the range of any, nor which of them
    differ. Without a description it looks at all runs and finds out.

    Args:
        logger: Of the run.
        hparams: Values by dotted key.
        metrics: Final values by name.
        step: Epoch of the metrics.
    """
    logger.hparams.update(hparams)
    logger.log_metrics(metrics, step)
    _, *session = hparams_summaries(dict(hparams), dict(metrics))  # type: ignore[no-untyped-call]
    for summary in session:
        file_writer(logger.experiment).add_summary(summary, step)


class PrecisionRecallCurves(Callback):
    """For each class, precision and recall on the test part at every threshold of its probability."""

    needs_task = True
    content_with_blocks = True

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw once the tested weights are those that stay."""
        assert isinstance(pl_module, Task)
        datamodule: InMemoryDataModule = trainer.datamodule  # type: ignore[attr-defined]  # the task has checked it
        add_precision_recall(writers(trainer), Subject(pl_module, datamodule), step=trainer.current_epoch)


def add_precision_recall(open_writers: Sequence[SummaryWriter], subject: Subject, *, step: int) -> None:
    """Add a curve per class; there are none of a regression."""
    spec = subject.task.spec
    if spec.task == "regression" or not open_writers:
        return
    points, labels = subject.test
    probs = class_probs(subject.predict, points, len(spec.class_names))
    for writer in open_writers:
        for k, name in enumerate(spec.class_names):
            writer.add_pr_curve(f"test/precision_recall/{name}", labels == k, probs[:, k], step)


class Histograms(EveryFewEpochs):
    """Distributions of all weights and of their last gradients.

    Args:
        every_n_epochs: As in `EveryFewEpochs`.
    """

    wants_gradients = True

    def show(self, trainer: pl.Trainer, task: Task) -> None:
        """Write those of this epoch; values that are not finite have no place on the axis, and are left out."""
        for writer in writers(trainer):
            for name, weight in task.net.named_parameters():
                for kind, values in (("weights", weight), ("gradients", weight.grad)):
                    finite = values.detach()[values.isfinite()] if values is not None else torch.empty(0)
                    if len(finite):
                        writer.add_histogram(f"{kind}/{name}", finite, task.epoch)
