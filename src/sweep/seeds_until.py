"""What `sweep.until=clear` asks for, and the seeds that it gives each group of a sweep. No torch here.

Jobs are numbered by seed first, so that further seeds are further numbers, and what has run keeps its directory.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from src.analysis.options import DEFAULTS
from src.analysis.scale import Scale
from src.analysis.varying.units import DRAWS, FOLD
from src.config.errors import ConfigError
from src.config.metrics import better
from src.config.schema import wrong_below

# Seeds of a batch: with as many wins out of as many, one of two groups is clearly the better one.
BATCH = 8

_OF_SEEDS = ("seed", "data.batch_seed", *DRAWS, FOLD)


@dataclass(frozen=True)
class Until:
    """How long a sweep goes on.

    Attributes:
        metric: What is compared.
        lower_is_better: Whether small values are good ones.
        margin: Largest difference that does not matter; None where every one does.
        max_seeds: Seeds after which it ends in any case.
        seed: The first of them.
    """

    metric: str
    lower_is_better: bool
    margin: float | None
    max_seeds: int
    seed: int


def until_of(config: DictConfig) -> Until | None:
    """What a command asks for; None where it has its seeds.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.

    Raises:
        ConfigError: If a value is wrong.
    """
    if OmegaConf.select(config, "sweep.until") is None:
        return None
    if found := wrong_below(config, ["sweep", "seed", "optimized_metric"]):
        raise ConfigError("\n".join(f"{key}: {text}" for key, text in found.items()))
    metric = str(config.optimized_metric)
    if (end := better(metric)) is None:
        raise ConfigError(
            f"optimized_metric={metric}: sweep.until=clear compares the groups by it, and whether more of it is better "
            "is not known; give one such as val/accuracy or val/loss"
        )
    margin, max_seeds = (OmegaConf.select(config, f"sweep.{key}") for key in ("margin", "max_seeds"))
    is_share = Scale.of(metric).is_share
    if margin is None:
        margin = DEFAULTS.margin_of(metric, ranks=True, is_share=is_share)
    elif is_share and margin >= 1:
        raise ConfigError(
            f"sweep.margin={margin:g}: {metric} is a share of 1, so that no two groups differ by more and all would be "
            "equal; allowed: less than 1, such as 0.01 for one point"
        )
    return Until(metric, end == "min", margin, 64 if max_seeds is None else max_seeds, config.seed)


def refuse_until(config: DictConfig, instead: str) -> None:
    """Refuse to add seeds until the answer is clear where nothing is compared.

    Args:
        config: A configuration.
        instead: What to do.

    Raises:
        ConfigError: If that is asked for.
    """
    if (asked := OmegaConf.select(config, "sweep.until")) is not None:
        raise ConfigError(
            f"sweep.until={asked} adds seeds to the groups of a sweep until it is clear which is best; {instead}"
        )


def with_seeds(until: Until, groups: Sequence[Sequence[str]], given: Sequence[Override]) -> list[list[str]]:
    """The jobs of all seeds that there may be, all groups of a seed together.

    Args:
        until: What was asked for.
        groups: Overrides of each group.
        given: Overrides of the command line and of the files.

    Raises:
        ConfigError: If the command gives seeds, draws or folds itself, or there are no two groups to compare.
    """
    for each in given:
        if each.is_sweep_override() and each.key_or_group in (*_OF_SEEDS, "data"):
            raise ConfigError(f"{each.input_line}: {_instead(str(each.key_or_group), until)}")
    if len(groups) < 2:
        raise ConfigError(
            "sweep.until=clear: there is one group and nothing to compare it with; give a key two values or more, such "
            "as model=circle_v1,circle_v2"
        )
    kept = [[line for line in group if not line.startswith("seed=")] for group in groups]
    return [[*group, f"seed={until.seed + i}"] for i in range(until.max_seeds) for group in kept]


def _instead(key: str, until: Until) -> str:
    if key == "data":
        return "sweep.until=clear compares groups on one data set; give one, and a sweep to each of the others"
    if key == "seed":
        return (
            "sweep.until=clear chooses the seeds itself, one after the other; give the first of them, such as seed=0, "
            f"and sweep.max_seeds={until.max_seeds} for the most there may be"
        )
    return (
        f"sweep.until=clear adds seeds and no values of {key}; give one of them, and vary=[data,split,init,order] "
        "where the data are to follow the seed"
    )
