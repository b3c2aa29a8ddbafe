"""Composing the configuration of an entry point, and saying what a user has to mend where it fails."""

import difflib
import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from src.config import folders
from src.config.allowed import NotEmpty, refusal
from src.config.errors import ConfigError, ToldError, suggest
from src.config.keys import flatten
from src.config.origins import hydra_at
from src.config.schema import GLOBAL, check, unknown

if TYPE_CHECKING:
    from hydra.core.override_parser.types import Override
    from hydra.errors import MissingConfigException, OverrideParseException

FULL_ERROR = "HYDRA_FULL_ERROR"

# What Hydra's own keys take, by OmegaConf's words.
_KINDS = {"bool": "true or false", "string": "a text", "Integer": "a whole number", "Float": "a number"}
# What `hydra.verbose` takes: for all loggers or for none, or the names of some.
_VERBOSE = bool | NotEmpty | list[NotEmpty]


def parse(overrides: Sequence[str]) -> "list[Override]":
    """Take the overrides of a command line apart.

    Raises:
        ConfigError: If one does not follow Hydra's grammar.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import OverrideParseException

    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except OverrideParseException as error:
        raise ConfigError(_unreadable(error)) from error


@dataclass(frozen=True)
class Source:
    """A root file and the folder it lies in."""

    name: str
    conf_dir: Path
    rest: str | None = None

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """Compose with the `hydra` node."""
        from hydra import compose

        with hydra_at(self.conf_dir):
            return compose(self.name, folders.with_search_path(overrides), return_hydra_config=True)

    def is_unheard_sweep(self, overrides: Sequence[str]) -> bool:
        """Whether a chosen file asks for a sweep that Hydra does not begin for it."""
        from src.compat.hydra import has_unheard_mode

        with hydra_at(self.conf_dir):
            return has_unheard_mode(self.name, folders.with_search_path(overrides))

    def check(self, cfg: DictConfig, *, choices: Mapping[str, Any], overrides: Sequence[str]) -> None:
        """Check what is known about this root file: the schema of `train`, missing values of any other."""
        if self.name == "train":
            check(cfg, choices=choices, overrides=overrides, conf_dir=self.conf_dir)
        given = {str(line).split("=")[0]: line for line in (cfg[self.rest] if self.rest else [])}
        for key in map(str, cfg):
            if OmegaConf.is_missing(cfg, key):
                near = [given[name] for name in difflib.get_close_matches(key, given)]
                raise ConfigError(f"{key}: no value; give {key}=..." + (f" (got {near[0]})" if near else ""))

    def explain(self, error: Exception, overrides: Sequence[str]) -> str | None:
        """Say what a user has to mend; None for an exception that is not a mistake in the configuration."""
        from hydra.errors import (
            HydraException,
            InstantiationException,
            MissingConfigException,
            OverrideParseException,
        )

        if isinstance(error, ToldError):
            return str(error)
        # from Hydra 1.4 on what a class raises comes as it is, with a note that names the key
        if isinstance(error, InstantiationException) or any("full_key: " in note for note in _notes(error)):
            return _instantiation(error)
        if isinstance(error, MissingConfigException):
            return self._missing_option(error, overrides)
        if isinstance(error, OverrideParseException):
            return _unreadable(error)
        if isinstance(error, HydraException):
            return (
                self._appended(error, overrides)
                or self._unknown_keys(overrides)
                or self._unmergeable(error, overrides)
                or self._unknown_group(error)
                or _plain(error)
            )
        if isinstance(error, InterpolationResolutionError | MissingMandatoryValue):
            return " ".join([*([f"{error.full_key}:"] if error.full_key else []), str(error).splitlines()[0]])
        if isinstance(error, ValueError | AssertionError):
            # Hydra's answer to +data=3 and to +=3, and OmegaConf's to model.net.hidden.x=3
            return self._not_an_option(overrides) or self._unasserted(overrides) or self._unknown_keys(overrides)
        if isinstance(error, OSError):
            return _file(error)
        return str(error) if isinstance(error, yaml.YAMLError) else _database(error)

    def help(self, overrides: Sequence[str]) -> str:
        """Usage, the groups with their options, and the configuration that these overrides give."""
        cfg = self.compose(overrides)
        chosen = sorted(group for group in cfg.hydra.runtime.choices if not group.startswith("hydra"))
        groups = [f"  {group}: {', '.join(self._options(group))}" for group in chosen]
        own: Any = OmegaConf.to_container(cfg)
        del own["hydra"]
        usage = [
            f"python -m src.{self.name} [GROUP=OPTION ...] [KEY=VALUE ...] [-m for every combination of a,b,c]",
            "  --cfg job shows the configuration, --info defaults where it comes from, --hydra-help Hydra's own flags.",
        ]
        parts = [usage, ["Groups:", *groups] if groups else [], ["Configuration:", "", OmegaConf.to_yaml(own)]]
        return "\n\n".join("\n".join(part) for part in parts if part)

    def _options(self, group: str) -> list[str]:
        return list(folders.options(self.conf_dir, group))

    def _groups(self) -> list[str]:
        below = (each for folder in folders.folders(self.conf_dir) for each in folder.iterdir())
        return sorted({each.name for each in below if each.is_dir()})

    def _is_choice(self, parsed: "Override") -> bool:
        """Tell whether an override chooses options of a group."""
        is_group = "/" in parsed.key_or_group or folders.is_group(self.conf_dir, parsed.key_or_group)
        return is_group and not isinstance(parsed.value(), dict)

    def _missing_option(self, error: "MissingConfigException", overrides: Sequence[str]) -> str:
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        options = self._options(group) or list(error.options or ())
        if not group:
            return _plain(error)
        # as words, whatever characters they are made of
        name, word = re.escape(group), rf"(?<!\w){re.escape(option)}(?!\w)"
        lines = [f"command line: {line}" for line in overrides if re.match(rf"\+?{name}(?!\w).*{word}", line)]
        entry = re.compile(rf"(?<!\w){name}(?!\w).*:.*{word}")
        files = list(folders.files(self.conf_dir))
        lines += [folders.shown(file, self.conf_dir) for file in files if entry.search(file.read_text("utf-8"))]
        where = f" ({lines[0]})" if lines else ""
        if not (options or folders.is_group(self.conf_dir, group)):
            return f"{group}={option}{where}: unknown group; {suggest(group, self._groups())}"
        near = difflib.get_close_matches(option, options, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        several = "; several: logger=[wandb,mlflow]" if group == "logger" else ""
        known = f"options of {group}: {', '.join(options) or 'none'}"
        elsewhere = [folders.shown(file, self.conf_dir) for file in files if file.stem == option.rsplit("/", 1)[-1]]
        moved = f"; {elsewhere[0]} lies in another folder than {group}/" if elsewhere and not near else ""
        return f"{group}={option}{where}: no such option; {hint}{known}{several}{moved}"

    def _not_an_option(self, overrides: Sequence[str]) -> str | None:
        for parsed in parse(overrides):
            group = parsed.key_or_group
            if not group:
                return f"{parsed.input_line}: no key; give GROUP=OPTION or KEY=VALUE"
            allowed = str if parsed.is_delete() else str | list
            if self._is_choice(parsed) and not isinstance(parsed.value(), allowed):
                options = ", ".join(self._options(group))
                return f"{parsed.input_line}: not an option; options of {group}: {options}"
        return None

    def _appended(self, error: Exception, overrides: Sequence[str]) -> str | None:
        """Explain a `+` before something that is there."""
        said = f"{error} {error.__cause__ or ''}"
        key = re.search(r"Could not append to config\. An item is already at '([^']+)'", said)
        group = re.search(r"Multiple values for (\S+)\. To override", said)
        at = (key or group or [None, None])[1]
        given = next((line for line in overrides if line.startswith(f"+{at}=")), None)
        return None if given is None else f"{given}: {at} is there already; write {given.lstrip('+')}"

    def _unknown_group(self, error: Exception) -> str | None:
        """Explain an `override` of a defaults list in a file."""
        # from Hydra 1.4 on in other words
        words = "Could not override|Invalid Defaults List override .*\n.*Default for"
        found = re.match(rf"In '(.+)': (?:{words}) '([^'@]+)", str(error))
        if found is None:
            return None
        at = folders.find(self.conf_dir, found[1])
        file = folders.shown(at, self.conf_dir) if at else f"{self.conf_dir.name}/{found[1]}.yaml"
        if found[2] in self._groups():
            # below a key of its own
            return f"override {found[2]} ({file}): it chooses for the whole run; {GLOBAL}"
        return f"override {found[2]} ({file}): unknown group; {suggest(found[2], self._groups())}"

    def _unknown_keys(self, overrides: Sequence[str]) -> str | None:
        """Find the overrides of keys that the chosen options do not have."""
        parsed = parse(overrides)
        choices = [each for each in parsed if self._is_choice(each)]
        try:
            cfg = self.compose([line for each in choices if (line := _first(each))])
        except Exception:  # its own mistake comes first
            return None
        lines = []
        for each in parsed:
            if each in choices or each.is_add() or each.is_force_add():
                continue
            key, value = each.key_or_group, each.value()
            # a mapping is put into the one that is there, key by key
            for path in [f"{key}.{name}" for name in flatten(value)] if isinstance(value, dict) and value else [key]:
                hint = unknown(cfg, path, groups=self._groups())
                lines += [f"{path} (command line: {each.input_line}): unknown key; {hint}"] if hint else []
        return "\n".join(lines) or None

    def _unmergeable(self, error: Exception, overrides: Sequence[str]) -> str | None:
        """Explain a list that was given for a mapping, and null where Hydra wants a value."""
        line = str(error).splitlines()[0].removeprefix("Error merging override ")
        each = next((each for each in parse(overrides) if str(each.input_line) == line), None)
        if each is None:
            return None
        cause, given = str(error.__cause__), repr(each.value())
        kind = re.search("not a valid bool|to string|converted to Integer|converted to Float", cause)
        if "is not Optional" in cause:
            why = "got null; allowed: a value"
        elif each.is_delete():
            why = f"it has to have a value; give {each.key_or_group}=..."
        elif kind is not None:
            why = f"got {given}; allowed: {_KINDS[kind[0].split()[-1]]}"
        elif isinstance(each.value(), list) and "Cannot merge" in cause:
            why = f"got {given}; allowed: a mapping of keys"
        else:
            why = f"got {given}; {cause.splitlines()[0]}"
        return f"{each.key_or_group} (command line: {line}): {why}"

    def _unasserted(self, overrides: Sequence[str]) -> str | None:
        """Explain a value of a key that Hydra reads before anything of ours is called."""
        for each in parse(overrides):
            key = each.key_or_group
            if key == "hydra.verbose" and (refused := refusal(key, each.value(), _VERBOSE)):
                return f"{key} (command line: {each.input_line}): {refused}"
        return None


def _unreadable(error: "OverrideParseException") -> str:
    """Name an override that does not follow Hydra's grammar, and the quotes that it may lack."""
    line, why = str(error.override), _plain(error)
    if "LexerNoViableAlt" not in why:
        return f"{line}: {why}"
    key, _, value = line.partition("=")
    if re.fullmatch(r"[+~]*[\w./@-]+", key):
        how = f"a text with such characters has to stand in quotes: write \"{key}='{value}'\""
    else:
        how = "a key has to be made of letters, digits and dots; a list is given as a whole, KEY=[...]"
    return f"{line}: a character has no meaning where it stands; {how}"


