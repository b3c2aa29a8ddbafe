"""A table of one's own, from its file to the parts that a network is trained on."""

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, get_args

import numpy as np
import polars
import torch

from src.config.allowed import Count, NotEmpty, Range, Seed, checked
from src.config.errors import ConfigError
from src.data.base import InMemoryDataModule, Part, Parts
from src.data.spec import DataSpec, TaskName
from src.data.table.columns import Kind, Target, as_words, choose_columns, need_column, read_target
from src.data.table.encoding import Encoder, Missing
from src.data.table.missing import without_missing
from src.data.table.reading import SMALL, Rows, Table, digest_of, first_words, read_table
from src.data.table.remarks import doubts, rare_words, said
from src.data.table.splitting import Folds, Share, Split, by_column, by_fold_column, lone_class, order_by

log = logging.getLogger(__name__)


class TableDataModule(InMemoryDataModule):
    """A file of columns, one of which is predicted from the others.

    Numbers are standardised and categories become a feature each, as the training part has them. What was learnt of it
    is `record`, which a run stores.

    Args:
        path: CSV, Parquet, Arrow or NumPy's .npz; or ``sklearn:`` and the name of a set that comes with scikit-learn.
        target: Column that is predicted.
        task: What kind of prediction that is; None for what its values look like.
        columns: Columns that go in, or kinds of some of them that overrule what is seen; None for all others.
        drop: Columns that do not go in.
        missing: What is done about missing values: an ``error`` that counts them, the ``mean``, the ``median`` or for
            categories the most frequent one of the training part in their place, ``drop`` their rows, or ``indicator``
            for the mean and one more feature that says so.
        separator: What stands between the values of a CSV file; None for what its header holds most of.
        decimal: What stands before the decimals of a CSV file's numbers.
        split_column: Column of the words train, val and test.
        group: Column whose equal values stay in one part.
        time: Column by whose order the last rows test, and those before them choose.
        fold_column: Column of fold numbers.
        folds: Number of parts of which each is the test part once; None for none.
        repeats: How often that is done.
        fold: Which of all folds is the test part, from 0 on; of ``fold_column`` the number itself.
        test_size: Share of the rows kept for the one test at the end.
        val_size: Share of the other rows that watches training.
        split_seed: Draws which rows these are.
        batch_size: Rows per training batch; None for the whole training part.
        batch_seed: Orders the training batches.
        drop_last: Leave out a last training batch that is smaller than the others.

    Raises:
        ValueError: If a value is outside its range.
        ConfigError: If the keys contradict each other.
    """

    @checked("data")
    def __init__(
        self,
        *,
        path: NotEmpty,
        target: NotEmpty,
        task: TaskName | None = None,
        columns: Sequence[str] | dict[str, Kind] | None = None,
        drop: Sequence[str] = (),
        missing: Missing = "error",
        separator: str | None = None,
        decimal: Literal[".", ","] = ".",
        split_column: str | None = None,
        group: str | None = None,
        time: str | None = None,
        fold_column: str | None = None,
        folds: Annotated[int, Range(low=2)] | None = None,
        repeats: Count = 1,
        fold: Annotated[int, Range(low=0)] | None = None,
        test_size: Share,
        val_size: Share,
        split_seed: Seed,
        batch_size: Count | None,
        batch_seed: Seed,
        drop_last: bool = False,
    ) -> None:
        super().__init__(batch_size=batch_size, batch_seed=batch_seed, drop_last=drop_last)
        self.path, self.target, self.task = path, target, task
        self.columns, self.drop, self.missing = columns, list(drop), missing
        self.separator, self.decimal = separator, decimal
        self.split_column, self.group, self.time, self.fold_column = split_column, group, time, fold_column
        self.split = Split(
            test_size=test_size, val_size=val_size, seed=split_seed, folds=folds, repeats=repeats, fold=fold
        )
        self._check_keys()
        self._found: _Found | None = None
        self._given: _Given | None = None

    def _check_keys(self) -> None:
        if self.separator is not None and (len(self.separator) != 1 or self.separator in '"\r\n'):
            raise ConfigError(
                f"data.separator={self.separator!r}; allowed: one character, or null for what the file has"
            )
        if self.columns is not None and not self.columns:
            raise ConfigError("data.columns names no column; allowed: some names, or null for all")
        for name, kind in self.columns.items() if isinstance(self.columns, Mapping) else ():
            if kind not in get_args(Kind):
                raise ConfigError(f"data.columns says {kind!r} of {name!r}; allowed: {', '.join(get_args(Kind))}")
        if self.target in self.drop:
            raise ConfigError(f"data.drop names data.target={self.target}, which is predicted; leave it out there")
        decide = {
            "data.split_column": self.split_column,
            "data.time": self.time,
            "data.fold_column": self.fold_column,
            "data.folds": self.split.folds,
        }
        given = [key for key, value in decide.items() if value is not None]
        if self.group is not None and given not in ([], ["data.folds"]):
            given.append("data.group")
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} each decide which rows test; give one of them")
        folds, fold = self.split.folds, self.split.fold
        if folds is None and self.fold_column is None and fold is not None:
            raise ConfigError(f"data.fold={fold} needs data.folds, the number of folds, or data.fold_column")
        if folds is None and self.split.repeats != 1:
            raise ConfigError(f"data.repeats={self.split.repeats} needs data.folds, the number of folds")
        if folds is not None:
            n = folds * self.split.repeats
            if fold is None or fold >= n:
                raise ConfigError(
                    f"data.fold={'null' if fold is None else fold}; allowed with data.folds={folds} and data.repeats="
                    f"{self.split.repeats}: 0 to {n - 1}. For a job each: -m 'data.fold=range(0,{n})'"
                )

    # What the file says

    @property
    def spec(self) -> DataSpec:
        """Sizes and names; the file is read for them when first asked for."""
        found = self._read()
        classes = found.target.classes
        counts = np.bincount(found.target.values[found.rows[0]], minlength=len(classes)).tolist() if classes else ()
        return self._spec(found.encoder, found.target.task, classes, tuple(counts))

    def _spec(
        self, encoder: Encoder, task: TaskName, classes: tuple[str, ...], counts: tuple[int, ...] = ()
    ) -> DataSpec:
        return DataSpec(
            task=task,
            n_features=len(encoder.feature_names),
            n_outputs=len(classes) if task == "multiclass" else 1,
            feature_names=encoder.feature_names,
            class_names=classes or (self.target,),
            class_counts=counts,
        )

    @property
    def learnt(self) -> tuple[Encoder, DataSpec]:
        """How rows become inputs, and sizes and names.

        After `use` of a record that is all there is to say: the file is not read, and the rows of each class are not
        counted.
        """
        if self._given is None:
            return self._read().encoder, self.spec
        encoder, task, classes, _ = self._given
        return encoder, self._spec(encoder, task, classes)

    def source_in_words(self) -> str:
        """The file."""
        return f"data.path={self.path}"

    def place_in_words(self, part: str, row: int) -> str:
        """The line of the file that holds a sample."""
        found = self._found or self._look()
        return found.table.place(int(found.rows[Parts._fields.index(part)][row]))

    def rows_of(self, part: Literal["train", "val", "test"]) -> Table:
        """The rows of a part as the file has them."""
        found = self._look()
        chosen = np.zeros(found.table.frame.height, np.bool_)
        chosen[found.rows[Parts._fields.index(part)]] = True
        return found.table.only(chosen)

    @property
    def record(self) -> dict[str, Any]:
        """What was seen and learnt, in plain containers: target, task, classes, and how each column is encoded.

        ``sha256`` tells the file from any other; a set that comes with scikit-learn has none.
        """
        found = self._read()
        return {
            "path": self.path,
            **({} if found.sha256 is None else {"sha256": found.sha256}),
            "target": self.target,
            "task": found.target.task,
            "classes": list(found.target.classes),
            "rows": {name: len(rows) for name, rows in zip(Parts._fields, found.rows, strict=True)},
            "columns": found.encoder.as_record(),
        }

    def use(self, record: Mapping[str, Any]) -> None:
        """Encode as a run has that has stored this `record`, whatever the file holds now."""
        try:
            encoder = Encoder.of_record(record["columns"])
            classes, task = tuple(map(str, record["classes"])), str(record["task"])
        except (AttributeError, KeyError, TypeError) as error:
            why = str(error) if isinstance(error, TypeError) else f"{type(error).__name__}: {error}"
            raise ValueError(f"it is no record of a table: {why}") from error
        if task not in get_args(TaskName) or (task == "regression") == bool(classes):
            raise ValueError(f"its task is {task!r}, and its classes are {classes}")
        given = _Given(encoder, task, classes, record.get("sha256"))  # type: ignore[arg-type] # looked at
        self._given, self._found = given, None

    @property
    def changed(self) -> str | None:
        """That the file is another one than that of the `record` in use; the file is read for it."""
        stored = None if self._given is None else self._given.sha256
        if stored is None or self._read().sha256 == stored:
            return None
        return (
            f"data.path={self.path} has changed since the run was trained (data.json holds another sha256): its rows "
            "are cut into parts anew, so that val and test may hold rows that were trained on"
        )

    def make_parts(self) -> Parts:
        """Encode the rows of each part."""
        found = self._read()
        parts = Parts(*(self._part(found, rows) for rows in found.rows))
        # what a large table takes
        found.table = found.table._replace(frame=polars.DataFrame())
        return parts

    def _part(self, found: "_Found", rows: Rows) -> Part:
        x, y = torch.from_numpy(found.encoder.encode(found.table, rows)), found.target.values[rows]
        if found.target.task == "regression":
            return Part(x, torch.from_numpy(y.astype(np.float32)).unsqueeze(1))
        return Part(x, torch.from_numpy(y))

    def _read(self) -> "_Found":
        if self._found is None:
            self._found = self._look()
            self._found.sha256 = digest_of(self.path)
            if self._given is None:
                log.info(said(self.path, self._found.target, self._found.encoder, self._found.rows))
        return self._found

    def _look(self) -> "_Found":
        table, kinds, target, folds, doubtful = self._seen()
        rows = self._rows(table, target, folds)
        if self._given is not None:
            return self._as_given(table, target, rows)
        encoder = Encoder.fit(table, kinds, rows[0], self.missing)
        for line in (*doubtful, *rare_words(encoder, len(rows[0]))):
            log.warning("%s: %s", table.source, line)
        return _Found(table, target, encoder, rows)

    def _seen(self) -> "_Seen":
        """What does not depend on which rows train: looked at once for all folds and seeds of a small table."""
        table = read_table(self.path, separator=self.separator, decimal=self.decimal)
        asked = (self.target, self.task, self.columns, list(self.drop), self._deciding(), self.missing, self._given)
        for frame, of, seen in _kept:
            # the reader gives out the same frame as long as the file is the same
            if frame is table.frame and of == asked:
                return seen
        seen = self._see(table)
        if table.frame.estimated_size() <= SMALL:
            _kept.append((table.frame, asked, seen))
        return seen

    def _see(self, table: Table) -> "_Seen":
        apart = list(self._deciding().values())
        need_column(table, self.target, "data.target")
        if self._given is None:
            drop = [*self.drop, self.target]
            kinds = choose_columns(table, columns=self._listed(), drop=drop, apart=apart)
        else:
            kinds = {column.name: column.kind for column in self._given.encoder.columns}
            if lacking := [name for name in kinds if name not in table.frame.columns]:
                raise ConfigError(
                    f"{table.source} has no column {lacking[0]!r}, which the run has learnt from; it has "
                    f"{first_words(table.frame.columns, 20)}"
                )
        for key, name in self._deciding().items():
            need_column(table, name, key)
        table = without_missing(table, list(kinds), [self.target, *apart], self.missing)
        known = self._given
        task = self.task if known is None else known.task
        target = read_target(table, self.target, task, is_known=known is not None)
        return _Seen(table, kinds, target, {}, doubts(table, target, list(kinds)) if known is None else [])

    def _deciding(self) -> dict[str, str]:
        """Columns that decide which rows test, by their keys."""
        keys = {
            "data.split_column": self.split_column,
            "data.group": self.group,
            "data.time": self.time,
            "data.fold_column": self.fold_column,
        }
        return {key: name for key, name in keys.items() if name is not None}

    def _listed(self) -> Sequence[str] | Mapping[str, Kind] | None:
        if self.columns is not None and self.target in self.columns:
            raise ConfigError(f"data.columns names data.target={self.target}, which is predicted; leave it out there")
        return self.columns

    def _rows(self, table: Table, target: Target, folds: Folds) -> tuple[Rows, Rows, Rows]:
        frame, y = table.frame, target.values
        if self.split_column is not None:
            return by_column(as_words(frame[self.split_column]).to_numpy(), self.split_column)
        if self.fold_column is not None:
            values = frame[self.fold_column]
            if not values.dtype.is_integer():
                raise ConfigError(
                    f"data.fold_column={self.fold_column} is of type {values.dtype}; allowed: whole numbers"
                )
            return by_fold_column(values.to_numpy(), self.split.fold, self.fold_column, self.split, y, target.task)
        if problem := lone_class(target, table):
            raise ConfigError(problem)
        groups = None if self.group is None else frame[self.group].rank("dense").to_numpy()
        time = None if self.time is None else order_by(table, self.time)
        return self.split.rows(y, target.task, groups=groups, time=time, known=folds)

    def _as_given(self, table: Table, target: Target, rows: tuple[Rows, Rows, Rows]) -> "_Found":
        """As a stored run has it: its classes, in its order, and its encoding."""
        assert self._given is not None
        classes = self._given.classes
        if classes and target.classes != classes:
            words = np.array(target.classes)[target.values]
            known = {name: label for label, name in enumerate(classes)}
            if unknown := sorted({str(word) for word in words} - set(known)):
                raise ConfigError(
                    f"data.target={self.target}: the run knows no class {unknown[0]!r}; its classes are "
                    f"{first_words(classes, 20)}"
                )
            target = Target(target.name, self._given.task, classes, np.array([known[str(word)] for word in words]))
        return _Found(table, target, self._given.encoder, rows)


class _Seen(NamedTuple):
    """Rows that may stay, kinds of the columns that go in, what is predicted, how it was cut into folds, and doubts."""

    table: Table
    kinds: Mapping[str, Kind]
    target: Target
    folds: Folds
    doubts: list[str]


# The last small tables: their frames, what was asked of them, and what was seen.
_kept: deque[tuple[polars.DataFrame, tuple[Any, ...], _Seen]] = deque(maxlen=2)


class _Given(NamedTuple):
    """What a run has stored."""

    encoder: Encoder
    task: TaskName
    classes: tuple[str, ...]
    sha256: Any


class _Found:
    """What a file holds."""

    def __init__(self, table: Table, target: Target, encoder: Encoder, rows: tuple[Rows, Rows, Rows]) -> None:
        self.table, self.target, self.encoder, self.rows = table, target, encoder, rows
        self.sha256: str | None = None
