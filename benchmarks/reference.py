"""Writes docs/reference/configuration.md: every command, group, option and key, by ``python -m benchmarks.reference``.

What a key is comes from the comment above it in YAML, or else from the docstring of what it is an argument of; what it
takes from the schema that checks it; its value from YAML. Which options there are stands in docs/reference/options.md,
so that one that a user has added is no part of the page.
"""

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from src.config.allowed import say
from src.config.compose import CONF_DIR
from src.config.schema import Model, Root, Suggested, Sweep
from src.config.signature import parameters
from src.config.values import OF_HYDRA, leaves_of

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ROOT / "docs" / "reference" / "options.md"
PAGE = ROOT / "docs" / "reference" / "configuration.md"

COMMANDS = ("train", "eval", "draw", "predict", "export", "report", "share")

# What options are put together of, and what stands for no choice: files that nobody chooses by name.
PARTS: dict[str, tuple[str, ...]] = {
    "callbacks": (
        *("checkpoint", "progress", "summary", "pictures", "pruning", "boundary_frames", "precision_recall"),
        *("model_graph", "hints", "module"),
    ),
    "data": ("digits_images", "table_stream"),
    "features": ("none",),
    "hydra": ("default",),
    "task": ("loop",),
}

# Where neither a comment nor a docstring says it.
_SAID = {
    "callbacks.progress": "The bar, or null.",
    "model.name": "What tables and pictures call it.",
    "model.net.features": "Functions of the inputs in their place.",
    "model.task": "The task that it is for; null: any.",
    "suggested.lr": "Learning rate that suits the data; other keys refer to it.",
    "sweep": "The same as `run`.",
    "task.l2": "As `task.l1`.",
    "suggested.max_epochs": "Number of epochs that suits the data; `trainer.max_epochs` refers to it.",
}

# Of arguments of Lightning's Trainer, which says it at length.
_KNOWN = {
    "trainer.accelerator": ("cpu, gpu, mps, tpu or auto", "The device."),
    "trainer.strategy": ("ddp and others of Lightning's", "How several processes train one network."),
    "trainer.devices": ("a whole number of at least 1", "Processes on each node."),
    "trainer.num_nodes": ("a whole number of at least 1", "Nodes."),
    "trainer.max_epochs": ("a whole number of at least 1", "Epochs of a run."),
    "trainer.precision": ("32-true, 64-true, bf16-mixed and others of Lightning's", "Bits of a number."),
    "trainer.fast_dev_run": ("true or false", "One batch of each part, without loggers and checkpoints."),
    "trainer.overfit_batches": ("a number", "Train on so many batches, or such a share of them, and no others."),
    "trainer.limit_train_batches": ("a number", "Batches of an epoch, or their share."),
    "trainer.detect_anomaly": ("true or false", "Stop at the operation that makes a NaN."),
    "hydra.mode": ("RUN or MULTIRUN", "Whether it is a sweep without `-m`."),
}

# Filled in from elsewhere, so that no key of the YAML files gives them.
_GIVEN = {"params", "optimizer", "net", "loss", "scheduler", "spec", "last_epoch"}

HEAD = """\
# Configuration: every key

This page is made from the YAML files in `conf/`, the schema and the docstrings, by `python -m benchmarks.reference`. A
test fails where it is stale. [Options by group](options.md) is the short list.

A key is given as it stands here: `python -m src.train optimizer.lr=0.03`. `${...}` refers to another key, and `???` has
to be given. A key that the files leave out is added with `+`. `null` is no value.
"""


@dataclass
class Read:
    """A YAML file, read for its comments.

    Attributes:
        package: Where its keys stand, of a line ``# @package``; None where its folder says.
        about: What stands above its first key, on the file as a whole.
        keys: Of each key, whole, the value as it is written and the comment above it.
        tree: The same as plain containers.
    """

    package: str | None = None
    about: str = ""
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    tree: dict[str, Any] = field(default_factory=dict)


