"""What a value may be, in code and in words."""

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest

from src.config.allowed import Count, Made, NotEmpty, OneOf, Positive, Range, Text, checked, fits, refusal, say

Word = Annotated[str, OneOf("relu", "tanh")]


@pytest.mark.parametrize(
    ("hint", "right", "wrong"),
    [
        (Any, [None, 1, "a", [1]], []),
        (int, [0, -3, 2**63 - 1], [True, 1.0, "1", None, [1], 2**63, 10**400]),
        (float, [0, -3, 0.5, 1e38], [True, math.nan, math.inf, -math.inf, 1e39, 10**40, 10**400, "0.5", None]),
        (bool, [True, False], [0, 1, "true", None]),
        (str, ["", "a"], [1, None, ["a"]]),
        (int | None, [None, 1], [1.5, "null"]),
        (Literal["a", 1], ["a", 1], ["b", True, 1.0, None]),
        (list[int], [[], [1, 2]], [1, [1.5], "12", {}]),
        (Sequence[Count], [[1], (1, 2)], [[0], "1"]),
        (tuple[float, float], [[0.9, 1]], [[0.9], [1, 2, 3], 0.9]),
        (dict, [{}, {"a": 1}], [1, []]),
        (Made, [{"_target_": "a.B"}, {"_target_": "a.B", "x": 1}], [1, "a", {}, None]),
        (float | Made, [0.1, {"_target_": "a.B"}], ["0.1"]),
        (Positive, [1e-9, 1, 2**63 - 1, 1e20], [0, -1, math.nan, 2**63, {"_target_": "a.B"}]),
        (int, [{"_target_": "a.B"}], [{"a": 1}]),
        (Count | None, [1, None], [{"_target_": "a.B"}]),
        (Literal["a"] | bool, ["a", {"_target_": "a.B"}], ["b"]),
        (Literal["a"] | None, ["a", None], [{"_target_": "a.B"}]),
        (NotEmpty | list[NotEmpty], ["a", {"_target_": "a.B"}], [""]),
        (Annotated[float, Range(low=0, high=1, open_high=True)], [0, 0.99], [1, -0.1]),
        (NotEmpty, ["a", " a\nb"], ["", " ", "\n", 3]),
        (Word | Sequence[Word], ["relu", ["relu", "tanh"]], ["swish", ["relu", 1], 3]),
    ],
)
def test_values_fit_or_they_do_not(hint: Any, right: list[Any], wrong: list[Any]) -> None:
    assert [value for value in right if not fits(value, hint)] == []
    assert [value for value in wrong if fits(value, hint)] == []
    assert all(refusal("key", value, hint) is None for value in right)
    assert all(f"allowed: {say(hint)}" in (refusal("key", value, hint) or "") for value in wrong)


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "a whole number"),
        (float, "a number"),
        (Count, "a whole number of at least 1"),
        (Count | None, "null or a whole number of at least 1"),
        (Annotated[float, Range(low=0, high=1)], "a number from 0 to 1"),
        (Annotated[float, Range(low=0, high=1, open_low=True, open_high=True)], "a number greater than 0 and below 1"),
        (Annotated[float, Range(high=-1)], "a number of at most -1"),
        (bool | None, "null or true or false"),
        (Literal["a", "b", "c"] | None, "null or a, b or c"),
        (Literal[64, 32] | Literal["64", "bf16"], "64, 32 or bf16"),
        (int | float, "a number"),
        (float | Made, "a number"),
        (list[Count], "a list of whole numbers of at least 1"),
        (tuple[float, float], "a list of 2 numbers"),
        (list[bool], "a list of values, each true or false"),
        (list, "a list"),
        (Word | Sequence[Word], "relu or tanh or a list of them"),
        (Annotated[str, Text("a+", "letters a")], "letters a"),
        (Made, "a mapping with a _target_"),
        (dict, "a mapping"),
    ],
)
def test_what_is_allowed_is_said_in_words(hint: Any, words: str) -> None:
    assert say(hint) == words


@pytest.mark.parametrize(
    ("value", "hint", "end"),
    [
        (32, list[int], "; write k=[32]"),
        (3.0, Count, "; write k=3"),
        (3.5, Count, "a whole number of at least 1"),
        ("1e-3", Positive, "; write k=0.001"),
        ("0,5", Positive, "; write k=0.5"),
        ("1_000", Count, "; write k=1000"),
        ("True", bool, "; write k=true"),
        ("None", Count | None, "; write k=null"),
        (None, Count, "a whole number of at least 1"),
        (5, str, "; write \"k='5'\""),
        ([0, 1, 2], int, "; for a job each: -m k=0,1,2"),
        ([0, "a"], int, "a whole number"),
        (10**20, int, "a whole number of at most 9223372036854775807"),
        (1e39, float, "a number, and of at most 3.403e+38"),
        (math.nan, Positive, "a number greater than 0, and finite"),
    ],
)
def test_a_refusal_says_what_was_probably_meant(value: Any, hint: Any, end: str) -> None:
    said = refusal("k", value, hint)
    assert said is not None
    assert said.startswith(f"got {value!r}; allowed: ")
    assert said.endswith(end)


def test_what_is_long_is_cut() -> None:
    assert "more than 40 digits" in str(refusal("k", 10**5000, int))


def test_a_whole_number_that_64_bits_do_not_hold_is_to_be_written_as_a_decimal() -> None:
    text = refusal("k", 137583060207207727104, Positive)
    assert text is not None
    assert text.endswith("; write k=1.3758306020720773e+20")
    assert fits(1.3758306020720773e20, Positive)
    assert len(str(refusal("k", "x" * 1000, int))) < 150


class Thing:
    @checked("thing")
    def __init__(self, n: Count, *, word: Word | Sequence[Word] = "relu", free: Any = None) -> None:
        self.given = n, word, free


def test_a_call_from_python_is_checked_too() -> None:
    assert Thing(3, word=("relu", "tanh"), free=object).given == (3, ("relu", "tanh"), object)
    with pytest.raises(ValueError, match=r"^thing\.n must be a whole number of at least 1, got 0$"):
        Thing(0)
    with pytest.raises(ValueError, match=r"^thing\.word must be relu or tanh or a list of them, got 'swish'$"):
        Thing(1, word="swish")
