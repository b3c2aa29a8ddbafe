"""What happens before the first job of a sweep and after its last one, whatever launches them.

Our sweepers run their jobs inside `guarded`. A callback of Hydra would not do: Hydra swallows its exceptions, and calls
none where a multirun ends by an exception or by Ctrl-C. Nor would the entry point, which does not know the directory.
"""

import logging
import os
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from src.analysis.finish import finish_sweep
from src.analysis.objectives import by_test, given_objectives
from src.analysis.options import Options
from src.analysis.summary import Summary
from src.analysis.varying.units import DRAWS, FOLD
from src.analysis.words.remarks import End
from src.compat.hydra import each_job_apart
from src.compat.torchmetrics import without_scipy_signal
from src.config import folders
from src.config.compose import CONF_DIR, quoted
from src.config.errors import ConfigError
from src.config.metrics import split_of
from src.config.stored import trusted_modules
from src.console.terminal import shown
from src.run.directory import UNFINISHED, RunDir
from src.run.files import is_full_disk, named, remove_parts
from src.run.lock import locked
from src.run.patch import keep_patch
from src.sweep.conflicts import refuse_other_runs, refuse_shared_directories
from src.sweep.few_seeds import few_seeds
from src.sweep.jobs import compose_jobs
from src.sweep.mistakes import refuse_hopeless
from src.sweep.seeds_until import until_of
from src.sweep.until import is_over, n_asked, refuse_fewer_seeds
from src.sweep.values import expand, sampled_values, swept_keys

log = logging.getLogger(__name__)

# What Hydra writes into the directory of a sweep: the command.
_RECORD = "multirun.yaml"

# Draws of a search that its dry run looks at.
_DRAWN = 10


@contextmanager
def guarded(config: DictConfig, *, check: Callable[[DictConfig], None] = lambda _: None) -> Iterator[None]:
    """Refuse a sweep that cannot run, lock its directory while it does, and show at its end what it has come to.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.
        check: Refuses the configuration of a job of a search, in a dry run.

    Raises:
        ConfigError: If jobs would share a directory, or none of them can run, or a directory holds a run of other
            settings, or another command is writing there; nothing is left then.
        SystemExit: After a dry run; and with status 1 if a job has not come to a good end.
    """
    refuse_shared_directories(config)
    _warn_of_test(config)
    _warn_of_luck(config)
    # a typo is found by the check of each job
    if OmegaConf.select(config, "sweep.dry_run") is True:
        raise SystemExit(_dry_run(config, check))
    refuse_hopeless(config)
    refuse_other_runs(config)
    _warn_of_few_seeds(config)
    refuse_fewer_seeds(config)
    sweep_dir = Path(config.hydra.sweep.dir).absolute()
    with _gone_if_unused(sweep_dir), locked(sweep_dir, key="hydra.sweep.dir"), named(sweep_dir), each_job_apart():
        log.info("sweep directory: %s", shown(sweep_dir))
        _refuse_no_file(sweep_dir / _RECORD)
        remove_parts(sweep_dir)
        keep_patch(sweep_dir)
        try:
            yield
        except BaseException as error:
            # where a mistake has ended it before its first job, there is nothing to show
            if type(error) is not ConfigError:
                # a disk that is full has interrupted jobs, whose processes are not lost
                is_full = is_full_disk(error)
                is_interrupted = is_full or not isinstance(error, Exception)
                _show(config, sweep_dir, is_over=False, is_interrupted=is_interrupted, has_room=not is_full)
            raise
        if not _show(config, sweep_dir, is_over=True):
            raise SystemExit(1)


def has_all(config: DictConfig) -> bool:
    """Whether all jobs of a sweep have completed in a directory that one may only read: nothing is left to do.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.
    """
    sweep_dir = Path(config.hydra.sweep.dir)
    record = sweep_dir / _RECORD
    if os.access(record if record.exists() else sweep_dir, os.W_OK):
        return False
    jobs = expand(config)
    if until_of(config) is not None:
        return is_over(config)
    try:
        return bool(jobs) and all(
            RunDir(job.run_dir).look(job.asked, texts=job.texts) == "completed"
            for job in compose_jobs(config, jobs or [])
        )
    except ConfigError:
        # one that cannot be read
        return False


def _refuse_no_file(path: Path) -> None:
    """Refuse what stands in a file's place: Hydra would wait for somebody who reads from a pipe, or fail at the end."""
    if (path.exists() or path.is_symlink()) and not path.is_file():
        raise ConfigError(
            f"{path} cannot be written: no file but a directory, a device or a link that leads nowhere is there; "
            "remove it, and the same command goes on"
        )


