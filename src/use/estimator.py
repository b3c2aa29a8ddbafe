"""Finished runs in Python: called with points, or as estimators of scikit-learn that are fitted already."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from src.config.errors import ConfigError
from src.config.stored import trusted_modules as all_trusted
from src.data.table.reading import Table
from src.use.columns import Columns
from src.use.ensemble import opened
from src.use.model import Model, Predicted

log = logging.getLogger(__name__)


class Loaded(BaseEstimator):  # type: ignore[misc] # scikit-learn is untyped
    """A finished run, or a sweep's group as an ensemble; a copy (`sklearn.base.clone`) opens the same directory again.

    Points are an array or tensor (n, c) of the columns of the run's data in their order, or columns by name: a mapping,
    or a frame of Polars or pandas, in any order and with any others beside them.

    Args:
        run: Directory of a run or a sweep.
        checkpoint: ``best``, ``last`` or a path; None for the one that the run has tested.
        group: Group of a sweep, as its report names it; None for the only one.
        trusted_modules: Packages of your own that the run's configuration may name.
    """

    def __init__(
        self,
        run: str | Path,
        checkpoint: str | None = None,
        group: str | None = None,
        trusted_modules: Sequence[str] | str = (),
    ) -> None:
        self.run, self.checkpoint, self.group, self.trusted_modules = run, checkpoint, group, trusted_modules

    @property
    def model(self) -> Model:
        """The networks; opened when they are first asked for.

        Raises:
            ConfigError: If the directory is not what it should be.
        """
        asked = (str(self.run), self.checkpoint, self.group, tuple(all_trusted(self.trusted_modules)))
        if self.__dict__.get("_opened", (None,))[0] != asked:
            directory, checkpoint, group, trusted = asked
            model = opened(Path(directory).expanduser(), checkpoint=checkpoint, group=group, trusted=trusted)
            self.__dict__["_opened"] = (asked, model)
        found: Model = self.__dict__["_opened"][1]
        return found

    def __getstate__(self) -> dict[str, Any]:
        # opened again where it is unpickled: a pickle would hold what checkpoints are refused for
        return {name: value for name, value in super().__getstate__().items() if name != "_opened"}

    def __sklearn_is_fitted__(self) -> bool:
        """It has been trained."""
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = any(each[0].kind == "category" for each in self.model.columns.encodings.values())
        return tags

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the run's order, in which a call gives their probabilities; or of the numbers."""
        return self.model.spec.class_names

    @property
    def n_features_in_(self) -> int:
        """Number of columns that it takes."""
        return len(self.model.columns.names)

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Their names (c,)."""
        return np.array(self.model.columns.names, dtype=object)

    def fit(self, X: Any = None, y: Any = None, **more: Any) -> Any:  # noqa: N803 - scikit-learn's names
        """Refused: a run is trained by ``python -m src.train``. Without it scikit-learn takes this for no estimator.

        Raises:
            NotImplementedError: Always, as scikit-learn's own do for what they cannot.
        """
        raise NotImplementedError(
            f"{type(self).__name__} is the finished run {self.run}, and is not fitted again. Where a tool of "
            "scikit-learn calls fit, wrap it: sklearn.frozen.FrozenEstimator(model); python -m src.train trains"
        )

    def __call__(self, points: Any) -> NDArray[np.float64]:
        """Probabilities (n, k) of the classes in the order of `class_names`, or values (n, o), of points (n, c).

        Raises:
            ValueError: If the points lack a column, or hold something that cannot be used; names row and column.
        """
        return self._predicted(points).values

    def spread(self, points: Any) -> NDArray[np.float64]:
        """Standard deviation between the members of an ensemble (n, 1) or (n, o), as `src.predict` writes it.

        Raises:
            ValueError: If it is no ensemble, or the points cannot be used.
        """
        found = self._predicted(points).spread
        if found is None:
            raise ValueError(f"{self.run} is a single run; an ensemble is a sweep, or a group of one")
        return found

    def _predicted(self, points: Any) -> Predicted:
        columns = self.model.columns
        try:
            looked = columns.look(Table(_frame(points, columns, type(self).__name__), 0, "X"))
        except ConfigError as error:
            raise ValueError(str(error)) from None
        if looked.bad.any():
            first = min(looked.problems)
            raise ValueError(f"X: {first.text} ({int(looked.bad.sum()):,} of {len(looked.bad):,} rows cannot be used)")
        for name, (n, word) in looked.new.items():
            log.warning("column %r holds categories that training did not have (rows: %s), such as %r", name, n, word)
        return self.model.predict(looked.table)


class Classifier(ClassifierMixin, Loaded):  # type: ignore[misc]
    """A finished classification.

    Tools of scikit-learn take it for granted that classes are sorted: so are `classes_`, and the columns of
    `predict_proba`. A call keeps the run's order.
    """

    @property
    def classes_(self) -> NDArray[Any]:
        """Names (k,) of the classes, sorted; whole numbers where all of them are."""
        found: NDArray[Any] = np.sort(self._named)
        return found

    @property
    def _named(self) -> NDArray[Any]:
        """Names in the run's order."""
        names = self.class_names
        return np.array([int(name) for name in names]) if all(_is_whole(name) for name in names) else np.array(names)

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Names (n,) of the likeliest classes of points (n, c)."""
        labels = self._predicted(X).labels
        assert labels is not None
        return self._named[labels]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Probabilities (n, k) of points (n, c), in the order of `classes_`."""
        return self(X)[:, np.argsort(self._named)]

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Their logarithms (n, k)."""
        with np.errstate(divide="ignore"):
            found: NDArray[np.float64] = np.log(self.predict_proba(X))
        return found


class Regressor(RegressorMixin, Loaded):  # type: ignore[misc]
    """A finished regression, or a module of one's own, whose outputs are given as they are."""

    def predict(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Values (n,) or (n, o) of points (n, c)."""
        values = self(X)
        return values[:, 0] if values.shape[1] == 1 else values


def as_it_is(found: Regressor) -> Classifier | Regressor:
    """What a run is once it is open: one that predicts classes is a classifier, which opens nothing again."""
    if found.model.kind != "classes":
        return found
    made = Classifier(**found.get_params())
    made.__dict__["_opened"] = found.__dict__["_opened"]
    return made


def _is_whole(name: str) -> bool:
    return name.removeprefix("-").isdecimal() and str(int(name)) == name


def _frame(points: Any, columns: Columns, who: str) -> polars.DataFrame:
    """Points of any kind as columns by name, those that are taken."""
    names = columns.names
    if isinstance(points, Mapping | polars.DataFrame) or (hasattr(points, "columns") and hasattr(points, "iloc")):
        keys = {str(key): key for key in (points if isinstance(points, Mapping) else points.columns)}
        columns.check_names(list(keys), "X")
        found = [_series(name, points[keys[name]]) for name in names]
        if len({len(each) for each in found}) > 1:
            raise ValueError(f"X: its columns differ in length: {', '.join(f'{c.name} {len(c):,}' for c in found)}")
        return polars.DataFrame(found)
    if hasattr(points, "toarray"):
        raise TypeError(f"Sparse data was passed as X, but {who} takes dense points: X.toarray()")
    array = _array(points)
    if array.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead: X has the shape {array.shape}; {who} takes points "
            f"(n, {len(names)}). Reshape your data either using array.reshape(-1, 1) if your data has a single feature "
            "or array.reshape(1, -1) if it contains a single sample"
        )
    if array.shape[1] == 0 or len(array) == 0:
        what = "feature" if array.shape[1] == 0 else "sample"
        raise ValueError(
            f"Found array with 0 {what}(s) (shape={array.shape}) while a minimum of 1 is required by {who}."
        )
    if array.shape[1] != len(names):
        raise ValueError(
            f"X has {array.shape[1]} features, but {who} is expecting {len(names)} features as input: "
            f"{', '.join(names)}"
        )
    return polars.DataFrame([_series(name, array[:, i]) for i, name in enumerate(names)])


def _array(points: Any) -> NDArray[Any]:
    array = points.detach().cpu().numpy() if isinstance(points, torch.Tensor) else np.asarray(points)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: X has the type {array.dtype}")
    return array


def _series(name: str, values: Any) -> polars.Series:
    if isinstance(values, polars.Series):
        return values.rename(name)
    array = _array(values)
    if array.ndim != 1:
        raise ValueError(f"X: column {name!r} has the shape {array.shape}; allowed: (n,)")
    if array.dtype.kind == "M":
        return polars.Series(name, array.astype("datetime64[us]"))
    if array.dtype.kind in "biuf" and array.dtype != np.float16:
        return polars.Series(name, np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))
    if array.dtype == np.float16:
        return polars.Series(name, array.astype(np.float32))
    words = [None if _is_missing(each) else each for each in array.tolist()]
    if any(isinstance(each, bool) for each in words):
        words = [str(each).lower() if isinstance(each, bool) else each for each in words]
    numbers = all(each is None or isinstance(each, int | float) for each in words)
    return polars.Series(name, words, dtype=polars.Float64) if numbers else polars.Series(name, _as_words(words))


def _is_missing(value: Any) -> bool:
    """Whether a value of objects, as pandas keeps words, stands for none: None, NaN, NaT, and pandas' own NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:
        # NA is neither equal to itself nor not
        return True


def _as_words(values: Sequence[Any]) -> list[str | None]:
    return [None if each is None else each.decode() if isinstance(each, bytes) else str(each) for each in values]
