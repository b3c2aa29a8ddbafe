"""A start of an entry point in a small tree of configuration files, and a small package to read signatures of."""

import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig

from src.config.command.entry import entry
from src.config.signature import parameters
from tests.config.tree import FILES, THING, Run

TOY = """
from abc import ABC
from dataclasses import dataclass
from pathlib import Path as P
import toy.base
from .base import Base, make as build
from toy.other import *

class Plain(Base): ...
class Dotted(toy.base.Base): ...
class Own(Base):
    def __init__(self, a, /, b, *, c=1): ...
class Anything:
    def __init__(self, **kwargs): ...
class Nothing(ABC): ...
class TwoInits(Base, Own): ...
class FromDict(dict): ...
class New:
    def __new__(cls, a): ...
class Lost(Missing): ...
@dataclass
class Data:
    a: int
alias = Own
if True:
    def conditional(x): ...
"""


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


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    package = tmp_path / "toy"
    package.mkdir()
    (package / "__init__.py").write_text(TOY)
    (package / "base.py").write_text(
        "class Base:\n    def __init__(self, noise, *, n_samples): ...\ndef make(x): ...\n"
    )
    (package / "other.py").write_text("class Starred:\n    def __init__(self, z): ...\n")
    (package / "fast.cpython.so").write_text("")
    (package / "lazy.py").write_text("def __getattr__(name): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    parameters.cache_clear()
    yield tmp_path
    parameters.cache_clear()
