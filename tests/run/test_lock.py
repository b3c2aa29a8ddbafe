"""A directory that one process at a time writes to."""

import fcntl
import sys
from pathlib import Path

import pytest

from src.config.errors import ConfigError
from src.run.lock import locked
from tests.waiting import command


def test_nobody_else_writes_there_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "not" / "there"
    with locked(path, key="run_dir"), pytest.raises(ConfigError) as refused, locked(path, key="run_dir"):
        pytest.fail("both write")
    assert str(refused.value).startswith(f"run_dir={path}: another command is writing there")
    assert not list(path.iterdir())
    with locked(path, key="run_dir"):
        pass


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import signal, sys; from pathlib import Path; from src.run.lock import locked\n"
        "with locked(Path(sys.argv[1]), key='run_dir'): print('holds', flush=True); signal.pause()"
    )
    holder = command(sys.executable, "-c", program, str(tmp_path), output=tmp_path / "output")
    holder.line("holds\n")
    with pytest.raises(ConfigError, match="another command"), locked(tmp_path, key="run_dir"):
        pytest.fail("both write")
    holder.kill()
    with locked(tmp_path, key="run_dir"):
        pass


def test_a_file_system_that_cannot_lock_is_written_to_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError("Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path, key="run_dir"):
        (tmp_path / "file").touch()
