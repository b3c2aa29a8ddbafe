"""A command line of filters and settings: ``best data=circles 'val/accuracy>0.9' since=3d``.

These are no overrides, and Hydra's grammar has no room for them. A word ``key=value`` whose key is a setting of the
command is one; any other is a condition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from src.config.errors import ConfigError, suggest
from src.find.index import FOUND_STATUSES

COMMANDS = ("best", "clean")
OPERATORS = ("!=", ">=", "<=", "=", ">", "<")

_WORD = re.compile(r"([^\s=<>!]+)\s*(!=|>=|<=|=|>|<)\s*(.*)", re.DOTALL)
_AGO = re.compile(r"(\d{1,6})([mhdw])")
_AGO_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_TIMES = "yesterday, today, 3d, 12h, 2w, 2026-11-20 or 2026-11-20T18:30"


@dataclass(frozen=True)
class Condition:
    """What a run must be like.

    Attributes:
        key: ``status``, ``seed``, a group, a key of the configuration, a metric, ``duration_s`` or ``n_parameters``.
        operator: One of `OPERATORS`.
        value: What stands behind it; several values, separated by commas, where the operator is ``=`` or ``!=``.
    """

    key: str
    operator: str
    value: str

    @property
    def word(self) -> str:
        """The condition as it was given."""
        return f"{self.key}{self.operator}{self.value}"

    @property
    def values(self) -> list[str]:
        """What is allowed, or with ``!=`` what is not; a list in brackets is one value."""
        return [self.value] if self.value.startswith("[") else self.value.split(",")


@dataclass(frozen=True)
class Words:
    """A command line.

    Attributes:
        command: ``list``, ``best`` or ``clean``.
        conditions: All of them must hold.
        under: The folder that is searched.
        sort: Key by which to sort, with ``-`` before it from high to low; None for the newest first.
        jobs: Whether each job of a sweep has a line.
        since: Runs that began before are left out, in seconds since 1970.
        until: Runs that began later are left out.
        limit: Most lines that are printed; None for all.
        yes: Whether to delete without asking.
        foreign: Whether to delete what no run has written, too.
        as_json: Whether to print JSON.
    """

    command: str = "list"
    conditions: tuple[Condition, ...] = ()
    under: Path = Path("outputs")
    sort: str | None = None
    jobs: bool = False
    since: float | None = None
    until: float | None = None
    limit: int | None = 50
    yes: bool = False
    foreign: bool = False
    as_json: bool = False

    @property
    def has_filter(self) -> bool:
        """Whether anything says which runs are meant."""
        return bool(self.conditions) or self.since is not None or self.until is not None


SETTINGS = ("under", "sort", "jobs", "since", "until", "limit", "yes", "foreign")


def read_words(argv: Sequence[str], *, now: datetime) -> Words:
    """Read a command line.

    Args:
        argv: Without the program's name.
        now: The time, with its zone, from which ``since=3d`` counts.

    Raises:
        ConfigError: If a word is none of these.
    """
    words, conditions = Words(), list[Condition]()
    for word in argv:
        found = _WORD.fullmatch(word)
        if word == "--json":
            words = replace(words, as_json=True)
        elif word.startswith("-"):
            raise ConfigError(f"{word}: unknown flag; {suggest(word, ['--json', '--help'])}")
        elif found is None:
            words = replace(words, command=_command(word, words))
        elif found[2] == "=" and found[1] in SETTINGS:
            words = replace(words, **{found[1]: _setting(found[1], found[3], now)})
        else:
            conditions.append(_condition(found[1], found[2], found[3]))
    return replace(words, conditions=tuple(conditions))


def _command(word: str, words: Words) -> str:
    if word not in COMMANDS:
        forms = "a condition is KEY=VALUE, with = != > >= < or <=, in quotes for the shell: 'val/accuracy>0.9'"
        raise ConfigError(f"{word}: unknown word; {suggest(word, COMMANDS)} {forms}")
    if words.command not in ("list", word):
        raise ConfigError(f"{words.command} {word}: give one of them")
    return word


def _condition(key: str, operator: str, value: str) -> Condition:
    if value == "":
        raise ConfigError(f"{key}{operator}: no value; give one, or null for none")
    condition = Condition(key, operator, value)
    if value[0] in "=<>":
        right = {"=>": ">=", "=<": "<=", "==": "="}.get(f"{operator}{value[0]}", operator)
        raise ConfigError(f"{condition.word}: did you mean {key}{right}{value.lstrip('=<>')}?")
    if key == "status":
        if operator not in ("=", "!="):
            raise ConfigError(f"{condition.word}: allowed: status=... or status!=...")
        for each in condition.values:
            if each not in FOUND_STATUSES:
                raise ConfigError(f"{condition.word}: {suggest(each, FOUND_STATUSES)}")
    if operator not in ("=", "!=") and number(value) is None:
        raise ConfigError(f"{condition.word}: allowed behind {operator}: a number")
    return condition


def number(text: str) -> float | None:
    """What a text says as a number; None where it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def _setting(key: str, value: str, now: datetime) -> Any:
    if key == "under":
        return Path(value).expanduser()
    if key in ("since", "until"):
        return _time(key, value, now)
    if key in ("jobs", "yes", "foreign"):
        if value.lower() not in ("true", "false"):
            raise ConfigError(f"{key}={value}: allowed: true or false")
        return value.lower() == "true"
    if key == "limit":
        if value != "null" and not (value.isdecimal() and len(value) < 10 and int(value) > 0):
            raise ConfigError(f"limit={value}: allowed: a whole number from 1, or null for all")
        return None if value == "null" else int(value)
    if value.lstrip("-") == "":
        raise ConfigError(f"{key}={value}: allowed: a key, such as sort=seed, or from high to low sort=-val/accuracy")
    return value


def _time(key: str, value: str, now: datetime) -> float:
    """Seconds since 1970; a day is meant from its beginning by since, and to its end by until."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    to_end = timedelta(days=1 if key == "until" else 0)
    try:
        if value in ("today", "yesterday"):
            return (today - timedelta(days=value == "yesterday") + to_end).timestamp()
        if ago := _AGO.fullmatch(value):
            return (now - timedelta(**{_AGO_UNITS[ago[2]]: int(ago[1])})).timestamp()
        given = datetime.fromisoformat(value)
        is_day = re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", value) is not None
        given = given if given.tzinfo else given.replace(tzinfo=now.tzinfo)
        return (given + (to_end if is_day else timedelta())).timestamp()
    except (ValueError, OverflowError):
        near = suggest(value, ("yesterday", "today"))
        hint = f"{near} " if near.startswith("did you mean") else ""
        raise ConfigError(f"{key}={value}: {hint}allowed: {_TIMES}") from None