def _warn_of_test(config: DictConfig) -> None:
    """Say it where jobs are to be chosen among by what the test part measures."""
    objectives = list(given_objectives(OmegaConf.select(config, "hydra.sweeper.objectives")))
    key = "hydra.sweeper.objectives" if objectives else "optimized_metric"
    found = by_test(objectives or [str(OmegaConf.select(config, "optimized_metric"))])
    if found:
        log.warning(
            "%s: %s is measured on the test part, which is there for the one test at the end: if it chooses the best, "
            "its numbers look better than they are. Choose by %s; the test part is measured in any case",
            key,
            ", ".join(found),
            ", ".join(f"val/{split_of(name)[1]}" for name in found),
        )


def _warn_of_few_seeds(config: DictConfig) -> None:
    """Say it where a sweep cannot answer what it asks."""
    if (said := few_seeds(config)) is not None:
        log.warning(said)


def _warn_of_luck(config: DictConfig) -> None:
    """Say it where a search may choose what it is to average over."""
    drawn = [key for key in swept_keys(config) if key in ("seed", FOLD, *DRAWS)]
    if drawn and expand(config) is None:
        repeats = (OmegaConf.select(config, "hydra.sweeper.n_seeds") or 1) > 1
        log.warning(
            "%s: a search keeps the value whose draw was lucky, and is told nothing of the others. Give one%s, or "
            "compare what it has found over all of them in its own sweep",
            ", ".join(drawn),
            "" if repeats else ", and let hydra.sweeper.n_seeds=3 repeat each trial",
        )


def _dry_run(config: DictConfig, check: Callable[[DictConfig], None]) -> int:
    """Of all jobs; of a search, which decides as it goes, a sample."""
    from src.sweep.dry_run import dry_run, dry_run_of_sample  # and with it torch

    jobs = expand(config)
    if jobs is not None:
        status = dry_run(compose_jobs(config, jobs))
        if status == 0:
            _warn_of_few_seeds(config)
        return status
    return dry_run_of_sample(config, sampled_values(config, _DRAWN), check)


def _show(
    config: DictConfig, sweep_dir: Path, *, is_over: bool, is_interrupted: bool = False, has_room: bool = True
) -> bool:
    """Show what the jobs have come to, if any has begun; whether all of them have come to a good end."""
    if not any(sweep_dir.glob("**/.hydra")):
        return is_over
    # one that is interrupted is to end at once
    draws = is_over and OmegaConf.select(config, "hydra.launcher.pictures") == "report"
    end = End(_n_asked(config, is_over=is_over), is_interrupted, has_room)
    options = Options(margin=OmegaConf.select(config, "sweep.margin"))
    found = finish_sweep(sweep_dir, draw=_draw if draws else None, end=end, options=options)
    is_complete = found.is_complete and is_over
    if is_complete:
        # a stack may have been killed between the last of its records and its end
        shutil.rmtree(sweep_dir / UNFINISHED, ignore_errors=True)
    else:
        given = f"hydra.sweep.dir={quoted(sweep_dir)}"
        log.warning("The same command with %s goes on: jobs that completed are kept", shlex.quote(given))
    return is_complete


def _n_asked(config: DictConfig, *, is_over: bool) -> int | None:
    """How many jobs the directory was to hold; None where nobody knows.

    A search may end before its last trial, as a grid does, and others may run some trials of a storage that is shared.
    """
    jobs = expand(config)
    if jobs is not None:
        return n_asked(config, len(jobs))
    if is_over or OmegaConf.select(config, "hydra.sweeper.storage") is not None:
        return None
    n_trials, n_seeds = (OmegaConf.select(config, f"hydra.sweeper.{key}") for key in ("n_trials", "n_seeds"))
    return None if n_trials is None else int(n_trials * (n_seeds or 1))


def _draw(summary: Summary) -> None:
    with without_scipy_signal():
        from src.sweep.pictures import draw_for_report  # and with it torch

    # a package that the user's own files name is trusted in what their jobs have stored
    draw_for_report(summary, trusted=trusted_modules(sorted(folders.packages(CONF_DIR))))


@contextmanager
def _gone_if_unused(path: Path) -> Iterator[None]:
    """Remove a directory after an exception, if it is new and no job or worker has made a folder in it."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        yield
    # whatever has ended the sweep is raised again below; only Ctrl-C, no Exception, leaves what is there to go on from
    except Exception:
        if new and path.exists() and not any(child.is_dir() for child in path.iterdir()):
            shutil.rmtree(path)
            for parent in new[1:]:
                if not any(parent.iterdir()):
                    parent.rmdir()
        raise
