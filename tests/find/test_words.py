"""Reading a command line of conditions and settings."""

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from src.config.errors import ConfigError
from src.find.words import Condition, Words, read_words

NOW = datetime(2026, 11, 26, 15, 30, tzinfo=timezone(timedelta(hours=1)))


def read(*argv: str) -> Words:
    return read_words(argv, now=NOW)


def test_words_are_conditions_settings_and_a_command() -> None:
    found = read("best", "data=circles", "val/accuracy>=0.9", "under=~/x", "sort=-val/loss", "jobs=true", "--json")
    assert (found.command, found.as_json, found.jobs, found.sort) == ("best", True, True, "-val/loss")
    assert found.under == Path("~/x").expanduser()
    assert found.conditions == (Condition("data", "=", "circles"), Condition("val/accuracy", ">=", "0.9"))
    assert found.has_filter
    assert not read("clean", "jobs=true").has_filter


@pytest.mark.parametrize(
    ("word", "key", "operator", "value"),
    [
        ("a!=b", "a", "!=", "b"),
        ("a<=1", "a", "<=", "1"),
        ("a > 1", "a", ">", "1"),
        ("model.net.hidden=[8,8]", "model.net.hidden", "=", "[8,8]"),
        ("hydra/launcher=vmap", "hydra/launcher", "=", "vmap"),
        ("note=a=b", "note", "=", "a=b"),
    ],
)
def test_operators(word: str, key: str, operator: str, value: str) -> None:
    assert read(word).conditions == (Condition(key, operator, value),)


@pytest.mark.parametrize(
    ("given", "when"),
    [
        ("since=today", "2026-11-26T00:00"),
        ("since=yesterday", "2026-11-25T00:00"),
        ("since=3d", "2026-11-23T15:30"),
        ("since=12h", "2026-11-26T03:30"),
        ("since=2026-11-20", "2026-11-20T00:00"),
        ("since=2026-11-20T18:30", "2026-11-20T18:30"),
        ("until=yesterday", "2026-11-26T00:00"),
        ("until=2026-11-20", "2026-11-21T00:00"),
        ("until=2026-11-20T18:30", "2026-11-20T18:30"),
        ("until=2w", "2026-11-12T15:30"),
    ],
)
def test_times(given: str, when: str) -> None:
    found = read(given)
    expected = datetime.fromisoformat(when).replace(tzinfo=NOW.tzinfo).timestamp()
    assert (found.since or found.until) == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("bst", r"bst: unknown word; did you mean best\? a condition is KEY=VALUE"),
        ("--jsn", r"--jsn: unknown flag; did you mean --json\?"),
        ("status=faild", r"status=faild: did you mean failed\?"),
        ("status>1", r"status>1: allowed: status=\.\.\. or status!=\.\.\."),
        ("val/loss<low", r"val/loss<low: allowed behind <: a number"),
        ("data=", r"data=: no value"),
        ("jobs=maybe", r"jobs=maybe: allowed: true or false"),
        ("limit=0", r"limit=0: allowed: a whole number from 1, or null for all"),
        ("limit=²", r"limit=²: allowed"),
        ("since=yestreday", r"since=yestreday: did you mean yesterday\? allowed: yesterday, today, 3d"),
        ("since=999999w", r"since=999999w: allowed: yesterday"),
        ("sort=-", r"sort=-: allowed: a key"),
    ],
)
def test_mistakes_are_answered_with_what_is_allowed(word: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(word)


def test_two_commands_are_refused() -> None:
    with pytest.raises(ConfigError, match="best clean: give one of them"):
        read("best", "clean")


@pytest.mark.parametrize(
    ("word", "meant"), [("a=>0.9", "a>=0.9"), ("a=<0.9", "a<=0.9"), ("a==b", "a=b"), ("a>>1", "a>1")]
)
def test_an_operator_that_is_none_is_answered_with_the_one_that_is_meant(word: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{word}: did you mean {meant}?")):
        read(word)
