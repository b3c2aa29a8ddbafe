"""Files are whole, and hold what OmegaConf would write."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from src.run.files import to_yaml, write_atomically
from tests.tasks.runs import listing


def test_a_file_is_replaced_and_no_other_is_left(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    for content in (b"old", b"new", b""):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert listing(tmp_path) == ["folder/file"]
    assert path.stat().st_mode & 0o777 == 0o644


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