def read(path: Path) -> Read:
    """Read a file of conf/."""
    found = Read(tree=yaml.safe_load(path.read_text()) or {})
    comment: list[str] = []
    above: list[tuple[int, str]] = []
    for line in path.read_text().splitlines():
        text = line.strip()
        if text.startswith("# @package"):
            found.package = text.removeprefix("# @package").strip()
        elif text.startswith("#"):
            comment.append(text.removeprefix("#").strip())
        elif match := re.match(r"( *)([\w./@-]+|'[^']*'):(?: +(.*))?$", line):
            indent, value = len(match[1]), match[3] or ""
            above = [each for each in above if each[0] < indent]
            said = " ".join(comment)
            is_first = not found.keys
            if is_first and (found.package or match[2] in ("_target_", "defaults", "name") or not value):
                found.about, said = said, ""
            above.append((indent, match[2]))
            found.keys[".".join(name for _, name in above)] = (value, said)
            comment = []
        elif text == "{}":
            found.about = " ".join(comment)
        elif text.startswith("- "):
            comment = []
        elif not text and not found.keys and comment:
            found.about, comment = " ".join(comment), []
    if not found.keys and comment:
        found.about = " ".join(comment)
    return found


def shipped() -> dict[str, list[str]]:
    """Options of every group, as the table lists them."""
    rows = re.findall(r"^\| `([\w/]+)` \| (.*) \|$", OPTIONS.read_text(), re.MULTILINE)
    return {group: list(re.findall(r"`([\w/]+)`", text)) for group, text in rows}


def described(target: str) -> dict[str, str]:
    """What the docstring of a class or function of this project, or of its bases, says of each argument."""
    if not target.startswith("src."):
        return {}
    module, _, name = target.rpartition(".")
    made = getattr(importlib.import_module(module), name)
    found: dict[str, str] = {}
    for each in made.__mro__ if inspect.isclass(made) else (made,):
        text = inspect.cleandoc(each.__doc__ or "")
        if (args := re.search(r"^Args:\n((?:[ ]{4}.*\n?|\n)+)", text, re.MULTILINE)) is not None:
            for argument, said in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", args[1], re.MULTILINE):
                found.setdefault(argument, " ".join(said.split()).replace("``", "`"))
    return found


