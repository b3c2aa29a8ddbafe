"""Whether the seeds of a sweep can give an answer, told before they are trained."""

from omegaconf import DictConfig

from src.analysis.stats.interval import LEVEL
from src.analysis.stats.planning import fewest
from src.config.keys import counts, flatten
from src.sweep.jobs import compose_jobs
from src.sweep.seeds_until import until_of
from src.sweep.values import expand

# Jobs that are looked at before the first one begins: more of them have many seeds, or are no comparison.
_MOST = 2000


def few_seeds(config: DictConfig) -> str | None:
    """What to say where all groups are compared by seeds, and have too few of them for any answer; None where not.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.
    """
    jobs = expand(config)
    if jobs is None or not 4 <= len(jobs) <= _MOST or until_of(config) is not None:
        return None
    seeds: dict[tuple[tuple[str, str], ...], set[str]] = {}
    data = set[str]()
    for job in compose_jobs(config, jobs):
        # with references as they stand: what follows the seed, or the directory, is the same in each
        leaves = flatten(job.asked)
        if leaves.get("data.fold") is not None:
            return None
        data.add(str(leaves.get("data._target_")))
        group = tuple((key, repr(value)) for key, value in leaves.items() if counts(key, "group"))
        seeds.setdefault(group, set()).add(str(leaves.get("seed")))
    n_groups, n_seeds = len(seeds), max(map(len, seeds.values()))
    # groups of one data set are compared among themselves
    if n_groups < 2 or n_seeds < 2 or len(data) > 1:
        return None
    least = fewest((1 - LEVEL) / (n_groups * (n_groups - 1) / 2))
    if n_seeds >= least:
        return None
    return (
        f"{n_seeds} seeds for each of {n_groups} groups are too few for a clear answer, whatever comes out: "
        f"it takes {least} or more"
    )
