"""What a user has to mend, and the nearest right word for a wrong one."""

import difflib
from collections.abc import Iterable, Sequence


class ToldError(Exception):
    """Ends a command with one message and no traceback: it says all that there is to say."""


class ConfigError(ToldError):
    """Something in the configuration that its author can mend."""


def offer(error: BaseException, commands: Sequence[str]) -> None:
    """Let commands to try stand below an error where it is shown."""
    vars(error)["commands"] = list(commands)


def offered(error: BaseException) -> list[str]:
    """The commands that `offer` has given an error."""
    return list(vars(error).get("commands", ()))


def nearest(word: str, valid: Iterable[str]) -> str | None:
    """The nearest of the valid words; None when none is near."""
    valid = list(valid)
    # letters that have changed places are nearer than a letter too many
    swapped = [name for name in valid if sorted(name) == sorted(word)]
    near = swapped or difflib.get_close_matches(word, valid, n=1)
    return near[0] if near else None


def suggest(word: str, valid: Sequence[str], *, prefix: str = "") -> str:
    """Name the nearest of the valid words, or all of them when none is near.

    Args:
        word: What was given.
        valid: What is allowed.
        prefix: Written before each word, e.g. ``data.``.
    """
    near = nearest(word, valid)
    if near is not None:
        return f"did you mean {prefix}{near}?"
    return f"allowed: {', '.join(sorted(prefix + name for name in valid)) or 'none'}"
