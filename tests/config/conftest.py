"""A start of an entry point in a small tree of configuration files."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from src.config.entry import entry
from src.config.signature import parameters
from tests.config.tree import FILES, THING, Run


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "thing.py").write_text(THING)
    for name, text in FILES.items():
        file = tmp_path / "conf" / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    parameters.cache_clear()
    handlers = logging.getLogger().handlers[:]
    yield tmp_path / "conf"
    parameters.cache_clear()
    # --hydra-help logs to a stream that is closed after its test
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def start(conf: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Start an entry point with a command line."""

    def run(*argv: str, function: Callable[[DictConfig], Any] = lambda _: None, name: str = "train") -> None:
        monkeypatch.setattr(sys, "argv", ["thing.py", *argv])
        entry(name, rest="overrides" if name == "eval" else None, conf_dir=conf)(function)()

    return run
