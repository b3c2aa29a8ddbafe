"""Paths on a command line: ``~``, and what Hydra's grammar takes only in quotes."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from src.config.errors import ConfigError

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override

# Keys whose value is a path, whatever command they belong to.
_KEY = re.compile(
    r"run_dir|run|sweep|checkpoint|folder|input|output|open|into|group|hydra\.(run|sweep)\.dir|hydra\.sweeper\.storage|"
    r"(.+\.)?(save_dir|dirpath|\w+_folder)"
)

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")

# `~` or `~/...` as a value, or as one of a list or of a choice.
_HOME = re.compile(r"(^|[\[,]\s*)(~(?:/[^,\]]*)?)(?=$|[,\]])")
_QUOTED_HOME = re.compile(r"(^|[\[,]\s*)(['\"])~(?=/|\2)")


def with_paths(arguments: Sequence[str], *, is_sweep: bool) -> list[str]:
    """A command line whose paths say what they mean: ``~`` is the home directory.

    Args:
        arguments: Overrides and flags.
        is_sweep: Whether a key may have several values.

    Raises:
        ConfigError: If a path is not what Hydra's grammar would read, with the form that is; names every such path.
    """
    given = [_with_home(argument) for argument in arguments]
    refused = [text for argument in given if (text := _refusal(argument, is_sweep=is_sweep))]
    if refused:
        raise ConfigError("\n".join(refused))
    return given


def _with_home(argument: str) -> str:
    key, equals, value = argument.partition("=")
    if "~" not in value or argument.startswith("-"):
        return argument
    home = str(Path("~").expanduser())
    is_path = _is_path(key)
    if is_path or not {"'", '"'} & set(value):
        # outside of quotes it has no other meaning
        value = _HOME.sub(lambda found: found[1] + _at(home, found[2]), value)
    if is_path:
        value = _QUOTED_HOME.sub(lambda found: f"{found[1]}{found[2]}{_escaped(home, found[2])}", value)
    return f"{key}{equals}{value}"


def _at(home: str, text: str) -> str:
    path = home + text[1:]
    return path if _PLAIN.fullmatch(home) else in_quotes(path)


def _escaped(text: str, quote: str) -> str:
    return text.replace(quote, f"\\{quote}")


def _is_path(key: str) -> bool:
    return _KEY.fullmatch(key.lstrip("+")) is not None


def _refusal(argument: str, *, is_sweep: bool) -> str | None:
    """What to write in the place of a path that Hydra reads as something else; None if it reads what was meant."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, equals, value = argument.partition("=")
    # a path under a key that may be anything is known by how it begins
    is_path = _is_path(key)
    if not (equals and (is_path or re.match(r"\.{0,2}/", value))) or argument.startswith(("-", "~")):
        return None
    try:
        parsed = OverridesParser.create().parse_override(argument)
    except HydraException:
        instead = in_quotes(value)
        if value.startswith("[") and value.endswith("]"):
            instead = f"[{','.join(in_quotes(each.strip()) for each in value[1:-1].split(','))}]"
        return _say(argument, "Hydra reads some of its characters as grammar", f"{key}={instead}")
    if is_path and (kind := _kind(parsed, is_sweep=is_sweep)):
        return _say(argument, f"Hydra reads it as {kind}", f"{key}={in_quotes(value)}")
    return None


def _kind(parsed: "Override", *, is_sweep: bool) -> str | None:
    """What a path is read as that is none; None for a text, for a value that is absent, and for a swept one."""
    key = parsed.key_or_group
    if parsed.is_sweep_override():
        # Hydra's own directory is one
        return None if is_sweep and not key.startswith("hydra.") else "several values"
    read = parsed.value()
    # of `src.report` a list of directories or a number, of `src.train` a group of keys
    if read is None or isinstance(read, str) or (key == "sweep" and type(read) in (int, list, dict)):
        return None
    kinds = {bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return kinds.get(type(read), "something else")


def _say(argument: str, why: str, instead: str) -> str:
    # the name of a group of a sweep, which may hold such characters too
    what = "quote it" if instead.startswith("group=") else "if it is a path, quote it"
    return f"{argument}: {why}; {what}: {shlex.quote(instead)}"


def in_quotes(text: str) -> str:
    """A text as Hydra's grammar takes it whatever it holds; references in it stay references."""
    from hydra.core.override_parser.types import Quote, QuotedString

    return QuotedString(text, Quote.double).with_quotes()