def _first(choice: "Override") -> str | None:
    """Give the override with the first value of a sweep."""
    from hydra.core.override_parser.types import ValueType

    if not choice.is_sweep_override():
        return choice.input_line
    if choice.value_type not in (ValueType.CHOICE_SWEEP, ValueType.SIMPLE_CHOICE_SWEEP):
        return None
    return f"{choice.get_key_element()}={next(choice.sweep_string_iterator())}"


def _notes(error: BaseException) -> list[str]:
    # of Python 3.11 and newer
    notes: list[str] = getattr(error, "__notes__", [])
    return notes


def _instantiation(error: Exception) -> str:
    """Name the key and the innermost cause."""
    from hydra.errors import InstantiationException

    causes: list[BaseException] = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    texts = ["\n".join([str(cause), *_notes(cause)]) for cause in causes]
    keys = [found[1] for text in texts if (found := re.search(r"full_key: (\S+)", text))]
    cause = causes[-1]
    kind = "" if isinstance(cause, ValueError | ConfigError | InstantiationException) else f"{type(cause).__name__}: "
    text = " ".join(line for line in str(cause).splitlines() if not line.startswith("full_key"))
    return f"{keys[-1] if keys else 'configuration'}: {kind}{text}\n{FULL_ERROR}=1 shows the whole traceback."


