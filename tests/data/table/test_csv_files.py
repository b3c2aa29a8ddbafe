"""A file that is read in pieces is the file that is read at once."""

from pathlib import Path

import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from src.config.errors import ConfigError
from src.data.table.csv_files import read_csv

_VALUES = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}"),
    st.sampled_from(["true", "false", "", "NA", "a b", " 7 ", "é", "1e3", "2024-01-02"]),
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Rows of which some columns hold one kind of value, and others anything."""
    kinds = draw(st.lists(st.sampled_from(["int", "float", "word", "any"]), min_size=1, max_size=4))
    by_kind = {
        "int": st.integers(-99, 99).map(str),
        "float": st.floats(-9, 9).map(lambda value: f"{value:.2f}"),
        "word": st.sampled_from(["x", "yy", "z"]),
        "any": _VALUES,
    }
    rows = draw(st.lists(st.tuples(*(by_kind[kind] for kind in kinds)), min_size=1, max_size=40))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    lines = [",".join(f"c{i}" for i in range(len(kinds))), *(",".join(row) for row in rows)]
    return draw(st.sampled_from(["", "\ufeff"])) + end.join(lines) + draw(st.sampled_from(["", end]))


@given(texts(), st.integers(1, 200))
def test_pieces_of_any_size_hold_what_the_whole_holds(
    tmp_path_factory: pytest.TempPathFactory, text: str, piece: int
) -> None:
    file = tmp_path_factory.mktemp("csv") / "t.csv"
    file.write_text(text, newline="")
    whole = read_csv(file, "t", separator=",", decimal=".", piece=1 << 30)
    assert_frame_equal(read_csv(file, "t", separator=",", decimal=".", piece=piece), whole)


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        # what the first piece does not tell
        ("a\n1\n2\n3\n4\n5.5\n", polars.Float64),
        ("a\n1\n2\n3\n4\nword\n", polars.String),
        ("a\ntrue\nfalse\ntrue\n1\n", polars.String),
        ("a\nNA\nNA\nNA\n1\n", polars.Int64),
        ('a\n1\n2\n"3"\n4\n', polars.Int64),
        ('a\nx\ny\n"two\nlines"\nz\n', polars.String),
    ],
)
def test_what_stands_further_down_decides_as_it_does_in_the_whole(text: str, dtype: object, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text(text)
    frame = read_csv(file, "t", separator=",", decimal=".", piece=6)
    assert frame["a"].dtype == dtype
    assert_frame_equal(frame, read_csv(file, "t", separator=",", decimal=".", piece=1 << 30))


def test_a_row_that_is_too_long_is_named_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("a,b\n" + "1,2\n" * 50 + "1,2,3\n" + "1,2\n" * 50)
    with pytest.raises(ConfigError, match="line 52 holds 3 values, and the header names 2 columns"):
        read_csv(file, "t", separator=",", decimal=".", piece=40)
