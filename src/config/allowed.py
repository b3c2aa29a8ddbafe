"""What a value may be: declared in an annotation, compared with what was given, and said in words.

A class declares the range of an argument where it stands, ``noise: Annotated[float, Range(low=0)]``. The configuration
is checked by what `src.config.signature` reads of that in the source, so `Range`, `OneOf` and `Text` take constants
only; a call from Python is checked by `checked`.
"""

import functools
import inspect
import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

P = ParamSpec("P")
T = TypeVar("T")

# Beyond them neither a tensor nor a loss holds a number: float32's largest, and int64's.
_LARGEST_FLOAT = 3.4028234663852886e38
_LARGEST_INT = 2**63 - 1

_LISTS = (list, tuple, Sequence)


class Made:
    """Stands for an object that a configuration can only give as a node with a `_target_`."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers of an argument.

    Attributes:
        low: Smallest allowed number; None for no bound.
        high: Largest allowed number; None for no bound.
        open_low: Whether ``low`` itself is refused as well.
        open_high: Whether ``high`` itself is refused as well.
    """

    low: float | None = None
    high: float | None = None
    open_low: bool = False
    open_high: bool = False

    def admits(self, value: Any) -> bool:
        """Whether a number lies inside."""
        above = self.low is None or (self.low < value if self.open_low else self.low <= value)
        below = self.high is None or (value < self.high if self.open_high else value <= self.high)
        return above and below

    def say(self, kind: str) -> str:
        """Words for such a number, of what it is without the range."""
        if self.low is not None and self.high is not None and not (self.open_low or self.open_high):
            return f"{kind} from {_digits(self.low)} to {_digits(self.high)}"
        ends = []
        if self.low is not None:
            ends.append(f"{'greater than' if self.open_low else 'of at least'} {_digits(self.low)}")
        if self.high is not None:
            ends.append(f"{'below' if self.open_high else 'of at most'} {_digits(self.high)}")
        return f"{kind} {' and '.join(ends)}".strip()


@dataclass(frozen=True)
class Text:
    """Texts of an argument.

    Attributes:
        pattern: Regular expression that the whole text matches.
        words: What that allows.
    """

    pattern: str
    words: str

    def admits(self, value: Any) -> bool:
        """Whether a text is one of them."""
        return re.fullmatch(self.pattern, value) is not None

    def say(self, _: str) -> str:
        """Words for such a text."""
        return self.words


class OneOf:
    """Words of an argument, of which each is allowed.

    Args:
        *words: All of them.
    """

    def __init__(self, *words: str) -> None:
        self.words = words

    def admits(self, value: Any) -> bool:
        """Whether a text is one of them."""
        return value in self.words

    def say(self, _: str) -> str:
        """Name all of them."""
        return say(Literal[self.words])


class Several:
    """Words of which a list holds at least one, and none twice.

    Args:
        *words: All of them.
    """

    def __init__(self, *words: str) -> None:
        self.words = words

    def admits(self, value: Any) -> bool:
        """Whether a list is of them."""
        return bool(value) and len({*map(str, value)}) == len(value) and all(each in self.words for each in value)

    def say(self, _: str) -> str:
        """Name all of them."""
        *first, last = self.words
        return f"a list of one or more of {', '.join(first)} and {last}, each once"


Count = Annotated[int, Range(low=1)]
Seed = Annotated[int, Range(low=0, high=4294967295)]
Positive = Annotated[float, Range(low=0, open_low=True)]
NotNegative = Annotated[float, Range(low=0)]
Share = Annotated[float, Range(low=0, high=1)]
NotEmpty = Annotated[str, Text(r"(?s).*\S.*", "a text that is not empty")]


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is what an annotation asks for; a node with a `_target_` may make objects."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if isinstance(value, Mapping) and "_target_" in value:
        return _may_be_made(hint)
    if origin is Annotated:
        return fits(value, arguments[0]) and all(each.admits(value) for each in hint.__metadata__)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in arguments)
    if origin is Literal:
        return any(type(value) is type(each) and value == each for each in arguments)
    if hint in _LISTS or origin in _LISTS:
        return isinstance(value, Sequence) and not isinstance(value, str) and _all_fit(value, hint)
    if hint in (None, type(None)):
        return value is None
    if hint is dict:
        return isinstance(value, Mapping)
    if hint in (int, float):
        if isinstance(value, bool) or not isinstance(value, int if hint is int else (int, float)):
            return False
        # what is written as a whole number reaches torch as one, which takes 64 bits
        return abs(value) <= (_LARGEST_INT if isinstance(value, int) else _LARGEST_FLOAT) and math.isfinite(value)
    if hint in (bool, str):
        return type(value) is hint
    return hint is not Made


