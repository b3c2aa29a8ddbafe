"""All pictures of a run by name: what each needs, and how it is drawn."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from src.config.errors import ConfigError, suggest
from src.models.activations import ACTIVATIONS
from src.pictures.subject import Subject
from src.plots.activations import Curve, activations_figure
from src.plots.boundary import boundary_figure
from src.plots.calibration import calibration_figure
from src.plots.confusion import confusion_figure
from src.plots.curves import curves_figure
from src.plots.folds import folds_figure
from src.plots.probabilities import probabilities_figure
from src.plots.regression import predictions_figure, residuals_figure
from src.plots.units import units_figure
from src.run.metrics import read_metrics
from src.tasks.metrics.calibration import binned, confidences_of


class Picture(NamedTuple):
    """A picture.

    Attributes:
        needs: What it can be drawn of, in words.
        fits: Whether a subject is that.
        draw: Draws it.
    """

    needs: str
    fits: Callable[[Subject], bool]
    draw: Callable[[Subject], Figure]


def draw_fitting(subject: Subject, names: Iterable[str]) -> Iterator[tuple[str, Figure]]:
    """Draw one after the other the pictures of these names that fit."""
    for name in names:
        if PICTURES[name].fits(subject):
            yield name, PICTURES[name].draw(subject)


def needs(name: str) -> str:
    """What a picture can be drawn of, in words."""
    return (
        "frames in plots/frames, which callbacks.boundary_frames.save=true keeps"
        if name == "gif"
        else PICTURES[name].needs
    )


def check_names(key: str, names: str | Iterable[str], *more: str) -> list[str]:
    """Read names of pictures, and refuse one that there is not.

    Args:
        key: The configuration key that holds them.
        names: One or several.
        *more: Names that are allowed beside those of all pictures.

    Raises:
        ConfigError: If a name is unknown.
    """
    allowed, given = [*PICTURES, *more], [names] if isinstance(names, str) else list(names)
    for name in given:
        if name not in allowed:
            raise ConfigError(f"{key} holds {name!r}, which is no picture; {suggest(str(name), allowed)}")
    return given


def activation_sheet(*, title: str = "Activations, from PyTorch and written by hand") -> Figure:
    """Draw every activation that a network can have, with the twins that are written by hand."""
    x = torch.linspace(-4, 4, 321)
    drawn = {name: _curve(make(), x) for name, make in ACTIVATIONS.items()}
    twins = {name.removeprefix("handmade_"): drawn.pop(name) for name in list(drawn) if name.startswith("handmade_")}
    return activations_figure(x.double().numpy(), drawn, twins, title=title)


def _curve(function: Callable[[Tensor], Tensor], x: Tensor) -> Curve:
    leaf = x.clone().requires_grad_()
    value = function(leaf)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return Curve(value.detach().double().numpy(), slope.double().numpy())


def _predictions(subject: Subject) -> Figure:
    (train_x, train_y), (test_x, test_y) = subject.train, subject.test
    x = np.sort(np.concatenate([train_x, test_x]), axis=0)
    return predictions_figure(
        (train_x[:, 0], train_y[:, 0]),
        (test_x[:, 0], test_y[:, 0]),
        (x[:, 0], subject.predict(x)[:, 0]),
        feature_name=subject.task.spec.feature_names[0],
        target_name=subject.task.spec.class_names[0],
        title=subject.title,
    )


def _residuals(subject: Subject) -> Figure:
    spec = subject.task.spec
    parts = []
    for x, y in (subject.train, subject.test):
        predicted = subject.predict(x)[:, 0]
        parts.append((x[:, 0] if spec.n_features == 1 else predicted, y[:, 0] - predicted))
    return residuals_figure(
        *parts,
        place_name=spec.feature_names[0] if spec.n_features == 1 else "prediction",
        target_name=spec.class_names[0],
        title=subject.title,
    )


def _confusion(subject: Subject) -> Figure:
    counts = subject.task.confusion["test"]
    assert counts is not None
    return confusion_figure(counts.cpu().numpy(), subject.task.spec.class_names, title=subject.title)


def _calibration(subject: Subject) -> Figure:
    x, y = subject.test
    probs, labels = torch.from_numpy(subject.predict(x)), torch.from_numpy(y).long()
    sums = binned(*confidences_of(probs, labels)).numpy()
    # torchmetrics counts a confidence of exactly 1 in a bin of its own, whose bar would hide that of its neighbours
    sums = np.concatenate([sums[:, :-2], sums[:, -2:].sum(1, keepdims=True)], axis=1)
    names = subject.task.spec.class_names
    two = len(names) == 2
    return calibration_figure(
        sums,
        what=f"probability of {names[1]}" if two else "probability of the answer",
        happens=f"share of {names[1]}" if two else "share of right answers",
        title=subject.title,
    )


def _curves(subject: Subject) -> Figure:
    assert subject.run is not None
    history = {name: np.array(column) for name, column in read_metrics(subject.run.metrics_file).items()}
    try:
        return curves_figure(history, title=subject.title, best_epoch=subject.best_epoch)
    except ValueError as error:
        raise ConfigError(f"{subject.run.metrics_file} holds no learning curves: {error}") from error


def _is_plane(subject: Subject) -> bool:
    return subject.task.spec.task != "regression" and subject.task.spec.n_features == 2


def _has_hidden(subject: Subject) -> bool:
    return hasattr(subject.task.net, "hidden_layers")


PICTURES: dict[str, Picture] = {
    "boundary": Picture(
        "a classification of two features",
        _is_plane,
        lambda it: boundary_figure(it.predict, it.train, it.test, **it.names),
    ),
    "predictions": Picture(
        "a regression of one feature",
        lambda it: it.task.spec.task == "regression" and it.task.spec.n_features == 1,
        _predictions,
    ),
    "residuals": Picture("a regression", lambda it: it.task.spec.task == "regression", _residuals),
    "confusion": Picture(
        "a classification that has been tested", lambda it: it.task.confusion.get("test") is not None, _confusion
    ),
    "calibration": Picture(
        "a classification", lambda it: it.task.spec.task != "regression" and len(it.test[0]) > 0, _calibration
    ),
    "probabilities": Picture(
        "a classification of two features",
        _is_plane,
        lambda it: probabilities_figure(it.predict, it.train, **it.names),
    ),
    "curves": Picture(
        "the metrics.csv that logger=csv writes",
        lambda it: it.run is not None and it.run.metrics_file.is_file(),
        _curves,
    ),
    "folds": Picture(
        "a classification of two features by a network with a method hidden_layers, such as src.models.mlp.MLP",
        lambda it: _is_plane(it) and _has_hidden(it),
        lambda it: folds_figure(it.predict, it.hidden, it.train, **it.names),
    ),
    "units": Picture(
        "two features, and a network with a method hidden_layers and a hidden layer, such as src.models.mlp.MLP",
        lambda it: it.task.spec.n_features == 2 and _has_hidden(it) and bool(it.hidden(it.train[0][:1])),
        lambda it: units_figure(it.hidden, it.train[0], feature_names=it.names["feature_names"], title=it.title),
    ),
    "activations": Picture("nothing", lambda _: True, lambda _: activation_sheet()),
}
