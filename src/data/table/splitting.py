"""Which rows of a table train, which choose, and which test; all draws are scikit-learn's for the same seed."""

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
import polars
from numpy.typing import NDArray
from sklearn import model_selection

from src.config.allowed import Count, Range
from src.config.errors import ConfigError
from src.data.spec import TaskName
from src.data.table.columns import Target, as_words
from src.data.table.reading import Rows, Table

Share = Annotated[float, Range(low=0, high=1, open_low=True, open_high=True)]

# Dates whose letters are in another order than they are: 1.2.2024 and 02/01/24, 2024-2-1, 3 Mar and March 3.
_UNORDERED = (
    r"^(\d{1,2}[./ -]\d{1,2}[./ -]\d{2,4}"
    r"|\d{4}[./-](\d([./-]|$)|\d\d[./-]\d(\D|$))"
    r"|\d{1,2}[./ -]?[A-Za-z]{3}|[A-Za-z]{3,9}\.? \d)"
)

_PARTS = {"train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "dev": 1, "test": 2}


# Training and test rows of each fold, by number of folds, repeats, seed and task.
Folds: TypeAlias = dict[tuple[int, int, int, TaskName], list[tuple[Rows, Rows]]]


@dataclass(frozen=True, kw_only=True)
class Split:
    """How rows are cut into three parts.

    Attributes:
        test_size: Share of the rows kept for the one test at the end; of no account where folds or a column decide.
        val_size: Share of the other rows that watches training.
        seed: Draws which rows these are.
        folds: Number of parts of which each is the test part once; None for none.
        repeats: How often that is done, in another order each time.
        fold: Which of all ``folds`` x ``repeats`` is the test part, from 0 on.
    """

    test_size: float
    val_size: float
    seed: int
    folds: int | None = None
    repeats: Count = 1
    fold: int | None = None

    def rows(
        self,
        y: NDArray[Any],
        task: TaskName,
        *,
        groups: NDArray[Any] | None = None,
        time: NDArray[Any] | None = None,
        known: Folds | None = None,
    ) -> tuple[Rows, Rows, Rows]:
        """Numbers of the rows of train, val and test.

        Args:
            y: Labels or numbers (n,): the parts of classes hold the same shares of each.
            task: What they are.
            groups: Whose rows (n,) stay in one part.
            time: Order of the rows (n,): the last ones test, those before choose.
            known: Folds that were cut before of the same ``y`` and ``groups``, to which these are added.

        Raises:
            ConfigError: If a class, or the number of groups, is too small for it.
        """
        if time is not None:
            return self._in_order(time)
        rest, test = self._test(y, task, groups, {} if known is None else known)
        train, val = _two(rest, y, task, groups, self.val_size, self.seed, key="data.val_size")
        return train, val, test

    def _in_order(self, time: NDArray[Any]) -> tuple[Rows, Rows, Rows]:
        order = np.argsort(time, kind="stable")
        n_test = max(1, int(np.ceil(len(order) * self.test_size)))
        n_val = max(1, int(np.ceil((len(order) - n_test) * self.val_size)))
        cut = len(order) - n_test - n_val
        if cut < 1:
            raise ConfigError(f"data.test_size and data.val_size leave none of {len(order)} rows to train on")
        return order[:cut], order[cut : cut + n_val], order[cut + n_val :]

    def _test(self, y: NDArray[Any], task: TaskName, groups: NDArray[Any] | None, known: Folds) -> tuple[Rows, Rows]:
        """What is left for training and choosing, and the test part."""
        everything = np.arange(len(y))
        if self.folds is None:
            return _two(everything, y, task, groups, self.test_size, self.seed, key="data.test_size")
        assert self.fold is not None
        fold = self.fold
        smallest = int(np.bincount(y).min()) if task != "regression" else len(y)
        n_apart = len(np.unique(groups)) if groups is not None else smallest
        if n_apart < self.folds:
            what = "the groups are" if groups is not None else "the rows of the smallest class are"
            what = what if task != "regression" or groups is not None else "the rows are"
            raise ConfigError(f"data.folds={self.folds}, but {what} {n_apart}; allowed: at most that many")
        asked = (self.folds, self.repeats, self.seed, task)
        if asked not in known:
            splitter = _splitter(*asked, groups)
            # the last ones alone, which the next folds of a sweep want
            known.clear()
            known[asked] = list(splitter.split(everything, y, groups))
        return known[asked][fold]


def _splitter(folds: int, repeats: int, seed: int, task: TaskName, groups: NDArray[Any] | None) -> Any:
    if groups is not None:
        if repeats > 1:
            raise ConfigError(f"data.repeats={repeats} with data.group: groups are dealt out once; allowed: 1")
        if task == "regression":
            return model_selection.GroupKFold(folds)
        return model_selection.StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    if task == "regression":
        if repeats > 1:
            return model_selection.RepeatedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
        return model_selection.KFold(folds, shuffle=True, random_state=seed)
    if repeats > 1:
        return model_selection.RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    return model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed)


