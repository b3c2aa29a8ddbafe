"""Versions of packages and of this code."""

import os
import subprocess
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from src.run import versions
from src.run.versions import git_state, package_versions


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        if name == "torch":
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(versions, "version", version)
    package_versions.cache_clear()
    assert "torch" not in package_versions()
    assert package_versions()["numpy"] == "1.0"
    package_versions.cache_clear()


def test_git_state_is_that_of_the_checkout() -> None:
    git_state.cache_clear()
    head = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    commit = subprocess.run(head, capture_output=True, text=True, check=False).stdout.strip()
    state = git_state()
    assert (state["commit"] if state else "") == commit
    git_state.cache_clear()


@pytest.mark.parametrize("reason", ["no git", "no checkout"])
def test_without_a_checkout_there_is_no_git_state(reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if reason == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        monkeypatch.setattr(versions, "__file__", str(tmp_path / "run.py"))
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", os.sep)
    git_state.cache_clear()
    assert git_state() is None
    git_state.cache_clear()