def _may_be_made(hint: Any) -> bool:
    """Whether a node with a `_target_` can stand for it: not for what is one of some words, or a number of a range."""
    if get_origin(hint) in (Union, types.UnionType):
        return any(map(_may_be_made, get_args(hint)))
    return get_origin(hint) not in (Annotated, Literal) and hint not in (None, type(None))


def _all_fit(values: Sequence[Any], hint: Any) -> bool:
    elements = get_args(hint)
    if get_origin(hint) is tuple and Ellipsis not in elements:
        return len(values) == len(elements) and all(map(fits, values, elements))
    return not elements or all(fits(value, elements[0]) for value in values)


def say(hint: Any) -> str:
    """Words for what an annotation allows: ``null or a whole number of at least 1``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        text = say(arguments[0])
        for each in hint.__metadata__:
            text = each.say(text)
        return text
    if origin in (Union, types.UnionType):
        return _say_union(arguments)
    if origin is Literal:
        *first, last = dict.fromkeys(_written(each) for each in arguments)
        return f"{', '.join(first)} or {last}" if first else last
    if hint in _LISTS or origin in _LISTS:
        return _say_list(hint)
    words = {
        None: "null",
        type(None): "null",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "a text",
        dict: "a mapping",
        Made: "a mapping with a _target_",
    }
    return words.get(hint, "anything")


def _say_union(hints: Sequence[Any]) -> str:
    words = [each for hint in hints if get_origin(hint) is Literal for each in get_args(hint)]
    rest = [hint for hint in hints if get_origin(hint) is not Literal]
    parts = dict.fromkeys([say(hint) for hint in rest] + ([say(Literal[tuple(words)])] if words else []))
    for hint in rest:
        elements = get_args(hint)
        if get_origin(hint) in (list, Sequence) and elements and say(elements[0]) in parts:
            parts = {"a list of them" if part == say(hint) else part: None for part in parts}
    # what says less than another part
    for one, other in (("a whole number", "a number"), ("a mapping with a _target_", "")):
        if one in parts and (other in parts or (not other and len(parts) > 1 and set(parts) != {one, "null"})):
            del parts[one]
    # null first: what follows may be long
    return " or ".join(sorted(parts, key=lambda text: text != "null"))


def _say_list(hint: Any) -> str:
    elements = [each for each in get_args(hint) if each is not Ellipsis]
    if not elements or elements[0] is Any:
        return "a list"
    text = say(elements[0])
    for one, many in (("a whole number", "whole numbers"), ("a number", "numbers"), ("a text", "texts")):
        if text.startswith(one):
            text = text.replace(one, many, 1)
            break
    else:
        text = f"values, each {text}"
    if get_origin(hint) is tuple and Ellipsis not in get_args(hint):
        return f"a list of {len(elements)} {text}"
    return f"a list of {text}"


def refusal(key: str, value: Any, hint: Any) -> str | None:
    """What is wrong with a value, what is allowed, and what was probably meant; None if it is right.

    Args:
        key: Where it stands, for a line to write instead.
        value: What was given, resolved and in plain containers.
        hint: The annotation.
    """
    if fits(value, hint):
        return None
    shown = repr(value) if not isinstance(value, int) or abs(value) <= 10**40 else "a number of more than 40 digits"
    shown = shown if len(shown) <= 100 else f"{shown[:97]}..."
    meant = _meant(key, value, hint)
    return f"got {shown}; allowed: {_within_limits(value, hint)}" + (f"; {meant}" if meant else "")


def _within_limits(value: Any, hint: Any) -> str:
    """What is allowed, with the bound that the type itself has where it is exceeded."""
    text = say(hint)
    if type(value) is int and "whole number" in text and abs(value) > _LARGEST_INT and not re.search(r"\d", text):
        return f"{text} of at most {_LARGEST_INT}"
    if type(value) is int and _LARGEST_INT < abs(value) <= _LARGEST_FLOAT and fits(1.0, hint):
        return f"{text}, a large one with a point or an exponent"
    if type(value) in (int, float) and fits(1.0, hint) and not fits(value, float):
        is_finite = type(value) is int or math.isfinite(value)
        return f"{text}, and of at most {_LARGEST_FLOAT:.4g}" if is_finite else f"{text}, and finite"
    return text


def _meant(key: str, value: Any, hint: Any) -> str | None:
    """A value that would be right and differs in its form only."""
    if isinstance(value, list | tuple):
        if value and all(fits(each, hint) for each in value):
            return f"for a job each: -m {key}={','.join(map(_written, value))}"
        return None
    candidates: list[Any] = []
    takes_numbers = any(fits(single, hint) for single in (1, 0.5))
    if not any(fits(single, hint) for single in (1, 0.5, True)):
        candidates.append([value])
    # where numbers are taken, one that is out of range is not meant as a text
    if not takes_numbers and ((type(value) is int and abs(value) <= _LARGEST_INT) or type(value) is float):
        candidates.append(str(value))
    if isinstance(value, float) and value.is_integer():
        candidates.append(int(value))
    if type(value) is int and _LARGEST_INT < abs(value) <= int(_LARGEST_FLOAT):
        candidates.append(float(value))
    if isinstance(value, str):
        candidates += _read(value)
    for other in candidates:
        # null is no other form of anything, unless it was spelt out
        if (other is not None or value in ("None", "null", "~")) and fits(other, hint):
            return f"write {_line(key, other)}"
    return None


def _read(text: str) -> list[Any]:
    """What a text may stand for."""
    plain = text.strip().lower().replace("_", "")
    if plain in ("true", "false"):
        return [plain == "true"]
    if plain in ("none", "null", "~"):
        return [None]
    if re.fullmatch(r"[+-]?\d{1,40}", plain):
        return [int(plain)]
    if re.fullmatch(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d{1,3})?", plain):
        number = float(plain.replace(",", "."))
        return [int(number), number] if number.is_integer() else [number]
    return []


def _line(key: str, value: Any) -> str:
    if isinstance(value, str):
        return f"\"{key}='{value}'\""
    if isinstance(value, list):
        return f"{key}=[{','.join(map(_written, value))}]"
    return f"{key}={_written(value)}"


def _written(value: Any) -> str:
    """A single value as a command line has it."""
    words = {True: "true", False: "false"}
    return words[value] if isinstance(value, bool) else "null" if value is None else str(value)


def _digits(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:.10g}"


def checked(prefix: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Check the annotated arguments of a function or ``__init__`` when it is called.

    Args:
        prefix: Key of the configuration below which the arguments stand, for the message; empty where any may hold
            them.

    Raises:
        ValueError: From the decorated function, if an argument is not what its `Range`, `OneOf` or `Text` allows.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(function)
        declared = {
            name: parameter.annotation
            for name, parameter in signature.parameters.items()
            if parameter.annotation is bool or "Annotated" in repr(parameter.annotation)
        }

        @functools.wraps(function)
        def check_and_call(*args: P.args, **kwargs: P.kwargs) -> T:
            given = signature.bind(*args, **kwargs).arguments
            for name, hint in declared.items():
                if name in given and not fits(given[name], hint):
                    key = f"{prefix}.{name}" if prefix else name
                    raise ValueError(f"{key} must be {say(hint)}, got {given[name]!r}")
            return function(*args, **kwargs)

        return check_and_call

    return decorate
