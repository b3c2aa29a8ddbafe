"""Columns of every type that a program may hand over: as those of a run, and carried along."""

import datetime
import decimal
from collections.abc import Callable, Mapping
from datetime import time
from pathlib import Path
from typing import Any

import numpy as np
import polars
import polars.selectors
import pytest
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from src.config.errors import ConfigError
from src.predict import load, predict
from src.use.writing import _as_array
from tests.use.runs import trained

N = 40
DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=i % 4) for i in range(N)]
TIMES = [datetime.datetime(2024, 1, 1, i % 3, 30) for i in range(N)]
READ: dict[str, Callable[[Path], polars.DataFrame]] = {
    # the letters of a path may stand for many files
    "csv": lambda path: polars.read_csv(path.read_bytes(), infer_schema_length=None),
    "parquet": lambda path: polars.read_parquet(path.read_bytes()),
    "arrow": lambda path: polars.read_ipc(path.read_bytes()),
    "npz": lambda path: polars.DataFrame(arrays_in(path)),
}


def arrays_in(path: Path) -> dict[str, Any]:
    with np.load(path) as found:
        return dict(found)


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


def rows() -> polars.DataFrame:
    """Columns as a file of CSV gives them: numbers, truth values, and categories that are numbers, words and times."""
    rng = np.random.default_rng(0)
    return polars.DataFrame(
        {
            "a": rng.normal(size=N),
            "flag": [i % 3 == 0 for i in range(N)],
            "k": [i % 5 for i in range(N)],
            "c": [("red", "green", "blue")[i % 3] for i in range(N)],
            "day": [str(day) for day in DAYS],
            "time": [str(time) for time in TIMES],
        }
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("typed")
    rows().with_columns(y=polars.Series(["yes", "no"] * (N // 2))).write_csv(folder / "rows.csv")
    return trained(folder, "table", f"data.path={folder / 'rows.csv'}", "data.columns={k: category}")


@pytest.fixture(scope="module")
def expected(run: Path) -> NDArray[np.float64]:
    found: NDArray[np.float64] = load(run)(rows())
    assert np.ptp(found[:, 0]) > 1e-3
    return found


def cast(dtype: Any) -> Callable[[polars.Series], Any]:
    return lambda column: column.cast(dtype)


def as_datetime(unit: Any) -> Callable[[polars.Series], Any]:
    return lambda column: column.str.to_date().cast(polars.Datetime(unit))


def as_datetime64(unit: str) -> Callable[[polars.Series], Any]:
    return lambda column: column.str.to_date().to_numpy().astype(f"datetime64[{unit}]")


TYPED: dict[str, tuple[str, Callable[[polars.Series], Any]]] = {
    "day as Date": ("day", lambda c: c.str.to_date()),
    **{f"day as Datetime {unit}": ("day", as_datetime(unit)) for unit in ("ms", "us", "ns")},
    "day as objects": ("day", lambda c: c.str.to_date().to_list()),
    **{f"day as datetime64[{unit}]": ("day", as_datetime64(unit)) for unit in ("D", "h", "s", "ms", "us", "ns")},
    "time as Datetime": ("time", lambda c: c.str.to_datetime()),
    "time as datetime64[ns]": ("time", lambda c: c.str.to_datetime().to_numpy().astype("datetime64[ns]")),
    "time as objects": ("time", lambda c: c.str.to_datetime().to_list()),
    "time with T": ("time", lambda c: c.str.replace(" ", "T")),
    "time without seconds": ("time", lambda c: c.str.head(16)),
    "c as Categorical": ("c", cast(polars.Categorical)),
    "c as Enum": ("c", cast(polars.Enum(["blue", "green", "red", "violet"]))),
    "c as bytes": ("c", lambda c: np.array(c.to_list(), dtype="S")),
    "k as decimals": ("k", cast(polars.Decimal(10, 2))),
    "k as float": ("k", cast(polars.Float64)),
    "k as words": ("k", cast(polars.String)),
    "k as UInt8": ("k", cast(polars.UInt8)),
    "k as Enum": ("k", lambda c: c.cast(polars.String).cast(polars.Enum(list("01234")))),
    "k as objects": ("k", lambda c: [decimal.Decimal(each) for each in c]),
    "flag as Int8": ("flag", cast(polars.Int8)),
    "flag as words": ("flag", cast(polars.String)),
    "flag as objects": ("flag", lambda c: np.array(c.to_list(), dtype=object)),
    "a as decimals": ("a", lambda c: [decimal.Decimal(repr(each)) for each in c]),
}


@pytest.mark.parametrize("name", TYPED)
def test_a_column_means_the_same_in_every_type(name: str, run: Path, expected: NDArray[np.float64]) -> None:
    column, change = TYPED[name]
    given = rows().to_dict()
    changed: Any = change(rows()[column])
    assert load(run)({**given, column: changed}) == pytest.approx(expected, abs=1e-12)
    if isinstance(changed, polars.Series):
        assert load(run)(rows().with_columns(changed.alias(column))) == pytest.approx(expected, abs=1e-12)


class Missing:
    """As pandas' NA: neither equal to itself nor not."""

    def __ne__(self, _: object) -> Any:
        return self

    def __bool__(self) -> bool:
        raise TypeError("boolean value of NA is ambiguous")

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("nothing", [None, float("nan"), Missing()], ids=["None", "NaN", "NA"])
@pytest.mark.parametrize("column", ["a", "flag", "k", "c"])
def test_what_stands_for_no_value_is_told_as_one_that_is_missing(run: Path, column: str, nothing: Any) -> None:
    values = np.array([nothing, *rows()[column].to_list()[1:]], dtype=object)
    with pytest.raises(ValueError, match=rf"row 0, column '{column}' holds no value.*1 of {N} rows"):
        load(run)({**rows().to_dict(), column: values})


@pytest.mark.parametrize("column", ["day", "time"])
def test_a_time_that_is_missing_is_told(run: Path, column: str) -> None:
    for values in (np.array(["NaT", *TIMES[1:]], "datetime64[s]"), polars.Series([None, *TIMES[1:]])):
        with pytest.raises(ValueError, match=rf"row 0, column '{column}' holds no value"):
            load(run)({**rows().to_dict(), column: values})


def test_a_time_that_was_not_learnt_is_warned_of(run: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(run)(rows().with_columns(day=polars.Series(DAYS).dt.offset_by("1y")))
    assert f"column 'day' holds categories that training did not have (rows: {N}), such as '2025-01-0" in caplog.text


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("a", polars.Series(DAYS)),
        ("a", polars.Series([[1.0]] * N)),
        ("c", polars.Series([datetime.timedelta(1)] * N)),
        ("c", polars.Series([{"p": 1}] * N)),
        ("c", polars.Series([b"\xff"] * N)),
    ],
)
def test_a_type_that_means_nothing_there_is_refused(run: Path, column: str, values: polars.Series) -> None:
    with pytest.raises(ValueError, match=rf"column '{column}' is of type .*; allowed: numbers, words, true and false"):
        load(run)(rows().with_columns(values.alias(column)))


# Files


FURTHER: dict[str, polars.Series] = {
    "Date": polars.Series(DAYS),
    "Datetime": polars.Series(TIMES).cast(polars.Datetime("ns")),
    "Datetime with a zone": polars.Series(TIMES).dt.replace_time_zone("UTC"),
    "Time": polars.Series([time(1, 2, 3)] * N),
    "Duration": polars.Series([datetime.timedelta(1)] * N),
    "Decimal": polars.Series([None] * 9 + [decimal.Decimal("1.50")] * (N - 9), dtype=polars.Decimal(10, 2)),
    "Enum": rows()["c"].cast(polars.Enum(["red", "green", "blue"])),
    # each piece has others
    "Categorical": polars.Series([f"v{i // 7}" for i in range(N)], dtype=polars.Categorical),
    "Boolean": polars.Series([None] + [True] * (N - 1)),
    "Int64": polars.Series([1] * (N - 1) + [None]),
    "UInt8": polars.Series([200] * N, dtype=polars.UInt8),
    "Float32": polars.Series([float("inf"), None, *[0.5] * (N - 2)], dtype=polars.Float32),
    "String": polars.Series([None, 'é, "x"\n', *["w"] * (N - 2)]),
    "Null": polars.Series([None] * N),
    "List": polars.Series([[1, 2]] * N),
    "Struct": polars.Series([{"p": 1}] * N),
    "Binary": polars.Series([b"\xff"] * N),
}
NO_ROOM = {"csv": ["Duration", "List", "Struct", "Binary"], "npz": ["List", "Struct", "Binary"]}


def asked(run: Path, given: Path, output: Path) -> DictConfig:
    cfg = OmegaConf.create({"run": str(run), "input": str(given), "output": str(output)})
    assert isinstance(cfg, DictConfig)
    return cfg


@pytest.mark.parametrize("name", FURTHER)
@pytest.mark.parametrize("given", ["parquet", "arrow"])
@pytest.mark.parametrize("output", ["csv", "parquet", "arrow", "npz"])
def test_further_columns_of_every_type_are_carried_along_or_refused(
    run: Path,
    expected: NDArray[np.float64],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    given: str,
    output: str,
) -> None:
    monkeypatch.setattr("src.use.tables._MOST_ROWS", 7)
    # of the run's own columns, too, other types than it has learnt from
    typed = rows().with_columns(
        polars.col("day").str.to_date(),
        polars.col("c").cast(polars.Categorical),
        polars.col("k").cast(polars.Decimal(10, 2)),
    )
    frame, path, out = (
        typed.with_columns(FURTHER[name].alias("z")),
        tmp_path / f"in.{given}",
        tmp_path / f"out.{output}",
    )
    frame.write_parquet(path) if given == "parquet" else frame.write_ipc(path)
    if name in NO_ROOM.get(output, ()):
        with pytest.raises(ConfigError, match=rf"column 'z' is of type .*, which a \.{output} file has no room for"):
            predict(asked(run, path, out))
        assert [each.name for each in tmp_path.iterdir()] == [path.name]
        return
    assert predict(asked(run, path, out)).n_rows == N
    found = READ[output](out)
    assert found.select("p_no", "p_yes").to_numpy() == pytest.approx(expected, abs=1e-6)
    if output in ("parquet", "arrow"):
        # an older Polars calls equal categories of two files different
        words = polars.selectors.categorical().cast(polars.String)
        assert found.select(frame.columns).with_columns(words).equals(frame.with_columns(words))
        assert found.select(frame.columns).schema == frame.schema
    elif frame["z"].dtype.is_numeric() or frame["z"].dtype == polars.Boolean:
        wanted = frame["z"].cast(polars.Float64).fill_null(float("nan"))
        assert found["z"].cast(polars.Float64).fill_null(float("nan")).to_list() == pytest.approx(
            wanted.to_list(), nan_ok=True
        )


def test_numbers_that_numpy_has_no_room_for_are_decimals() -> None:
    assert _as_array(polars.Series([7, None]).cast(polars.Int128)).tolist() == pytest.approx([7, np.nan], nan_ok=True)


ARRAYS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "days": lambda _: {"day": np.array(DAYS, "datetime64[D]")},
    "times in seconds": lambda _: {"time": np.array(TIMES, "datetime64[s]")},
    "times in nanoseconds": lambda _: {"time": np.array(TIMES, "datetime64[ns]")},
    "bytes": lambda arrays: {"c": arrays["c"].astype("S")},
    "other order of bytes": lambda arrays: {"a": arrays["a"].astype(">f8"), "c": arrays["c"].astype(">U5")},
    "80 bits": lambda arrays: {"a": arrays["a"].astype(np.longdouble)},
    "further ones": lambda _: {
        "further": np.ones(N, np.float16),
        "durations": np.ones(N, "timedelta64[s]"),
        "raw": np.array([b"a\xff"] * N),
    },
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_every_type_are_read(run: Path, expected: NDArray[np.float64], tmp_path: Path, name: str) -> None:
    arrays = {each.name: np.array(each.to_list()) for each in rows()}
    write_arrays(tmp_path / "in.npz", {**arrays, **ARRAYS[name](arrays)})
    predict(asked(run, tmp_path / "in.npz", tmp_path / "out.parquet"))
    found = polars.read_parquet(tmp_path / "out.parquet")
    assert found.select("p_no", "p_yes").to_numpy() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("array", [np.ones(N, complex), np.zeros(N, [("p", int)]), np.zeros(N, "V3")])
def test_arrays_that_are_no_columns_are_refused(run: Path, tmp_path: Path, array: NDArray[Any]) -> None:
    arrays = {each.name: np.array(each.to_list()) for each in rows()}
    write_arrays(tmp_path / "in.npz", {**arrays, "z": array})
    with pytest.raises(ConfigError, match=r"in\.npz cannot be read: array 'z' is of type .*; allowed: numbers, words"):
        predict(asked(run, tmp_path / "in.npz", tmp_path / "out.csv"))


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow", "npz"])
def test_letters_that_stand_for_many_files_mean_themselves(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr("src.use.tables._MOST_ROWS", 7)
    given, output = tmp_path / f"in[1]*.{ending}", tmp_path / f"out[1]*.{ending}"
    rows().write_csv(tmp_path / "rows.csv")
    predict(asked(run, tmp_path / "rows.csv", given))
    kept = READ[ending](given).select(rows().columns)
    writers: dict[str, Callable[[Path], object]] = {
        "csv": kept.write_csv,
        "parquet": kept.write_parquet,
        "arrow": kept.write_ipc,
        "npz": lambda path: write_arrays(path, {each.name: np.array(each.to_list()) for each in kept}),
    }
    given.unlink()
    writers[ending](given)
    predict(asked(run, given, output))
    assert READ[ending](output).height == N


@pytest.mark.parametrize("content", [b"", b"a,b\n", b"\xff\xff\xff\xff\x10\x00\x00\x00"])
@pytest.mark.parametrize("ending", ["arrow", "feather", "ipc"])
def test_what_is_no_arrow_file_is_refused(run: Path, tmp_path: Path, content: bytes, ending: str) -> None:
    (tmp_path / f"in.{ending}").write_bytes(content)
    with pytest.raises(ConfigError, match=rf"in\.{ending} cannot be read: it is no Arrow file"):
        predict(asked(run, tmp_path / f"in.{ending}", tmp_path / "out.csv"))