def nodes(tree: Any, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Mappings with a `_target_`, by key."""
    if isinstance(tree, dict):
        if "_target_" in tree:
            yield key, tree
        for name, child in tree.items():
            yield from nodes(child, f"{key}.{name}" if key else name)


def option(group: str, name: str, known: dict[str, tuple[str, str]]) -> str:
    """What the page says of an option.

    Args:
        group: Its group.
        name: Its name.
        known: What is known of keys from other options, whole; this one adds its own.
    """
    found = read(CONF_DIR / group / f"{name}.yaml")
    prefix = {"_global_": "", None: group.replace("/", ".")}.get(found.package, found.package or "")
    takes: dict[str, str] = {}
    said: dict[str, str] = {}
    more: list[str] = []
    targets: list[str] = []
    for key, node in nodes({k: v for k, v in found.tree.items() if k != "defaults"}, ""):
        target = node["_target_"]
        targets.append(target)
        for at, _, hint in leaves_of(node, key):
            takes[at.lstrip(".")] = say(hint)
        about = described(target)
        said |= {f"{key}.{argument}".lstrip("."): text for argument, text in about.items()}
        left = [each for each in parameters(target) or () if each not in node and each not in _GIVEN]
        more += [f"`{f'{prefix}.{key}.'.replace('..', '.').lstrip('.')}{each}`" for each in left]
    lines = [f"### {group}={name}", ""]
    if found.about:
        # an experiment's question, command and what to expect
        lines += [re.sub(r" *\b(Question|Command|Expect): +", r"\n- \1: ", _sentence(found.about)).strip(), ""]
    if inherited := _inherited(found.tree.get("defaults", [])):
        lines += [inherited, ""]
    if targets:
        lines += [f"Makes {', '.join(f'`{target}`' for target in targets)}.", ""]
    rows = []
    for key, (value, comment) in found.keys.items():
        if _is_internal(key) or (value == "" and not comment and _has_children(found, key)):
            continue
        whole = _whole(prefix, key)
        before = known.get(whole, ("", ""))
        taken, told = takes.get(key, ""), comment or said.get(key) or _SAID.get(whole, "")
        known.setdefault(whole, (taken, told))
        rows.append(_row(whole, value, taken or before[0], told or before[1]))
    if rows:
        lines += ["| key | value | takes | what it is |", "| --- | --- | --- | --- |", *rows, ""]
    if more:
        lines += [f"Left out: {', '.join(more)}.", ""]
    return "\n".join(lines)


def command(name: str) -> str:
    """What the page says of the file of a command."""
    found = read(CONF_DIR / f"{name}.yaml")
    hints = _of_root() if name == "train" else {}
    rows = [
        _row(key, value, hints.get(key, ""), comment or _SAID.get(key, ""))
        for key, (value, comment) in found.keys.items()
        if not _is_internal(key) and not (value == "" and not comment and _has_children(found, key))
    ]
    lines = [f"## python -m src.{name}", ""]
    if name == "train":
        chosen = ", ".join(
            f"`{group}={value}`"
            for each in found.tree["defaults"]
            if isinstance(each, dict)
            for group, value in each.items()
            if value is not None and group != "hydra"
        )
        lines += [f"Trains a network. Without another choice: {chosen}.", ""]
    elif found.about:
        lines += [_sentence(found.about), ""]
    return "\n".join([*lines, "| key | value | takes | what it is |", "| --- | --- | --- | --- |", *rows, ""])


def _of_root() -> dict[str, str]:
    """What the keys of the whole run take."""
    parts = {"": Root, "sweep.": Sweep, "suggested.": Suggested, "model.": Model}
    return {
        f"{prefix}{key}": say(hint)
        for prefix, root in parts.items()
        for key, hint in get_type_hints(root, include_extras=True).items()
    }


def _inherited(defaults: list[Any]) -> str:
    """What an option takes over, and what it chooses of other groups."""
    taken = [f"`{each}`" for each in defaults if isinstance(each, str) and each != "_self_"]
    chosen: list[str] = []
    for each in defaults:
        for group, value in each.items() if isinstance(each, dict) else ():
            chosen.append(f"`{group.removeprefix('override ').lstrip('/')}={value}`")
    said = [f"All of {', '.join(taken)}, with what follows." if taken else ""]
    said.append(f"Chooses {', '.join(chosen)}." if chosen else "")
    return " ".join(filter(None, said))


def _is_internal(key: str) -> bool:
    return key.rpartition(".")[2] in OF_HYDRA or key == "defaults" or key.startswith("defaults.")


def _has_children(found: Read, key: str) -> bool:
    return any(other.startswith(f"{key}.") for other in found.keys)


def _whole(prefix: str, key: str) -> str:
    return f"{prefix}.{key}" if prefix else key


def _row(key: str, value: str, takes: str, about: str) -> str:
    cells = [f"`{key}`", f"`{value}`" if value else "", "" if takes == "anything" else takes, _sentence(about)]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _sentence(text: str) -> str:
    linked = re.sub(r"docs/([\w/]+\.md)", r"[docs/\1](../\1)", text)
    # what would be read as the beginning of a tag
    return re.sub(r"<(?=\w)", "&lt;", linked)


def page() -> str:
    """The whole page."""
    groups: Mapping[str, list[str]] = shipped()
    known = dict(_KNOWN) | {key: (takes, _SAID.get(key, "")) for key, takes in _of_root().items()}
    parts = [HEAD, *(command(name) for name in COMMANDS)]
    # those that choose among the others come last
    for group in sorted(groups, key=lambda name: name in ("debug", "experiment", "variant")):
        names = dict.fromkeys([*groups[group], *PARTS.get(group, ())])
        parts += [f"## {group}\n", *(option(group, name, known) for name in names)]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