# What a file system answers, in words that say what to do.
_REASONS = {
    errno.ENOSPC: "the disk is full; make room, or choose another directory",
    errno.EDQUOT: "the quota of this user is used up; make room, or choose another directory",
    errno.EACCES: "no permission; choose another directory, or ask its owner",
    errno.EPERM: "no permission; choose another directory, or ask its owner",
    errno.EROFS: "the file system is read-only; choose another directory",
    errno.ENOTDIR: "a part of the path is a file, not a directory; remove it, or choose another path",
    errno.EEXIST: "something else is there, a file or a dangling link; remove it, or choose another path",
    errno.EISDIR: "a directory is there, not a file; remove it, or choose another path",
    errno.ELOOP: "its symbolic links lead in a circle; choose another path",
    errno.ENAMETOOLONG: "the name is too long for the file system; choose a shorter one",
    errno.ENOENT: "there is no such file or directory",
}


def _file(error: OSError) -> str | None:
    """Path and reason; None for an error that is not about a file."""
    if error.errno not in _REASONS or (error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT)):
        return None
    what = "a file cannot be written" if error.filename is None else _short(os.fsdecode(error.filename))
    return f"{what}: {_REASONS[error.errno]}\n{FULL_ERROR}=1 shows the whole traceback."


def _database(error: Exception) -> str | None:
    """What SQLite says below an error of what uses it, of a disk that is full or a file that may not be written."""
    cause: BaseException | None = error
    while cause is not None and type(cause).__module__ != "sqlite3":
        cause = cause.__cause__
    if cause is None or not re.search("disk is full|disk I/O error|readonly database|unable to open", str(cause)):
        return None
    what = "the database of a search cannot be written"
    return f"{what}: {cause}; make room, or choose another directory\n{FULL_ERROR}=1 shows the whole traceback."


def _short(path: str) -> str:
    """A path in one line that a terminal can show."""
    text = "".join(char if char.isprintable() else "?" for char in path)
    return text if len(text) <= 300 else f"{text[:140]} ... {text[-140:]} ({len(text)} characters)"


def _plain(error: Exception) -> str:
    """Join an exception's message and that of its cause, without the place in a list, which Hydra tells from 1.4 on."""
    parts = [re.sub(r"\AError when parsing index: .*\n", "", str(error)), str(error.__cause__ or "")]
    return "\n".join(part.strip() for part in parts if part)
