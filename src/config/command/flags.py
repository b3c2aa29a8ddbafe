"""Flags of Hydra that would not do here what they say: each is answered with the command that does."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from src.config import folders
from src.config.errors import ConfigError, suggest

SWEEP_FLAGS = ("-m", "--multirun")


def with_flags_first(argv: Sequence[str]) -> list[str]:
    """A command line with the flag of a sweep before its overrides, the one place where Hydra takes it before 1.4."""
    return sorted(argv, key=lambda each: each not in SWEEP_FLAGS)


def of_one_run(overrides: Sequence[str]) -> list[str]:
    """Overrides of a job that start it as a single run: its mode is said where a file may have asked for the sweep.

    Args:
        overrides: Those of the job.
    """
    is_asked_here = any(each in SWEEP_FLAGS for each in sys.argv)
    by_file = any(each.lstrip("+").startswith("experiment") for each in overrides)
    return [*overrides] if is_asked_here and not by_file else [*overrides, "hydra.mode=RUN"]


def refuse_flags(argv: Sequence[str], *, name: str, conf_dir: Path) -> None:
    """Refuse a root file of another command, and the pickle of a run.

    Args:
        argv: Command line without the program's name.
        name: Root file of this command.
        conf_dir: Folder of the YAML files.

    Raises:
        ConfigError: If one of them is asked for.
    """
    # the parser takes a while; it takes the beginning of a flag, too
    if not any(each.startswith(("--co", "--e", "-cn")) for each in argv):
        return
    from src.compat.hydra import arguments_of

    given = arguments_of(argv)
    if given.experimental_rerun is not None:
        raise ConfigError(
            f"--experimental-rerun={given.experimental_rerun}: the file is a pickle, and reading one runs whatever "
            f"its writer wants; {_same_run(Path(given.experimental_rerun))}"
        )
    asked = str(given.config_name or name).removesuffix(".yaml")
    if asked != name and (conf_dir / f"{asked}.yaml").is_file() and (conf_dir.parent / "src" / f"{asked}.py").is_file():
        command = shlex.join([*(["-m"] if given.multirun else []), *given.overrides])
        raise ConfigError(
            f"--config-name={asked}: {conf_dir.name}/{asked}.yaml belongs to another command: "
            f"python -m src.{asked} {command}".rstrip()
        )


def refuse_unknown_root(argv: Sequence[str], *, name: str, conf_dir: Path) -> None:
    """Refuse a root file that is not there; those of a lab are no root files.

    Args:
        argv: Command line without the program's name.
        name: Root file of this command.
        conf_dir: Folder of the YAML files.

    Raises:
        ConfigError: With the nearest one.
    """
    if not any(each.startswith(("--config-n", "-cn")) for each in argv):
        return
    from src.compat.hydra import arguments_of

    given = arguments_of(argv)
    asked = str(given.config_name or name).removesuffix(".yaml")
    if given.config_path is None and not (conf_dir / f"{asked}.yaml").is_file():
        commands = {path.stem for path in (conf_dir.parent / "src").glob("*.py")} - {name}
        roots = sorted({path.stem for path in conf_dir.glob("*.yaml")} - commands)
        instead = "; a file of a folder beside it is chosen as the option of a group, such as experiment=..."
        hint = suggest(asked, roots) + ("" if folders.find(conf_dir, asked) is None else instead)
        raise ConfigError(f"--config-name={asked}: no such file in {conf_dir.name}; {hint}")


def _same_run(pickled: Path) -> str:
    """The command that runs the same, from the text beside the pickle."""
    text = pickled.parent / "overrides.yaml"
    try:
        lines: Any = yaml.safe_load(text.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        lines = None
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        return "python -m src.train with the overrides in .hydra/overrides.yaml of the run does the same"
    return f"the same run is: python -m src.train {shlex.join(lines)}".rstrip()