def _two(
    rows: Rows,
    y: NDArray[Any],
    task: TaskName,
    groups: NDArray[Any] | None,
    size: float,
    seed: int,
    *,
    key: str,
) -> tuple[Rows, Rows]:
    """Two parts of some rows, the second one of about ``size``."""
    if len(rows) < 2:
        raise ConfigError(f"{key}={size} has {len(rows)} rows to part; two are the least")
    if groups is not None and len(np.unique(groups[rows])) < 2:
        raise ConfigError(f"{key}={size} has rows of one group to part; data.group needs three groups at least")
    if groups is None and task != "regression" and (counts := np.bincount(y[rows])[np.unique(y[rows])]).min() < 2:
        few = int(np.sum(counts < 2))
        raise ConfigError(
            f"{key}={size} of {len(rows)} rows: {few} class{'' if few == 1 else 'es'} of data.target "
            f"{'has' if few == 1 else 'have'} a single row there, and both parts need one; join rare classes, or give "
            "data.split_column"
        )
    classes = None if task == "regression" else y[rows]
    # what is dealt out, and how many of it each part needs
    n, what, least = len(rows), "rows", 1
    if groups is not None:
        n, what = len(np.unique(groups[rows])), "groups"
    elif classes is not None:
        least = len(np.unique(classes))
    n_other = int(np.ceil(n * size))
    if not least <= n_other <= n - least:
        raise ConfigError(
            f"{key}={size} of {n} {what} makes parts of {n - n_other} and {n_other}; allowed: what leaves each "
            f"{f'as many rows as there are classes, {least},' if least > 1 else 'one'} or more"
        )
    if groups is not None:
        splitter = model_selection.GroupShuffleSplit(1, test_size=size, random_state=seed)
        ((one, other),) = splitter.split(rows, groups=groups[rows])
        return rows[one], rows[other]
    one, other = model_selection.train_test_split(rows, test_size=size, random_state=seed, stratify=classes)
    return one, other


def by_column(values: NDArray[Any], name: str) -> tuple[Rows, Rows, Rows]:
    """Parts as a column of the words train, val and test says.

    Raises:
        ConfigError: If it holds another word, or lacks one of the three.
    """
    words = [str(each).strip().lower() for each in values]
    if other := sorted({word for word in words if word not in _PARTS}):
        raise ConfigError(f"data.split_column={name} holds {other[0]!r}; allowed: train, val, test")
    part = np.array([_PARTS[word] for word in words])
    found = [np.flatnonzero(part == i) for i in range(3)]
    for i, word in enumerate(("train", "val", "test")):
        if len(found[i]) == 0:
            raise ConfigError(f"data.split_column={name} holds no {word!r}; each part needs rows")
    return found[0], found[1], found[2]


def by_fold_column(
    values: NDArray[Any], fold: int | None, name: str, split: Split, y: NDArray[Any], task: TaskName
) -> tuple[Rows, Rows, Rows]:
    """The rows of one fold number as the test part, the others for training and choosing.

    Raises:
        ConfigError: If there is no such number.
    """
    numbers = sorted({int(each) for each in values})
    if fold is None or fold not in numbers:
        shown = ", ".join(map(str, numbers[:20]))
        raise ConfigError(f"data.fold={'null' if fold is None else fold}; data.fold_column={name} holds {shown}")
    test, rest = np.flatnonzero(values == fold), np.flatnonzero(values != fold)
    train, val = _two(rest, y, task, None, split.val_size, split.seed, key="data.val_size")
    return train, val, test


def order_by(table: Table, name: str) -> NDArray[Any]:
    """Places (n,) of the rows in the order of a column.

    Raises:
        ConfigError: If it holds dates whose letters are in another order than they are.
    """
    column = table.frame[name]
    if column.dtype in (polars.String, polars.Categorical, polars.Enum):
        # words as they stand: dates of ISO 8601 are in order, and those that begin with a day or month are not
        column = as_words(column)
        unordered = column.str.contains(_UNORDERED)
        if unordered.any():
            row = int(unordered.arg_true()[0])
            raise ConfigError(
                f"{table.source}: {table.place(row, name)} holds {column[row]!r}, and data.time={name} orders words by "
                "their letters; write dates from the year on in fixed places, such as 2024-02-01"
            )
    return column.rank("dense").to_numpy()


def lone_class(target: Target, table: Table) -> str | None:
    """Words for a class with a single row, which cannot be in two parts."""
    if target.task == "regression":
        return None
    counts = np.bincount(target.values, minlength=len(target.classes))
    if counts.min() > 2:
        return None
    few = int(np.argmin(counts))
    row = int(np.argmax(target.values == few))
    return (
        f"{table.source}: class {target.classes[few]!r} of data.target={target.name} has {counts[few]} "
        f"row{'' if counts[few] == 1 else 's'} ({table.place(row, target.name)}); train, val and test need one each: "
        "leave it out, join it with another class, or give data.split_column"
    )
