"""Rows into a file, some at a time: aside, and into its place once all of them are there."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars
from numpy.typing import NDArray

from src.config.errors import ConfigError
from src.run.files import named
from src.sharing.contents import is_of_run, is_of_sweep
from src.use.tables import ending_of, scanned


class Writer(Protocol):
    """What takes the rows of a file."""

    def add(self, frame: polars.DataFrame, values: NDArray[Any]) -> None:
        """Add rows: the columns of a table, or of a plain array the values (n, o)."""

    def close(self) -> None:
        """Write what is still to be written."""


@contextmanager
def written_rows(path: Path) -> Iterator[Writer]:
    """A file that holds all rows once this ends, and is not there, or as it was, if it ends with an error.

    Raises:
        ConfigError: If its ending names no format.
    """
    kind = ending_of(path, "output")
    refuse_place(path)
    with aside(path) as whole, named(path):
        writer = _MAKERS[kind](whole, "\t" if path.suffix.lower() == ".tsv" else ",")
        yield writer
        writer.close()


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """A file that takes the place of another once all is done; after an error it is gone, and the other as it was."""
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # beside it, so that it can be renamed
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        whole = folder / f"whole{path.suffix}"
        yield whole
        with named(path):
            with whole.open("rb+") as file:
                os.fsync(file.fileno())
            whole.chmod(0o644)
            whole.replace(path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_place(path: Path) -> None:
    """Refuse a directory in the place of a file, and a file that a run or a sweep has written for itself.

    Raises:
        ConfigError: If it is one.
    """
    if path.is_dir():
        raise ConfigError(
            f"output={path} is a directory; allowed: a file in it, such as output={path / 'file'}{path.suffix}"
        )
    owns = {".hydra/config.yaml": is_of_run, "multirun.yaml": is_of_sweep}
    if path.exists() and any((path.parent / mark).exists() and is_its(path.name) for mark, is_its in owns.items()):
        raise ConfigError(f"output={path} is a file of the run or sweep there, which would be lost; give another name")


class _Csv:
    def __init__(self, path: Path, separator: str) -> None:
        self._path, self._separator = path, separator

    def add(self, frame: polars.DataFrame, values: NDArray[Any]) -> None:  # noqa: ARG002 - of plain arrays
        is_first = not self._path.exists()
        for column in frame:
            _refuse_type(column, self._path, is_refused=column.dtype == polars.Duration)
        with self._path.open("ab") as file:
            frame.write_csv(file, include_header=is_first, separator=self._separator)

    def close(self) -> None:
        """All is there."""


class _Parquet:
    """A file for each addition, and one of all at the end."""

    ending = "parquet"

    def __init__(self, path: Path, separator: str) -> None:  # noqa: ARG002 - of text
        self._path, self._parts = path, list[Path]()

    def add(self, frame: polars.DataFrame, values: NDArray[Any]) -> None:  # noqa: ARG002 - of plain arrays
        self._parts.append(self._path.with_name(f"{len(self._parts)}.{self.ending}"))
        self._write(frame, self._parts[-1])

    def close(self) -> None:
        if len(self._parts) == 1:
            self._parts[0].replace(self._path)
        else:
            self._join()

    def _write(self, frame: polars.DataFrame, path: Path) -> None:
        frame.write_parquet(path)

    def _join(self) -> None:
        scanned(self._parts, "parquet").sink_parquet(self._path)


class _Arrow(_Parquet):
    """The same of Arrow."""

    ending = "arrow"

    def _write(self, frame: polars.DataFrame, path: Path) -> None:
        frame.write_ipc(path)

    def _join(self) -> None:
        found = scanned(self._parts, "arrow")
        try:
            found.sink_ipc(self._path)
        except polars.exceptions.InvalidOperationError:
            # an older Polars writes no such file but from memory
            found.collect().write_ipc(self._path)


class _Npz:
    """An array for each column and addition, and an archive of all at the end."""

    def __init__(self, path: Path, separator: str) -> None:  # noqa: ARG002 - of text
        self._path, self._arrays = path, dict[str, list[Path]]()

    def add(self, frame: polars.DataFrame, values: NDArray[Any]) -> None:  # noqa: ARG002 - of plain arrays
        for i, column in enumerate(frame):
            _refuse_type(column, self._path)
            parts = self._arrays.setdefault(column.name, [])
            parts.append(self._path.with_name(f"{i}_{len(parts)}.npy"))
            np.save(parts[-1], _as_array(column), allow_pickle=False)

    def close(self) -> None:
        with zipfile.ZipFile(self._path, "w", allowZip64=True) as archive:
            for name, parts in self._arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    _join(parts, file)


class _Npy:
    """An array for each addition, and one of all at the end."""

    def __init__(self, path: Path, separator: str) -> None:  # noqa: ARG002 - of text
        self._path, self._parts = path, list[Path]()

    def add(self, frame: polars.DataFrame, values: NDArray[Any]) -> None:  # noqa: ARG002 - of tables
        self._parts.append(self._path.with_name(f"{len(self._parts)}.npy"))
        np.save(self._parts[-1], values, allow_pickle=False)

    def close(self) -> None:
        with self._path.open("wb") as file:
            _join(self._parts, file)


_MAKERS: Mapping[str, Callable[[Path, str], Writer]] = {
    **{"csv": _Csv, "parquet": _Parquet, "arrow": _Arrow},
    **{"numpy": _Npz, "array": _Npy},
}


def _refuse_type(column: polars.Series, path: Path, *, is_refused: bool = False) -> None:
    """Refuse a column that a plain format has no room for.

    Raises:
        ConfigError: If it is of such a type.
    """
    if is_refused or column.dtype.is_nested() or column.dtype in (polars.Binary, polars.Object):
        raise ConfigError(
            f"output: column {column.name!r} is of type {column.dtype}, which a {path.suffix} file has no room for; "
            "give output=... that ends in .parquet or .arrow, or leave the column out"
        )


def _as_array(column: polars.Series) -> NDArray[Any]:
    """Numbers, durations or words; what is missing is NaN or NaT, and empty among words."""
    if column.dtype == polars.Duration:
        return column.to_numpy()
    is_wide = str(column.dtype) in ("Int128", "UInt128")
    if is_wide or column.dtype.is_decimal() or (column.dtype == polars.Boolean and column.null_count()):
        column = column.cast(polars.Float64)
    if column.dtype.is_numeric() or column.dtype == polars.Boolean:
        return column.to_numpy()
    return np.array(column.cast(polars.String).fill_null("").to_list(), dtype=str)


def _join(parts: Sequence[Path], file: Any) -> None:
    """Write arrays one after another as one; words get the width of the longest."""
    arrays = [np.load(part, mmap_mode="r", allow_pickle=False) for part in parts]
    dtype = np.result_type(*(array.dtype for array in arrays))
    shape = (sum(len(array) for array in arrays), *arrays[0].shape[1:])
    header: Mapping[str, Any] = {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    np.lib.format.write_array_header_2_0(file, dict(header))
    for array in arrays:
        file.write(np.ascontiguousarray(array, dtype=dtype).tobytes())
