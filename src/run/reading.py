"""Stored files of JSON and YAML, read within limits: a disk, a kill or somebody else may have made anything of them.

What a run has written is small, flat and plain. All else is refused before it can take time or memory: a file too long,
nesting too deep, numbers too long, and in YAML what no stored configuration has: anchors, aliases and tags.
"""

import json
import os
import re
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from src.compat.omegaconf import yaml_loader
from src.config.errors import ConfigError

LARGEST = 2_000_000
"""Most bytes of a file; a result or a configuration has some thousands."""
DEEPEST = 50
"""Most containers in each other."""
LONGEST = 300
"""Most characters of a number: a float has room for 309 digits."""
WIDEST = 120_000
"""Most characters of a text; a traceback has that many at most."""
_MOST = 50_000  # words of YAML's grammar: a mapping of 25,000 keys
_NUMBER = re.compile(r"[-+.]*[0-9][-+.:_0-9a-fxA-FX]*")

# What parsers raise, beside their own errors, for what they were not made for.
PARSE_ERRORS = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError)


class UnreadableError(ConfigError):
    """A stored file does not hold what it should.

    Args:
        path: The file.
        why: What is wrong with it.
        instead: What to do.
    """

    def __init__(self, path: Path, why: object, instead: str) -> None:
        self.path, self.why = path, short(" ".join(str(why).split()))
        super().__init__(f"{path} cannot be read: {self.why}; {instead}")


def short(text: str, most: int = 300) -> str:
    """The beginning of a text that somebody else has written."""
    return text if len(text) <= most else f"{text[:most]}..."


def read_bytes(path: Path, *, instead: str, largest: int = LARGEST) -> bytes:
    """Content of a plain file.

    Args:
        path: The file.
        instead: What to do if it cannot be read.
        largest: Most bytes that are read.

    Raises:
        FileNotFoundError: If there is none.
        UnreadableError: If it is no plain file, larger, or may not be read.
    """
    try:
        # without waiting for somebody to write into a pipe
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            mode = os.fstat(handle).st_mode
            if not stat.S_ISREG(mode):
                raise UnreadableError(path, "it is no file but a directory or a device", instead)
            data = file.read(largest + 1)
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        in_the_way = next((each for each in path.parents if each.exists()), path)
        why = "a directory should be there, and it is none"
        raise UnreadableError(in_the_way, why, "remove it, or choose another path") from error
    except OSError as error:
        raise UnreadableError(path, error.strerror or error, instead) from error
    if len(data) > largest:
        raise UnreadableError(path, f"it is larger than {largest} bytes", instead)
    return data


def refuse_damaged_zip(path: Path) -> None:
    """Compare every record of a checkpoint's file with its checksum, which torch itself leaves out.

    Raises:
        ValueError: If one differs, or is compressed, as torch never leaves it.
        Exception: Whatever zipfile meets in what is no zip.
    """
    with zipfile.ZipFile(path) as file:
        if any(record.compress_type != zipfile.ZIP_STORED for record in file.infolist()):
            raise ValueError("it holds compressed records")
        if (name := file.testzip()) is not None:
            raise ValueError(f"the checksum of {name} is wrong")


def read_json(path: Path, *, instead: str) -> dict[str, Any]:
    """Mapping in a file of JSON.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableError: If it holds anything else.
    """
    return _mapping(path, instead, parse_json)


def read_yaml(path: Path, *, instead: str) -> dict[str, Any]:
    """Mapping in a file of YAML, as OmegaConf reads it, references unresolved.

    Raises:
        FileNotFoundError: If there is no such file.
        UnreadableError: If it holds anything else.
    """
    return _mapping(path, instead, parse_yaml)


def _mapping(path: Path, instead: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        found = parse(read_bytes(path, instead=instead).decode("utf-8"))
    except PARSE_ERRORS as error:
        raise UnreadableError(path, error, instead) from error
    if not isinstance(found, dict):
        raise UnreadableError(path, "it is empty" if found is None else "it holds no mapping", instead)
    return found


def parse_json(text: str) -> Any:
    """What a text of JSON holds.

    Raises:
        ValueError: If it is none, or beyond the limits.
    """
    try:
        found = json.loads(text, parse_int=_whole)
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from error
    # a text that is short, flat and without escapes holds nothing that is refused
    if len(text) > WIDEST or "\\u" in text or text.count("{") + text.count("[") > DEEPEST:
        _check(found)
    return found


def parse_yaml(text: str) -> Any:
    """What a text of YAML holds, as OmegaConf reads it.

    Raises:
        ValueError: If it is beyond the limits.
        YAMLError: If it is none.
        Exception: Whatever the parser meets.
    """
    loader, depth = yaml_loader(), 0
    for n, event in enumerate(yaml.parse(text, Loader=loader)):
        if n > _MOST:
            raise ValueError("it holds more keys and values than any configuration")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise ValueError("it holds an anchor or an alias, which no stored configuration does")
        if (tag := getattr(event, "tag", None)) is not None and ":pathlib." not in tag:
            raise ValueError(f"it holds the tag {short(tag, 60)}, which no stored configuration does")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise ValueError(f"it is nested more than {DEEPEST} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.ScalarEvent):
            _check_text(event.value, may_be_number=event.implicit[0])
    return yaml.load(text, Loader=loader)


def _check_text(text: str, *, may_be_number: bool = False) -> None:
    if len(text) > WIDEST:
        raise ValueError(f"it holds a text of {len(text)} characters")
    if may_be_number and len(text) > LONGEST and _NUMBER.fullmatch(text):
        raise ValueError(f"it holds a number of {len(text)} characters")


def _whole(text: str) -> int:
    if len(text) > LONGEST:
        raise ValueError(f"it holds a number of {len(text)} digits")
    return int(text)


def _check(tree: Any) -> None:
    """Refuse nesting too deep for functions that call themselves, and halves of characters, which none prints."""
    level = [tree]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node)
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
            elif isinstance(node, str):
                _check_text(node)
                # an error of Unicode is a ValueError
                node.encode()
        level = below
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} deep")
