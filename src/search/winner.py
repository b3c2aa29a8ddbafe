"""Which trial of a search has won, if any: the best one has to beat all others on the seeds that they share."""

import math
from collections.abc import Collection
from dataclasses import dataclass

from optuna.trial import FrozenTrial, TrialState

from src.analysis.records import JobRecord, read_jobs
from src.analysis.stats.interval import LEVEL
from src.analysis.stats.planning import fewest
from src.analysis.summary import summarise
from src.config.metrics import RECORDED
from src.search.study import SearchStudy

# Trials that are named where there is no winner.
_MOST = 4


@dataclass(frozen=True)
class Winner:
    """What a search has come to.

    Attributes:
        text: In words.
        is_clear: Whether one trial is better than all others, and chance an unlikely reason.
    """

    text: str
    is_clear: bool


def winner(study: SearchStudy) -> Winner | None:
    """Compare the best trial with the others; None where there is nothing to say, or trials have several objectives.

    Of one seed each the best is the luckiest: of N equal trials, the one whose draw was best.
    """
    done = [trial for trial in study.trials() if trial.state == TrialState.COMPLETE]
    if len(done) < 2 or len(study.options.objectives) > 1:
        return None
    best, *_ = study.optuna.best_trials
    if study.options.n_seeds == 1:
        least = fewest((1 - LEVEL) / math.comb(len(done), 2))
        return Winner(
            f"trial {best.number} is the luckiest of {len(done)} with one seed each, and how much of it is luck cannot "
            f"be told; hydra.sweeper.n_seeds=3 repeats each trial, and from {least} seeds on there can be a clear "
            "winner",
            is_clear=False,
        )
    rivals = _not_beaten(study, best, {trial.number for trial in done})
    if rivals is None:
        return None
    seeds = f"{study.options.n_seeds} seeds"
    if not rivals:
        others = "every other trial" if len(done) == len(study.trials()) else "every other trial that completed"
        return Winner(f"winner: trial {best.number}, which beats {others} on the {seeds} they share", is_clear=True)
    named = [f"trial {number}" for number in (best.number, *rivals)][:_MOST]
    more = len(rivals) + 1 - len(named)
    listed = f"{', '.join(named)} and {more} more" if more else f"{', '.join(named[:-1])} and {named[-1]}"
    return Winner(
        f"no clear winner between {listed}: trial {best.number} has the best mean, and {seeds} do not show that it is "
        "better; more of them may (hydra.sweeper.n_seeds, in another directory)",
        is_clear=False,
    )


def _not_beaten(study: SearchStudy, best: FrozenTrial, done: Collection[int]) -> list[int] | None:
    """Numbers of the trials, of those done, that the best one does not beat; None where that cannot be seen here."""
    (metric,) = study.options.objectives
    if metric in RECORDED or best.number not in {trial.number for trial in study.owned()}:
        return None
    # of one that has failed, some seeds may have their values
    jobs = [job for job in read_jobs([study.sweep_dir]) if _number(job) in done]
    summary = summarise(jobs, [study.sweep_dir], metric=metric)
    # equal values that were tried twice are one group
    numbers = {ranked.group.label: sorted(map(_number, ranked.group.jobs)) for ranked in summary.groups}
    own = [each for each in summary.comparisons if each.metric == metric]
    if not own:
        return None
    rivals = [numbers[each.second][0] for each in own if each.winner != each.first]
    # the order may be that of another estimate than the mean
    first = numbers[own[0].first]
    return rivals if best.number in first else [first[0], *(each for each in rivals if each != best.number)]


def _number(job: JobRecord) -> int:
    return int(job.name.partition("/")[0])
