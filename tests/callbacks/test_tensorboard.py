"""What TensorBoard gets beside curves and pictures."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_score, recall_score
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from src.build import Built, build
from src.callbacks.tensorboard import Histograms, write_hparams
from tests.tasks.runs import small


def trained(*overrides: str, run_dir: Path) -> Built:
    built = build(small("logger=tensorboard", "trainer.max_epochs=8", *overrides, run_dir=run_dir))
    built.trainer.fit(built.task, datamodule=built.datamodule)
    built.trainer.test(built.task, datamodule=built.datamodule, verbose=False)
    return built


def events_of(built: Built, run_dir: Path) -> EventAccumulator:
    for logger in built.loggers:
        logger.finalize("success")
    events = EventAccumulator(str(run_dir / "tensorboard"), size_guidance={"tensors": 0, "histograms": 0})
    events.Reload()
    return events


@pytest.mark.slow
@pytest.mark.parametrize("choices", [("data=circles",), ("data=blobs", "model=mlp")])
def test_precision_and_recall_are_those_of_scikit_learn(choices: tuple[str, ...], tmp_path: Path) -> None:
    built = trained(*choices, "callbacks=default", run_dir=tmp_path)
    events = events_of(built, tmp_path)
    test = built.datamodule.parts.test
    probs = built.task.predict_probs(test.x).numpy()
    for k, name in enumerate(built.task.spec.class_names):
        (event,) = events.Tensors(f"test/precision_recall/{name}")
        precision, recall = make_ndarray(event.tensor_proto)[-2:]
        thresholds = np.linspace(0, 1, len(precision))
        # TensorBoard counts thresholds in steps of 1/126, so a point that lies on one may fall on either side
        for i in (20, 63, 100):
            predicted = np.floor(probs[:, k] * (len(thresholds) - 1)) >= i
            truth = test.y.numpy() == k
            assert precision[i] == pytest.approx(precision_score(truth, predicted, zero_division=0), abs=1e-4)
            assert recall[i] == pytest.approx(recall_score(truth, predicted), abs=1e-4)


def test_a_regression_has_no_precision(tmp_path: Path) -> None:
    built = trained("data=line", "model=line", "callbacks=default", run_dir=tmp_path)
    assert not [tag for tag in events_of(built, tmp_path).Tags()["tensors"] if "precision" in tag]


@pytest.mark.slow
def test_histograms_hold_every_weight_and_gradient_and_are_off_by_default(tmp_path: Path) -> None:
    tags = {}
    for choice in ("default", "histograms"):
        built = trained(f"callbacks={choice}", run_dir=tmp_path / choice)
        tags[choice] = events_of(built, tmp_path / choice).Tags()["histograms"]
    names = [name for name, _ in built.task.net.named_parameters()]
    assert tags["default"] == []
    assert sorted(tags["histograms"]) == sorted(f"{kind}/{name}" for kind in ("weights", "gradients") for name in names)
    histogram = events_of(built, tmp_path / "histograms").Histograms(f"weights/{names[0]}")[-1]
    weight = dict(built.task.net.named_parameters())[names[0]]
    assert histogram.step == 7
    assert histogram.histogram_value.num == weight.numel()
    assert histogram.histogram_value.sum == pytest.approx(weight.sum().item(), abs=1e-5)


def test_histograms_leave_out_what_is_not_finite(tmp_path: Path) -> None:
    built = trained(run_dir=tmp_path)
    first, second, *_ = built.task.net.parameters()
    with torch.no_grad():
        first[0, 0] = torch.inf
        second.fill_(torch.nan)
    Histograms(every_n_epochs=None).show(built.trainer, built.task)
    events = events_of(built, tmp_path)
    names = [name for name, _ in built.task.net.named_parameters()]
    assert events.Histograms(f"weights/{names[0]}")[0].histogram_value.num == first.numel() - 1
    assert f"weights/{names[1]}" not in events.Tags()["histograms"]


def test_hparams_come_without_a_description_of_the_experiment(tmp_path: Path) -> None:
    # TensorBoard would read one run's, and know nothing of the others: neither ranges, nor what differs
    built = trained(run_dir=tmp_path)
    (logger,) = built.loggers
    write_hparams(logger, {"optimizer.lr": 0.1, "optimizer": "SGD"}, {"test/loss": 0.5}, step=8)  # type: ignore[arg-type]
    events = events_of(built, tmp_path)
    assert sorted(events.PluginTagToContent("hparams")) == [
        "_hparams_/session_end_info",
        "_hparams_/session_start_info",
    ]
    (scalar,) = events.Scalars("test/loss")
    assert (scalar.step, scalar.value) == (8, 0.5)
