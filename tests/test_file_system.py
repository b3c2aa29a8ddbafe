"""Places where a run cannot be kept: one message each, with the path and the reason."""

import errno
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from src.config.command.explain import Source
from src.config.compose import CONF_DIR
from tests.sweep.commands import run

SMALL = ("trainer=cpu", "trainer.max_epochs=2", "callbacks=none", "logger=csv")


def a_file(path: Path) -> Path:
    path.write_text("")
    return path


def below_a_file(path: Path) -> Path:
    return a_file(path) / "run"


def a_dangling_link(path: Path) -> Path:
    path.symlink_to(path.with_name("nowhere") / "deeper")
    return path


def a_link_to_itself(path: Path) -> Path:
    path.symlink_to(path)
    return path


def a_long_name(path: Path) -> Path:
    return path / ("x" * 300)


def a_long_path(path: Path) -> Path:
    return path.joinpath(*["x" * 200] * 22)


PLACES: dict[Callable[[Path], Path], str] = {
    a_file: "something else is there",
    below_a_file: "a part of the path is a file",
    a_dangling_link: "something else is there",
    a_link_to_itself: "something else is there|lead in a circle",
    a_long_name: "the name is too long",
    a_long_path: "the name is too long",
}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", path], capture_output=True, check=False)
    if mounted.returncode != 0:
        # only root may mount, and not in every container; CI may, and fails on a skip
        pytest.skip("mounting is not allowed here")
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("key", ["hydra.run.dir", "hydra.sweep.dir"])
def test_a_place_that_can_be_no_directory_is_refused_in_words(
    place: Callable[[Path], Path], key: str, tmp_path: Path
) -> None:
    path, output = place(tmp_path / "place"), tmp_path / "output"
    many = ("-m", "seed=0,1") if key == "hydra.sweep.dir" else ()
    assert run(*many, *SMALL, f"{key}={path}", output=output) == 1
    said = output.read_text()
    assert "Traceback" not in said
    assert any(reason in said for reason in PLACES[place].split("|")), said
    assert str(path)[:60] in said


@pytest.mark.slow
def test_a_full_disk_leaves_no_result_and_no_traceback(small_disk: Path, tmp_path: Path) -> None:
    (small_disk / "filling").write_bytes(bytes(40_000))
    output = tmp_path / "output"
    assert run(*SMALL, f"hydra.run.dir={small_disk}/run", output=output) == 1
    said = output.read_text()
    assert "Traceback" not in said
    # of the failure's own record, for which there is no room either
    assert f"{small_disk}/run/result.json: the disk is full" in said
    assert not [path.name for path in small_disk.rglob("*") if path.name.endswith((".part", "last.ckpt"))]
    assert not (small_disk / "run" / "result.json").exists()
    (small_disk / "filling").unlink()
    subprocess.run(["mount", "-o", "remount,size=10m", small_disk], check=True)
    # the same command, once there is room
    assert run(*SMALL, f"hydra.run.dir={small_disk}/run", output=output) == 0, output.read_text()


def test_an_error_of_a_file_system_is_explained_and_no_other() -> None:
    source = Source("train", CONF_DIR)
    said = source.explain(PermissionError(errno.EACCES, "Permission denied", "/root/run"), [])
    assert said is not None
    assert said.startswith("/root/run: no permission; choose another directory")
    assert source.explain(ConnectionRefusedError(errno.ECONNREFUSED, "refused"), []) is None
    assert source.explain(OSError("of no kind"), []) is None
