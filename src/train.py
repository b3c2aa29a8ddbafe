"""Train, evaluate and record one run: ``python -m src.train model=circle_v2 data=circles``."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

if not __package__:  # python src/train.py: `src` stands beside this folder, not in it
    sys.path[0] = str(Path(__file__).resolve().parents[1])
if __name__ == "__main__":
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl-C while modules are imported, and once all is said, wants no traceback of either
        signal.signal(signal.SIGINT, signal.SIG_DFL)

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from src.analysis.objectives import given_objectives
from src.compat.torchmetrics import without_scipy_signal
from src.config import folders
from src.config.command import interrupts
from src.config.command.entry import entry
from src.config.compose import given_overrides, hydra_overrides, lasting, quoted
from src.config.errors import ConfigError, offer
from src.console.place import Place
from src.console.results import print_end, print_hints
from src.hints.rules import command
from src.launch import ranks
from src.record import Recorder, record_failed_job
from src.run.directory import RunDir
from src.run.files import named, remove
from src.run.lock import locked
from src.run.log import keep
from src.run.patch import keep_patch
from src.run.result import Result
from src.run.trial import PrunedError

log = logging.getLogger(__name__)

T = TypeVar("T")


def train(cfg: DictConfig, *, overrides: Sequence[str] = (), hydra_cfg: DictConfig | None = None) -> float | None:
    """Train in ``cfg.run_dir``, or take up what an earlier call with the same configuration has left there.

    Args:
        cfg: A composed configuration of conf/train.yaml.
        overrides: What it was composed from, for the records.
        hydra_cfg: Hydra's own configuration, for the records.

    Returns:
        The value of ``cfg.optimized_metric``.

    Raises:
        ConfigError: If the configuration holds an error, or the directory belongs to another one, or to a command that
            is still running.
    """
    run, is_first = RunDir(Path(cfg.run_dir)), ranks.is_first_process()
    is_job = hydra_cfg is not None and _is_job(hydra_cfg)
    overrides = lasting(overrides)
    recorder = Recorder(run=run, cfg=cfg, overrides=overrides, is_job=is_job, is_first=is_first)
    with locked(run.path, key="run_dir") if is_first else nullcontext():
        claim = run.claim(cfg, overrides=overrides, hydra_cfg=hydra_cfg) if is_first else run.look(cfg)
        if claim == "completed":
            return recorder.stored().value
        if claim == "fresh" and cfg.get("resume") == "extend" and is_first:
            log.warning(
                "resume=extend: there is no run in %s to go on with; it is trained from the beginning", run.path
            )
        if is_first and not is_job:
            keep_patch(run.path)
        if claim == "extend":
            return _extend(cfg, run, recorder, hydra_cfg=hydra_cfg)
        return _train(cfg, run, recorder, resume=claim == "resume")


def _extend(cfg: DictConfig, run: RunDir, recorder: Recorder, *, hydra_cfg: DictConfig | None) -> float | None:
    """Go on with a run that has ended, aside, and put what that leaves in the place of what it had."""
    if ranks.wants_many(cfg.trainer):
        raise ConfigError("resume=extend: a run goes on for longer in one process; give trainer.devices=1")
    aside = run.extension
    own = cfg.copy()
    own.run_dir, own.resume = str(aside.path.absolute()), "auto"
    try:
        claim = aside.claim(own, overrides=recorder.overrides, hydra_cfg=hydra_cfg)
    except ConfigError as error:
        log.warning("%s: what it has left of another length is removed (%s)", aside.path, str(error).splitlines()[0])
        remove(aside.path)
        claim = aside.claim(own, overrides=recorder.overrides, hydra_cfg=hydra_cfg)
    if claim != "completed":
        _train(own, aside, replace(recorder, run=aside, cfg=own), resume=claim == "resume", shorter=run)
    run.take_over(cfg)
    result = run.result()
    assert result is not None
    print_end(result, run_dir=run.path, place=_place(recorder))
    return result.value


def _train(
    cfg: DictConfig, run: RunDir, recorder: Recorder, *, resume: bool, shorter: RunDir | None = None
) -> float | None:
    """Train in a directory that is claimed, and record how that ends.

    Args:
        cfg: The configuration.
        run: The directory.
        recorder: Of its result.
        resume: Whether it goes on from its last checkpoint.
        shorter: The run that it goes on from where it has none of its own.
    """
    is_first, is_job = recorder.is_first, recorder.is_job
    try:
        with interrupts.meant(), without_scipy_signal():
            from src.fit import fit  # and with it torch
        with interrupts.meant(), named(run.path):
            show = is_first and not is_job
            fitted = _without_exit(fit)(cfg, run, resume=resume, show=show, shorter=shorter)
    except PrunedError as pruned:
        log.info("%s: %s", pruned, run.path)
        return recorder.pruned(pruned).value
    except Exception as error:
        # what is refused before it has left anything is no run; in a sweep it stands in the table of failures
        if isinstance(error, ConfigError) and is_first and not is_job:
            if shorter is not None:
                remove(run.path)
                raise
            if run.withdraw():
                raise
        failed = recorder.failed(error)
        if failed.error is not None and failed.error.message != str(error):
            # of several processes that train this run, another one failed first: this one has only lost it
            log.error("another process of this run has failed: %s: %s", failed.error.type, failed.error.message)
            raise SystemExit(1) from None
        if not is_job:
            _tell_failure(error, failed)
        raise
    result = recorder.completed(fitted)
    if is_first:
        run.tidy(is_over=True)
    if shorter is None and is_first:
        print_end(result, run_dir=run.path, place=_place(recorder), objectives=_objectives(recorder))
    return result.value


def _tell_failure(error: Exception, failed: Result) -> None:
    """Leave in the log why a single run has failed, and say what may help: a reason that the error gives but once."""
    keep(__name__, f"failed: {type(error).__name__}: {error}", *(f"try: {hint['try']}" for hint in failed.hints))
    said = [hint for hint in failed.hints if hint["seen"] in str(error)]
    print_hints([hint for hint in failed.hints if hint not in said])
    offer(error, [hint["try"] for hint in said])


def _without_exit(function: Callable[..., T]) -> Callable[..., T]:
    """Refuse that data, a network or a callback end a run as if all were well: it would leave no result."""

    def checked(*args: Any, **kwargs: Any) -> T:
        try:
            return function(*args, **kwargs)
        except SystemExit as ended:
            if ended.code:
                raise
            raise ConfigError("data, model or callbacks of this run have called sys.exit(), before its end") from ended

    return checked


def _place(recorder: Recorder) -> Place | None:
    """Where a run stands in its sweep; None for one by itself."""
    return Place.of(int(HydraConfig.get().job.num)) if recorder.is_job else None


def _objectives(recorder: Recorder) -> list[str]:
    """What the search of a job looks at, where it is told as `hydra.sweeper.objectives`."""
    hydra: Any = HydraConfig.get() if recorder.is_job else OmegaConf.create()
    return list(given_objectives(OmegaConf.select(hydra, "sweeper.objectives")))


def _is_job(hydra_cfg: DictConfig) -> bool:
    """Whether this is one of the many runs of a sweep, whose end shows them in tables."""
    return bool(hydra_cfg.mode == RunMode.MULTIRUN)


def reproduce(source: Path, run_dir: Path, *, hydra_cfg: DictConfig | None = None) -> bool:
    """Run a stored configuration again in another directory, and print how nearly both agree.

    Args:
        source: Directory of a run, which may be a stranger's: it runs nothing that it may not.
        run_dir: Where it runs again.
        hydra_cfg: Hydra's own configuration, for the records.

    Returns:
        Whether metrics and weights are equal in every digit.

    Raises:
        ConfigError: If the directory is none of a completed run, or holds what it may not.
    """
    stored = RunDir(source).result()
    with without_scipy_signal():
        from src.reproduce import compare, configuration  # and with it torch

        cfg = configuration(source, run_dir)
    train(cfg, overrides=stored.overrides if stored else (), hydra_cfg=hydra_cfg)
    found = compare(source, run_dir)
    found.show(stored=source, now=run_dir)
    return found.is_equal


@entry("train", tolerate=record_failed_job)
def main(cfg: DictConfig) -> float | None:
    """Command line."""
    hydra_cfg: Any = HydraConfig.get()
    overrides = given_overrides(hydra_cfg)
    ranks.end_with_sweep()
    if not _is_job(hydra_cfg):
        _tell_unheard(hydra_overrides(hydra_cfg))
        # before several processes are refused: each trains a run of its own
        ranks.be_alone(cfg)
    ranks.check_processes(cfg, hydra_cfg)
    ranks.be_alone(cfg)
    if cfg.get("reproduce") is not None:
        run_dir = Path(hydra_cfg.runtime.output_dir)
        if not reproduce(Path(cfg.reproduce).expanduser(), run_dir, hydra_cfg=hydra_cfg):
            raise SystemExit(1)
        return None
    if ranks.is_own_command(cfg, hydra_cfg):
        own = [*folders.with_search_path([]), *overrides]
        return ranks.run_as_command("src.train", own, Path(cfg.run_dir), cwd=Path(hydra_cfg.runtime.cwd))
    try:
        return train(cfg, overrides=overrides, hydra_cfg=hydra_cfg)
    except KeyboardInterrupt:
        if _is_job(hydra_cfg):
            raise
        _tell_how_to_go_on(cfg, hydra_cfg)
        raise SystemExit(interrupts.status()) from None


def _tell_unheard(overrides: Sequence[str]) -> None:
    """Name what a single run does not listen to."""
    unheard = [line for line in overrides if re.match(r"\+*hydra[/.](sweeper|launcher)\b", line)]
    if unheard:
        log.warning("%s: this is a single run, and only sweeps look at that; -m makes it one", ", ".join(unheard))


def _tell_how_to_go_on(cfg: DictConfig, hydra_cfg: DictConfig) -> None:
    """One line for a run that was interrupted."""
    run = RunDir(Path(cfg.run_dir))
    goes_on = run.checkpoint("last").is_file()
    again = command([*given_overrides(hydra_cfg), *hydra_overrides(hydra_cfg)], [f"hydra.run.dir={quoted(run.path)}"])
    what = (
        "interrupted; to go on from its checkpoint" if goes_on else "interrupted before its first checkpoint; to begin"
    )
    log.warning("%s: %s", what, again)


if __name__ == "__main__":
    main()
