"""A sweep that trains nothing: every job composed, checked and put together, then shown."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from hydra.errors import HydraException
from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from src.build import build
from src.config.command.explain import Source
from src.config.compose import CONF_DIR
from src.config.errors import ConfigError
from src.config.schema import check
from src.console.terminal import open_terminal, print_table
from src.launch.job import JobSpec
from src.run.directory import RunDir
from src.sweep.jobs import Job, as_its_run, compose_jobs

AnyJob = TypeVar("AnyJob", Job, JobSpec)

# Rows of the table; what is wrong is shown in full.
_SHOWN = 40

_WORDS = {"fresh": "to run", "resume": "to go on", "completed": "completed", "extend": "to extend"}


def dry_run(jobs: Iterable[Job]) -> int:
    """Check jobs without leaving a trace, and print what would be done.

    Returns:
        0 if all of them can run, else 1.
    """
    return _dry_run(jobs, _check, what="job")


def dry_run_of_sample(config: DictConfig, sample: Sequence[Sequence[str]], check: Callable[[DictConfig], None]) -> int:
    """The same of jobs that a search may come to: their numbers, and so their directories, are not known yet.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.
        sample: Overrides of each.
        check: Refuses the configuration of one.
    """

    def can_run(drawn: JobSpec) -> str:
        try:
            (job,) = compose_jobs(config, [drawn.overrides], [drawn.number])
        # values that do not go together fail their own trial
        except HydraException as error:
            raise ConfigError(Source("train", CONF_DIR).explain(error, drawn.overrides) or str(error)) from error
        _check_parts(job)
        check(job.cfg)
        return "can run"

    return _dry_run([JobSpec(i, tuple(row)) for i, row in enumerate(sample)], can_run, what="sampled job")


def _dry_run(jobs: Iterable[AnyJob], check: Callable[[AnyJob], str], *, what: str) -> int:
    states: list[tuple[Job | JobSpec, str]] = []
    problems: list[tuple[Job | JobSpec, str]] = []
    for job in jobs:
        state, problem = _state(job, check)
        states.append((job, state))
        if problem:
            problems.append((job, problem))
    _print(states, problems, what)
    return 1 if problems else 0


def _state(job: AnyJob, check: Callable[[AnyJob], str]) -> tuple[str, str | None]:
    try:
        return check(job), None
    except ConfigError as error:
        return "error", str(error)


def _check(job: Job) -> str:
    _check_values(job)
    found = RunDir(job.run_dir).look(job.cfg)
    if found != "completed":
        _build(job)
    return _WORDS[found]


def _check_parts(job: Job) -> None:
    _check_values(job)
    _build(job)


def _check_values(job: Job) -> None:
    check(job.cfg, choices=job.hydra_cfg.hydra.runtime.choices, overrides=job.overrides, conf_dir=CONF_DIR)


def _build(job: Job) -> None:
    with as_its_run(job):
        build(job.cfg)


def _shown(overrides: Sequence[str]) -> str:
    return " ".join(line for line in overrides if not line.startswith("sweep.dry_run="))


def _print(states: list[tuple[Job | JobSpec, str]], problems: list[tuple[Job | JobSpec, str]], what: str) -> None:
    table = Table("job", "state", "overrides", title="dry run")
    for job, state in states[:_SHOWN]:
        table.add_row(str(job.number), state, Text(_shown(job.overrides)))
    if len(states) > _SHOWN:
        table.add_row("...", "", f"{len(states) - _SHOWN} more")
    out = open_terminal()
    print_table(out, table)
    for job, message in problems:
        out.print(Text(f"job {job.number}: {message}"), soft_wrap=True)
    counts = Counter(state for _, state in states)
    parts = ", ".join(f"{n} {'with errors' if state == 'error' else state}" for state, n in counts.items())
    out.print(f"{len(states)} {what}{'s' if len(states) != 1 else ''}: {parts}; nothing was trained", highlight=False)
