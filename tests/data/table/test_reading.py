"""Files of columns: what is read, and what is said of those that cannot be."""

import re
from pathlib import Path

import numpy as np
import polars
import pytest

from src.config.errors import ConfigError
from src.data.table.reading import read_table
from tests.data.table.tables import frame, written

ROWS = polars.DataFrame({"a": [1.5, 2.5, 3.5], "b": ["x", "y", "z"]})


def refused(path: Path, **given: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_table(str(path), **given)
    text = str(caught.value)
    assert text.startswith(f"data.path={path}")
    return text


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow", "feather", "npz"])
def test_every_format_gives_the_same_columns(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        ROWS.write_csv(path)
    elif ending == "parquet":
        ROWS.write_parquet(path)
    elif ending == "npz":
        np.savez(path, a=ROWS["a"].to_numpy(), b=np.array(ROWS["b"].to_list()))
    else:
        ROWS.write_ipc(path)
    assert read_table(str(path)).frame.to_dict(as_series=False) == ROWS.to_dict(as_series=False)


def test_an_array_of_two_axes_is_a_column_each(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.arange(6).reshape(3, 2), y=np.array([0, 1, 0]))
    assert read_table(str(tmp_path / "t.npz")).frame.to_dict(as_series=False) == {
        "x_0": [0, 2, 4],
        "x_1": [1, 3, 5],
        "y": [0, 1, 0],
    }


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1.5,x\n2.5,y\n3.5,z\n",
        b"a,b\r\n1.5,x\r\n2.5,y\r\n3.5,z\r\n",
        b"\xef\xbb\xbfa,b\n1.5,x\n2.5,y\n3.5,z\n",
        b"a;b\n1.5;x\n2.5;y\n3.5;z\n",
        b"a\tb\n1.5\tx\n2.5\ty\n3.5\tz\n",
        b"a|b\n1.5|x\n2.5|y\n3.5|z",
        b'"a","b"\n"1.5","x"\n2.5,"y"\n3.5,z\n',
        b" a ,b\n1.5,x\n2.5,y\n3.5,z\n",
        b"a , b\n1.5 , x\n 2.5, y\n3.5,z \n",
        b"a,b\n1.5,x\n\n2.5,y\n3.5,z\n\n,\n",
        b'a,b\n1.5,"x"\n\n2.5,"y"\n3.5,"z"\n\n',
    ],
)
def test_csv_files_are_read_however_they_are_written(content: bytes, tmp_path: Path) -> None:
    path = written(tmp_path, content)
    assert read_table(str(path)).frame.to_dict(as_series=False) == ROWS.to_dict(as_series=False)


def test_decimal_commas_are_read_where_they_are_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, "a;b\n1,5;x\n2,5;y\n3,5;z\n")
    assert read_table(str(path), decimal=",").frame.to_dict(as_series=False) == ROWS.to_dict(as_series=False)


def test_what_stands_for_a_missing_value_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\n1,x\nNA,\n3,?\n,nan\n")
    assert read_table(str(path)).frame.to_dict(as_series=False) == {"a": [1, None, 3, None], "b": ["x", *[None] * 3]}


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("a,b\n", "holds no rows"),
        ("1.5,2\n3,4\n", r"has no header: line 1 holds 1\.5, 2"),
        ("a,,b\n1,2,3\n", "column 2 of the header, line 1, has no name"),
        ("a,b,a\n1,2,3\n", r"the header, line 1, names column 'a' more than once: columns 1, 3"),
        ("a, a\n1,2\n", r"the header, line 1, names column 'a' more than once: columns 1, 2"),
        ("a,b\n1,2\n3,4,5\n", "line 3 holds 3 values, and the header names 2 columns"),
        ("a,b\n1,2\n3\n4,5\n", "line 3 holds 1 values, and the header names 2 columns"),
        (b"a,b\n1,2\n3,caf\xe9\n", r"line 3 is not in UTF-8 \(byte 0xe9\)"),
        ("a,b\n1,2\n".encode("utf-16"), "it is encoded in UTF-16"),
        (b"a,b\n\0\1\2", "it is no text"),
        ("a,b\r1,2\r", "its lines end with a carriage return alone"),
        (",a\n0,2\n", r"column 1 of the header, line 1, has no name; write one; an index .* to_csv\(index=False\)"),
        ("# by hand\na,b\n1,2\n", "line 2 holds 2 values, .* 1 columns; line 1 looks like a comment"),
        ("a,b\n# by hand\n1,2\n", "line 2 holds 1 values, .* line 2 looks like a comment"),
    ],
)
def test_a_csv_file_that_cannot_be_read_is_told_with_its_line(content: str | bytes, shown: str, tmp_path: Path) -> None:
    assert re.search(shown, refused(written(tmp_path, content)))


