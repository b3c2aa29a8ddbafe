"""Paths of one machine, taken out of texts that go to another.

What is shared keeps its name, so that paths below it stay clear; any other absolute path leaves its last part.
"""

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

_CHARS = r"""[^\s'"`<>|*?:;,()\[\]{}\\=/]+"""

# An absolute path of two parts or more: not what follows a word, as in val/loss, and no address of a server.
_PATH = re.compile(rf"(?:(?<![\w./~\\$}}-])|(?<=file://)|(?<=sqlite:///)|(?<=journal://))(?:/{_CHARS}){{2,}}/?")
_WINDOWS = re.compile(r"(?<![\w])[A-Za-z]:\\(?:[^\s'\"\\]+\\)*([^\s'\"\\]*)")
_PATH_KEY = re.compile(r".*(path|file|dir|folder|storage|uri|cwd|root)\w*", re.IGNORECASE)


class Places:
    """Knows what is shared, and where this code and its user's files lie.

    Args:
        shared: The directory that is shared.
        name: What stands in its place.
    """

    def __init__(self, shared: Path, name: str) -> None:
        self._known: dict[str, str] = {}
        self._vague: dict[str, str] = {}
        for path in (shared.absolute(), shared.resolve()):
            self.learn(str(path), name)
        self.learn(str(Path(__file__).resolve().parents[2]), ".")
        for path, text in ((Path.cwd(), "."), (Path.home(), "~")):
            self.learn(str(path), text, is_vague=True)

    def learn(self, value: object, text: str | None = None, *, is_vague: bool = False) -> None:
        """Know an absolute path that a configuration holds, wherever else it stands.

        Args:
            value: The path; what is none is left alone, and so is what is known.
            text: What stands in its place; None for its last part.
            is_vague: Whether of what lies below it the last part is enough.
        """
        if isinstance(value, str) and value.startswith("/") and len(Path(value).parts) > 1:
            known = self._vague if is_vague else self._known
            known.setdefault(value.rstrip("/"), Path(value).name if text is None else text)

    @property
    def strings(self) -> list[str]:
        """What stands in nothing that is shared."""
        return [*self._known, *self._vague]

    def in_exact(self, text: str) -> str:
        """A text without the places that are known, otherwise as it is; also of HTML."""
        return _replaced(_replaced(text, self._known), self._vague)

    def in_text(self, text: str) -> str:
        """A text without absolute paths."""

        def last(found: re.Match[str]) -> str:
            path = found[0].rstrip("/")
            # the last part of a home is its user's name
            return self._vague.get(path) or path.rpartition("/")[2]

        text = _PATH.sub(last, _replaced(text, self._known))
        return _replaced(_WINDOWS.sub(lambda found: found[1], text), self._vague)

    def in_value(self, key: str, value: Any) -> Any:
        """A value of a configuration: a path under a key that is one; under any other key known places alone."""
        if isinstance(value, dict):
            return {name: self.in_value(str(name), each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.in_value(key, each) for each in value]
        if not isinstance(value, str):
            return value
        known = self.in_exact(value)
        if not _PATH_KEY.fullmatch(key):
            return known
        if known == value and value.startswith("/"):
            # with spaces, too
            return Path(value).name or value
        return self.in_text(known)

    def in_override(self, line: str) -> str:
        """An override of the command line."""
        key, equals, value = line.partition("=")
        return f"{key}{equals}{self.in_value(key.rpartition('.')[2], value)}" if equals else line

    def in_all(self, tree: Any) -> Any:
        """Plain containers whose texts are without absolute paths."""
        if isinstance(tree, dict):
            return {key: self.in_all(value) for key, value in tree.items()}
        if isinstance(tree, list):
            return [self.in_all(value) for value in tree]
        return self.in_text(tree) if isinstance(tree, str) else tree


def _replaced(text: str, known: Mapping[str, str]) -> str:
    """A text with other words in the place of paths, the longest first, also as HTML writes them."""
    for path in sorted(known, key=len, reverse=True):
        for form in dict.fromkeys((path, html.escape(path))):
            if form in text:
                # not as the beginning of another name
                text = re.sub(rf"{re.escape(form)}(?![\w-])", known[path].replace("\\", r"\\"), text)
    return text


def outside_files(leaves: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys of a configuration below `data` that name a file outside of the run, and the file."""
    for key, value in leaves.items():
        last = key.rpartition(".")[2]
        is_path = key.startswith("data.") and isinstance(value, str) and _PATH_KEY.fullmatch(last)
        if is_path and re.search(r"[/\\]|\.\w{2,8}$", value) and not re.match(r"\w+:|\$", value):
            yield key, value
