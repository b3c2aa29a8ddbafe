"""What a data set holds, told before training so that networks, losses and pictures can be fitted to it."""

from dataclasses import dataclass, field
from typing import Literal

TaskName = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """Sizes and names of a data set.

    Attributes:
        task: What is to be predicted: one of two classes, one of several, or a number.
        n_features: Number of input features ``f``.
        n_outputs: Number of network outputs: 1 logit for ``binary``, one logit per class for ``multiclass``, one number
            per target for ``regression``.
        feature_names: One name per input feature.
        class_names: One name per class; for ``regression`` one name per target.
        class_counts: Rows of each class in the training part; empty where that is not known, or not
            before the data are made.
    """

    task: TaskName
    n_features: int
    n_outputs: int
    feature_names: tuple[str, ...]
    class_names: tuple[str, ...]
    # numbers that may differ among models of one stack
    class_counts: tuple[int, ...] = field(default=(), repr=False, compare=False)
