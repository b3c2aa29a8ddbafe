"""Files are whole, and hold what OmegaConf would write."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.run.files import remove_parts, set_aside, to_yaml, write_atomically, written_together
from tests.tasks.runs import listing


def test_a_file_is_replaced_and_no_other_is_left(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    for content in (b"old", b"new", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert listing(tmp_path) == ["folder/file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_directory_in_its_place_is_named_and_not_the_file_aside(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError, match="directory") as raised:
        write_atomically(tmp_path / "file", b"new")
    assert str(raised.value) == f"[Errno {errno.EISDIR}] {os.strerror(errno.EISDIR)}: '{tmp_path / 'file'}'"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("step", ["replace", "chmod"])
def test_a_failure_keeps_the_old_file_and_leaves_no_other(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, step, full)
    with pytest.raises(OSError, match="no space left"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["file"]


def test_an_interrupt_while_writing_leaves_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", b"new")
    assert listing(tmp_path) == []


def test_a_temporary_file_that_is_gone_already_is_no_second_error(tmp_path: Path) -> None:
    (tmp_path / "file" / "below").mkdir(parents=True)
    with pytest.raises(OSError, match=r"file"):
        write_atomically(tmp_path / "file", b"new")
    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "1",
        "1e3",
        "true",
        "on",
        "null",
        "",
        "a: b",
        "# no comment",
        "- item",
        "${a.b}",
        "'quoted'",
        '"both\'"',
        "é ☃",
        "two\nlines",
        "  indented\n    text\n",
        "x" * 100,
        "many words " * 20,
        " space",
        "tail ",
        "\t",
        "!tag",
        "&anchor",
        "1_000",
    ],
)
def test_yaml_is_that_of_omegaconf(value: str) -> None:
    cfg = OmegaConf.create({"a": value, "b": {"c": [value, 1, None, 0.5, 1e-12, True], "d": {}, "e": []}})
    assert to_yaml(cfg) == OmegaConf.to_yaml(cfg)
    assert OmegaConf.create(to_yaml(cfg)) == cfg


class Disk:
    """What a process asks of the disk, in order: names of files that are flushed or renamed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, str]] = []
        replace = Path.replace

        def renamed(path: Path, target: Path) -> Path:
            self.calls.append(("rename", target.name))
            return replace(path, target)

        def flushed(descriptor: int) -> None:
            self.calls.append(("flush", Path(f"/proc/self/fd/{descriptor}").readlink().name.split(".")[1]))

        monkeypatch.setattr(Path, "replace", renamed)
        monkeypatch.setattr(os, "fsync", flushed)
        monkeypatch.setattr(os, "sync", lambda: self.calls.append(("flush", "all")))


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "a.folder"
    path.mkdir()
    return path


def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_before_anything_else(
    disk: Disk, folder: Path
) -> None:
    write_atomically(folder / "file", b"new")
    assert disk.calls == [("flush", "file"), ("rename", "file"), ("flush", "folder")]


def test_the_file_before_is_kept_once_the_new_one_is_whole(disk: Disk, folder: Path) -> None:
    for content in (b"1", b"2", b"3"):
        write_atomically(folder / "file", content, keep=folder / "before")
    assert disk.calls[-4:] == [("flush", "file"), ("rename", "before"), ("rename", "file"), ("flush", "folder")]
    assert [(folder / name).read_bytes() for name in ("before", "file")] == [b"2", b"3"]
    assert listing(folder) == ["before", "file"]


@pytest.mark.parametrize(("n", "flushed"), [(2, ["x0", "x1"]), (40, ["all"])])
def test_files_that_are_written_together_are_flushed_together(
    n: int, flushed: list[str], disk: Disk, folder: Path
) -> None:
    with written_together():
        for i in range(n):
            write_atomically(folder / f"x{i}", b"new")
        with written_together():
            write_atomically(folder / "last", b"new")
        assert not [path for path in folder.iterdir() if not path.name.startswith(".")]
    names = [*(f"x{i}" for i in range(n)), "last"]
    assert listing(folder) == sorted(names)
    asked = [*flushed, *(["last"] if n == 2 else [])]
    assert disk.calls == [
        *(("flush", name) for name in asked),
        *(("rename", name) for name in names),
        ("flush", "folder"),
    ]


def test_what_is_whole_is_kept_where_a_later_file_fails(folder: Path) -> None:
    def write() -> None:
        with written_together():
            write_atomically(folder / "first", b"1")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert listing(folder) == ["first"]
    write_atomically(folder / "second", b"2")
    assert listing(folder) == ["first", "second"]


def test_a_directory_in_the_place_of_a_file_is_told_at_once(folder: Path) -> None:
    (folder / "taken").mkdir()
    with written_together():
        write_atomically(folder / "first", b"1")
        with pytest.raises(IsADirectoryError, match="taken"):
            write_atomically(folder / "taken", b"2")
    assert listing(folder) == ["first"]


def test_a_directory_in_the_place_of_a_file_is_told_by_the_name_of_the_file(folder: Path) -> None:
    (folder / "taken").mkdir()
    with pytest.raises(IsADirectoryError) as told:
        write_atomically(folder / "taken", b"2")
    assert told.value.filename == str(folder / "taken")
    assert listing(folder) == []


def test_a_system_that_cannot_flush_a_directory_is_no_obstacle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Any, *_: Any) -> int:
        raise PermissionError(path)

    monkeypatch.setattr(os, "open", refuse)
    path, content = folder / "file", b"new"
    handle = (folder / "aside").open("wb")
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (os.dup(handle.fileno()), str(folder / "aside")))
    write_atomically(path, content)
    handle.close()
    assert path.read_bytes() == content


def test_only_what_kills_have_left_is_removed(folder: Path) -> None:
    kept = [".hidden", "file.part", "last.ckpt", ".sweeper", ".last.ckpt"]
    for name in (*kept, ".result.json.ab12_x9z.part", ".best.ckpt.ab12_x9z"):
        (folder / name).touch()
    remove_parts(folder)
    assert listing(folder) == sorted(kept)
    remove_parts(folder / "not there")


def test_a_file_that_is_set_aside_has_another_name(folder: Path) -> None:
    path = folder / "last.ckpt"
    for content in (b"1", b"2"):
        path.write_bytes(content)
        assert set_aside(path).read_bytes() == content
    assert listing(folder) == ["last.ckpt.set_aside"]
    # another process was faster
    assert set_aside(path).read_bytes() == b"2"
