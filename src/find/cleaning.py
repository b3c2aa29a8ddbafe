"""Deleting runs and sweeps: only what this project has written, not behind a link, and not what is being written."""

import contextlib
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from src.find.index import SWEEP_FILE, Catalogue, Found, is_plain_folder
from src.run.lock import LockedError, locked

# What runs and their loggers write into a run's directory, and sweeps into theirs beside their jobs.
_OF_RUN = re.compile(
    r"\.hydra|checkpoints|plots|tensorboard|csv|wandb|mlruns|(metrics|logged)\.csv|(trial|result|data|calibration)\.json|"
    r"code\.patch|\w+\.log|\..*\.part|hparams\.yaml|README\.txt|SHA256SUMS|.*\.set_aside"
)
_OF_SWEEP = re.compile(
    r"multirun\.yaml|optimization_results\.yaml|study\.(db|log|html|json)(-\w+)?|code\.patch|"
    r"(summary|report|table|methods|curves|groups|ranks)\.[\w.-]+|\.sweeper|README\.txt|SHA256SUMS|\.submitit|\.unfinished|\.hydra|\..*\.part|\w+\.log|\w+\.set_aside"
)
_BESIDE_IT = "move it away, or give foreign=true to delete it as well"


@dataclass(frozen=True)
class Doomed:
    """A directory to delete.

    Attributes:
        name: Path relative to the folder that was searched.
        path: The directory.
        jobs: The jobs of a sweep that goes as a whole; empty for a run.
        n_bytes: Size of its files.
    """

    name: str
    path: Path
    jobs: tuple[Path, ...]
    n_bytes: int


def plan(catalogue: Catalogue, selected: Sequence[Found], *, foreign: bool) -> tuple[list[Doomed], list[str]]:
    """What would be deleted, and why the rest of what is meant stays, a line each.

    A sweep all of whose jobs are meant goes as a whole, if nothing else lies there; else those jobs alone.
    """
    doomed, kept = list[Doomed](), list[str]()
    meant = {run.name for run in selected}
    for sweep in dict.fromkeys(run.sweep for run in selected if run.sweep is not None):
        jobs = [run for run in catalogue.runs if run.sweep == sweep]
        own = [job for job in jobs if job.name in meant]
        refused = {job.name: why for job in own if (why := _refusal(job.path, foreign=foreign))}
        path = catalogue.under / sweep
        if len(own) == len(jobs) and not refused and sweep != ".":
            why = _sweep_refusal(path, [job.path for job in jobs], foreign=foreign)
            if why is None:
                doomed.append(Doomed(sweep, path, tuple(job.path for job in jobs), size_of(path)))
                continue
            kept.append(f"{sweep} itself stays: {why}")
        doomed += [Doomed(job.name, job.path, (), size_of(job.path)) for job in own if job.name not in refused]
        kept += [f"{name} stays: {why}" for name, why in refused.items()]
    for run in selected:
        if run.sweep is not None:
            continue
        why = "it is the folder that is searched" if run.name == "." else _refusal(run.path, foreign=foreign)
        if why is None:
            doomed.append(Doomed(run.name, run.path, (), size_of(run.path)))
        else:
            kept.append(f"{run.name} stays: {why}")
    return doomed, kept


def delete(catalogue: Catalogue, doomed: Sequence[Doomed], *, say: Callable[[str], None]) -> int:
    """Delete, and give the bytes that are free; what is being written to stays, and is told."""
    freed = 0
    for each in doomed:
        try:
            with _all_locked(each, catalogue):
                if not is_plain_folder(each.path):
                    say(f"{each.name} stays: it is no directory any more")
                    continue
                # gone at once, so that nobody reads half of it
                aside = each.path.with_name(f".{each.path.name}.{os.getpid()}.deleted")
                each.path.rename(aside)
                shutil.rmtree(aside)
        except LockedError:
            say(f"{each.name} stays: a command is writing there")
        except OSError as error:
            say(f"{each.name} is not deleted: {error.strerror or error}")
        else:
            freed += each.n_bytes
    return freed


def size_of(path: Path) -> int:
    """Bytes of the files below a directory, links not followed."""
    total, waiting = 0, [path]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def in_words(n_bytes: int) -> str:
    """A size: 3.2 MB."""
    size = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


@contextlib.contextmanager
def _all_locked(each: Doomed, catalogue: Catalogue) -> Iterator[None]:
    """Hold the directory and the sweeps above it, once no job below it is held by anybody else."""
    above = [parent for parent in each.path.parents if parent.is_relative_to(catalogue.under)]
    sweeps = [path for path in above if (path / SWEEP_FILE).is_file()]
    with contextlib.ExitStack() as stack:
        for path in (*sweeps, each.path):
            if is_plain_folder(path):
                stack.enter_context(locked(path, key="directory"))
        for path in each.jobs:
            # one after the other: a process may hold some hundred files open, and a sweep has more jobs
            if is_plain_folder(path):
                with locked(path, key="directory"):
                    pass
        yield


def _refusal(path: Path, *, foreign: bool) -> str | None:
    """Why a directory is not deleted as a run; None where it is one, and nothing else."""
    if not is_plain_folder(path):
        return "it is no directory, but a link"
    hydra = path / ".hydra"
    has_config = is_plain_folder(hydra) and _is_file(hydra / "config.yaml")
    if not (has_config or _is_file(path / "result.json")):
        return "it holds neither .hydra/config.yaml nor result.json as plain files"
    if why := _holds_more(path, itself=True):
        return why
    others = [each.name for each in path.iterdir() if not _OF_RUN.fullmatch(each.name)]
    return None if foreign or not others else f"it holds {others[0]}, which no run has written; {_BESIDE_IT}"


def _sweep_refusal(path: Path, jobs: Sequence[Path], *, foreign: bool) -> str | None:
    if not is_plain_folder(path):
        return "it is no directory, but a link"
    for each in path.iterdir():
        if each in jobs or _OF_SWEEP.fullmatch(each.name):
            continue
        # jobs of a subdir such as lr=0.1/0 have folders of their own
        if is_plain_folder(each) and _leads_to(each, jobs):
            continue
        if not foreign:
            return f"it holds {each.name}, which no sweep has written; {_BESIDE_IT}"
        if why := _holds_more(each, itself=False) if is_plain_folder(each) else None:
            return why
    return None


def _leads_to(path: Path, jobs: Sequence[Path]) -> bool:
    """Whether a folder holds jobs, and nothing but folders that do."""
    if path in jobs:
        return True
    inside = list(path.iterdir())
    return bool(inside) and all(is_plain_folder(each) and _leads_to(each, jobs) for each in inside)


def _holds_more(path: Path, *, itself: bool) -> str | None:
    """Why it is more than one run: another run, a sweep or a checkout lies below it."""
    for folder, children, files in os.walk(path):
        here = Path(folder)
        if here == path and itself:
            found = ".git" in children or ".git" in files or SWEEP_FILE in files
        else:
            found = bool({".git", ".hydra"} & set(children) or {SWEEP_FILE, "result.json", ".git"} & set(files))
        if found:
            return f"{here} is another run, a sweep or a checkout"
    return None


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
