"""What code a run is computed by."""

import contextlib
import functools
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from src.run.patch import CODE


@functools.cache
def package_versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide what a run computes."""
    versions = {"python": platform.python_version()}
    for package in ("torch", "lightning", "torchmetrics", "hydra-core", "omegaconf", "scikit-learn", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


@functools.cache
def git_state() -> dict[str, Any] | None:
    """Commit of this code and whether files differ from it; None outside a git checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        # a table or a zip that lies in the checkout is no code
        asked = [*git, "status", "--porcelain", "--", *(f":/{part}" for part in CODE)]
        changes = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}
