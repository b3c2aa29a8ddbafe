"""A sweep that trains nothing: every job composed, checked and put together, then shown."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from src.build import build
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.schema import check
from src.console.terminal import open_terminal
from src.run.directory import RunDir
from src.sweep.jobs import Job, hydra_config

# Rows of the table; what is wrong is shown in full.
_SHOWN = 40

_WORDS = {"fresh": "to run", "resume": "to go on", "completed": "completed"}


def dry_run(jobs: Iterable[Job]) -> int:
    """Check jobs without leaving a trace, and print what would be done.

    Returns:
        0 if all of them can run, else 1.
    """
    states: list[tuple[Job, str]] = []
    problems: list[tuple[Job, str]] = []
    for job in jobs:
        state, problem = _state(job)
        states.append((job, state))
        if problem:
            problems.append((job, problem))
    _print(states, problems)
    return 1 if problems else 0


def _state(job: Job) -> tuple[str, str | None]:
    try:
        return _check(job), None
    except ConfigError as error:
        return "error", str(error)


def _check(job: Job) -> str:
    choices = job.hydra_cfg.hydra.runtime.choices
    check(job.cfg, choices=choices, overrides=job.overrides, conf_dir=CONF_DIR)
    found = RunDir(job.run_dir).look(job.cfg)
    if found != "completed":
        with hydra_config(job.hydra_cfg):
            build(job.cfg)
    return _WORDS[found]


def _shown(overrides: Sequence[str]) -> str:
    return " ".join(line for line in overrides if not line.startswith("sweep.dry_run="))


def _print(states: list[tuple[Job, str]], problems: list[tuple[Job, str]]) -> None:
    table = Table("job", "state", "overrides", title="dry run")
    for job, state in states[:_SHOWN]:
        table.add_row(str(job.number), state, Text(_shown(job.overrides)))
    if len(states) > _SHOWN:
        table.add_row("...", "", f"{len(states) - _SHOWN} more")
    out = open_terminal()
    out.print(table)
    for job, message in problems:
        out.print(Text(f"job {job.number}: {message}"), soft_wrap=True)
    counts = Counter(state for _, state in states)
    parts = ", ".join(f"{n} {'with errors' if state == 'error' else state}" for state, n in counts.items())
    out.print(f"{len(states)} job{'s' if len(states) != 1 else ''}: {parts}; nothing was trained", highlight=False)