def test_a_column_of_spaced_values_is_what_it_is_without_them(tmp_path: Path) -> None:
    path = written(tmp_path, "i;f;t;w\n 1; 1,5; true; a \n2 ;NA ;FALSE;\n")
    found = read_table(str(path), decimal=",").frame
    assert found.to_dict(as_series=False) == {"i": [1, 2], "f": [1.5, None], "t": [True, False], "w": ["a", None]}


def test_separators_in_the_quotes_of_a_header_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path, '"a, of all, and more";b\n1;x\n')
    assert read_table(str(path)).frame.columns == ["a, of all, and more", "b"]


def test_places_are_lines_of_the_file_also_below_values_of_several_lines(tmp_path: Path) -> None:
    found = read_table(str(written(tmp_path, 'a,b\n1,"two\nlines"\n\n2,x\n3,"y\nz"\n4,w\n')))
    assert found.frame["a"].to_list() == [1, 2, 3, 4]
    assert [found.place(row, "a").split(",")[0] for row in range(4)] == ["line 2", "line 5", "line 6", "line 8"]


def test_a_file_that_is_not_there_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    written(tmp_path, "a\n1\n", "points.csv")
    assert "there is no such file; did you mean points.csv?" in refused(tmp_path / "point.csv")
    assert "there is no directory" in refused(tmp_path / "no" / "t.csv")
    (tmp_path / "d.csv").mkdir()
    assert "it is no file" in refused(tmp_path / "d.csv")


@pytest.mark.parametrize("name", ["t.xlsx", "t"])
def test_another_format_is_told_with_those_that_are_read(name: str, tmp_path: Path) -> None:
    assert ".csv, .tsv" in refused(tmp_path / name)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "npz"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"\0" * 100])
def test_a_damaged_file_is_named(ending: str, content: bytes, tmp_path: Path) -> None:
    assert "cannot be read" in refused(written(tmp_path, content, f"t.{ending}"))


def test_pickled_arrays_are_not_opened(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", a=np.array([{}, {}], dtype=object))
    assert "pickle" in refused(tmp_path / "t.npz")


def test_arrays_of_objects_and_those_of_one_name_are_told_by_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", y=np.arange(2), words=np.array(["a", None], dtype=object))
    assert "array 'words' holds Python objects" in refused(tmp_path / "o.npz")
    np.savez(tmp_path / "t.npz", x=np.zeros((2, 2)), x_1=np.arange(2))
    assert "two of its arrays give a column 'x_1'; rename array 'x_1'" in refused(tmp_path / "t.npz")
    (tmp_path / "j.npz").write_bytes(b"junk")
    assert "it is no .npz file" in refused(tmp_path / "j.npz")


def test_a_set_of_scikit_learn_is_found_by_its_name() -> None:
    found = read_table("sklearn:iris").frame
    assert found.shape == (150, 5)
    assert found["target"].unique().sort().to_list() == ["setosa", "versicolor", "virginica"]
    with pytest.raises(ConfigError, match=r"data\.path=sklearn:irs: did you mean iris\?"):
        read_table("sklearn:irs")


def test_a_small_file_is_read_again_once_it_has_changed(tmp_path: Path) -> None:
    path = written(tmp_path, frame(3))
    before = read_table(str(path)).frame
    assert read_table(str(path)).frame is before
    written(tmp_path, frame(4))
    assert read_table(str(path)).frame.height == 4


@pytest.mark.parametrize("name", ["t[1]", "t*", "t?"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_letters_that_stand_for_many_files_mean_themselves(tmp_path: Path, name: str, ending: str) -> None:
    for each, n in ((name, 7), ("t1", 5)):
        rows, path = frame(n), tmp_path / f"{each}.{ending}"
        {"csv": rows.write_csv, "parquet": rows.write_parquet, "arrow": rows.write_ipc}[ending](path)  # type: ignore[operator]
    assert read_table(str(tmp_path / f"{name}.{ending}")).frame.equals(frame(7))
