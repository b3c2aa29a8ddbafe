"""What a reader of a summary must know beside its numbers, in lines: what was left out, what intervals cover."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from src.analysis.data_sets import across
from src.analysis.objectives import is_search
from src.analysis.records import JobRecord
from src.analysis.scale import percent
from src.analysis.settling import file as settling_file
from src.analysis.stats.bootstrap import FEWEST
from src.analysis.stats.interval import LEVEL
from src.analysis.stats.planning import fewest
from src.analysis.summary import Summary
from src.analysis.varying import draws
from src.analysis.varying.covered import how_to_draw_more
from src.analysis.varying.units import SEED
from src.analysis.words.headings import shown
from src.analysis.words.sentences import failed_words

N_NAMES = 20
N_FAILED = 5

# Groups of which the best one was chosen, and may have been lucky.
_SEVERAL = 3


class End(NamedTuple):
    """How the command has ended that ran a sweep: no job of it runs any longer.

    Attributes:
        n_asked: Jobs that it was to run; None where nobody knows.
        is_interrupted: Whether it was told to end.
        has_room: Whether there is room for files; False where a full disk has ended it, which is said once.
    """

    n_asked: int | None
    is_interrupted: bool
    has_room: bool = True


def remarks(summary: Summary, failed: Sequence[JobRecord], end: End | None = None) -> Iterable[str]:
    """Yield what else a reader must know, and where things lie."""
    for sweep_dir in dict.fromkeys(job.sweep_dir for job in failed):
        own = [job for job in failed if job.sweep_dir == sweep_dir]
        yield _where_failures_lie(sweep_dir, own, [job for job in own if (job.path / "train.log").is_file()])
    for metric in summary.metrics:
        lost = [job for job in summary.jobs if job.status == "completed" and metric not in job.metrics]
        if lost:
            yield f"left out of each {_estimates(summary)} of {metric}, which is no finite number there: {_names(lost)}"
    yield from _failed(summary)
    yield from _repeated(summary)
    yield from _not_compared(summary)
    yield from _intervals(summary)
    yield from across.lines(summary)
    yield from draws.lines(summary)
    yield from settling_file.lines(summary.sweep_dirs)
    if summary.by_test:
        yield (
            f"the best was chosen by {', '.join(summary.by_test)}, so its test numbers look better than they are; "
            "choose by val/..., the test part is measured in any case"
        )
    yield from (problem for job in summary.jobs for problem in job.problems)
    yield counts(summary, end)


def _failed(summary: Summary) -> Iterable[str]:
    """Say which runs have failed, of the first groups, and by what."""
    if not summary.metrics or not summary.tells_failed:
        return
    counted = [ranked for ranked in summary.groups if ranked.failed.of]
    by = f"{summary.criterion}, or no number" if summary.criterion else "no number"
    named = counted if len(counted) <= N_FAILED else [ranked for ranked in counted if ranked.failed.n][:N_FAILED]
    listed = [f"{ranked.group.label} {failed_words(ranked)}" for ranked in named]
    if len(named) < len(counted):
        others = sum(ranked.failed.n > 0 for ranked in counted) - len(named)
        listed += [f"{_count(others, 'more group')}" if others else f"none of {'the other' if named else 'all'} groups"]
    yield f"runs that failed ({by}): {'; '.join(listed)}"


def _intervals(summary: Summary) -> Iterable[str]:
    """Say what intervals cover, and why some are less sure or missing."""
    found = [each for each in shown(summary) if each.n > 1]
    unit = summary.units[0] if summary.units else SEED
    if any(each.interval is not None and not each.interval.is_sure for each in found):
        least = unit.number(fewest(1 - LEVEL))
        yield f"with fewer than {least} no interval of a median reaches {percent(LEVEL)}; each says what it reaches"
    if any(each.interval is None and each.name == "iqm" and each.n < FEWEST for each in found):
        yield f"an interquartile mean has an interval from {unit.number(FEWEST)} on"
    unbounded = [name for name in summary.metrics if _has_bare_mean(summary, name)]
    if unbounded:
        yield (
            f"the mean of {', '.join(unbounded)} has no interval: there is no upper bound, so one rare run could move "
            "it anywhere"
        )
    if summary.covers and any(each.interval is not None for each in found):
        more = how_to_draw_more([ranked.group for ranked in summary.groups])
        yield f"intervals cover {summary.covers}{more and f' ({more})'}"
    if len(summary.groups) >= _SEVERAL and any(each.interval is not None for each in found):
        yield (
            f"the best of {len(summary.groups)} groups may owe a part of its place to luck, so its interval holds a "
            "little less often than it says"
        )
    units = [ranked.group.unit for ranked in summary.groups for each in ranked.estimates.values() if each.n > 1]
    if any(unit.overlap for unit in units):
        yield (
            "intervals and p values are those of the corrected resampled t test (Nadeau and Bengio 2003): the training "
            "parts of folds overlap, so that the usual interval is too narrow"
        )


def _has_bare_mean(summary: Summary, metric: str) -> bool:
    means = (ranked.estimates[metric] for ranked in summary.groups if metric in ranked.estimates)
    return any(each.name == "mean" and each.n > 1 and each.interval is None for each in means)


def _estimates(summary: Summary) -> str:
    return " or ".join(dict.fromkeys(each.words for each in shown(summary))) or "median"


def _repeated(summary: Summary) -> Iterable[str]:
    for unit in summary.units:
        n = sum(ranked.group.n_repeated for ranked in summary.groups if ranked.group.unit.noun == unit.noun)
        if n and unit.noun == "fold":
            yield f"{_count(n, 'run')} of a fold {'was' if n == 1 else 'were'} made more than once; each counts once"
        elif n:
            were = f"{unit.noun} was" if n == 1 else f"{unit.plural} of a group were"
            yield f"{n} {were} run more than once; each counts once, with the mean of its values"


def _not_compared(summary: Summary) -> Iterable[str]:
    folds = [each for each in summary.comparisons if each.unit.noun == "fold" and each.difference is None]
    if folds:
        others = len({each.second for each in folds})
        yield (
            f"{_count(others, 'group')} not compared with the best: folds of one number hold the same rows only where "
            "data.folds, data.repeats, data.split_seed and the data are the same"
        )
    elif len(summary.groups) > 1 and summary.comparisons and all(each.p_value is None for each in summary.comparisons):
        unit = summary.comparisons[0].unit
        if is_search(summary.sweep_dirs):
            yield (
                f"the best is the luckiest of {len(summary.groups)} trials with one seed each; "
                "hydra.sweeper.n_seeds=3 repeats each trial"
            )
            return
        key = {"seed": "seed", "draw": "data.seed", "fold": "data.fold"}[unit.noun]
        yield f"too few {unit.plural} to compare groups: give each several, such as '{key}=range(0,8)'"


def counts(summary: Summary, end: End | None = None) -> str:
    """One line with the number of jobs that were asked for, and what has become of them."""
    words: dict[str, str] = {"unfinished": "interrupted"} if end is not None and end.is_interrupted else {}
    found = {words.get(status, status): n for status, n in summary.counts.items()}
    n_jobs = len(summary.jobs)
    # directories of an earlier command with more jobs may be among those that were found
    found["not begun"] = max(0, ((end and end.n_asked) or 0) - n_jobs)
    listed = [f"{n} {status}" for status, n in found.items() if n or status == "completed"]
    return f"{_count(n_jobs + found['not begun'], 'job')}: {', '.join(listed)}"


def _where_failures_lie(sweep_dir: Path, failed: Sequence[JobRecord], with_log: Sequence[JobRecord]) -> str:
    """Only of files that are there: `hydra.job_logging` may leave out the log."""
    if not with_log:
        return f"tracebacks of failed jobs: {sweep_dir}/<job>/result.json"
    of = "" if len(with_log) == len(failed) else f" of {_names(with_log)}"
    return f"logs of failed jobs: {sweep_dir}/<job>/train.log{of}; tracebacks: result.json beside it"


def _names(jobs: Sequence[JobRecord]) -> str:
    names = [f"job {job.name}" for job in jobs]
    return ", ".join(names[:N_NAMES]) + (f" and {len(names) - N_NAMES} more" if len(names) > N_NAMES else "")


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"
