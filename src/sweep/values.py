"""What the command line of a sweep asks for: values of keys, and their combinations. No torch here."""

import functools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, ValueType
from omegaconf import DictConfig, OmegaConf

from src.compat.hydra import BASIC_SWEEPER, casts, grid, line_of
from src.config.errors import ConfigError
from src.sweep.seeds_until import refuse_until, until_of, with_seeds

# Sweepers whose jobs are all combinations of the values given.
_GRIDS = (
    BASIC_SWEEPER,
    "hydra_plugins.grid_sweeper.grid_sweeper.GridSweeper",
)


def expand(config: DictConfig) -> list[list[str]] | None:
    """Overrides of each job of a multirun, in the order of Hydra's own sweeper; None if a search decides as it goes.

    Of one that adds seeds until its answer is clear, all that there may be.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.

    Raises:
        ConfigError: If an override is an interval, which only a search can draw from, or ``sweep.until`` does not fit.
    """
    if config.hydra.sweeper._target_ not in _GRIDS:
        refuse_until(config, "a search repeats its trials with hydra.sweeper.n_seeds=8; or leave hydra/sweeper out")
        return None
    parsed = _parsed(config)
    for each in parsed:
        if each.is_sweep_override() and not each.is_discrete_sweep():
            raise ConfigError(
                f"{each.input_line}: an interval has no list of values; add hydra/sweeper=optuna to search it"
            )
        if each.is_sweep_override() and next(each.sweep_string_iterator(), None) is None:
            raise ConfigError(f"{each.input_line}: no value at all, so no job; give at least one")
    jobs, until = grid(shuffled_once(parsed, config)), until_of(config)
    return jobs if until is None else with_seeds(until, jobs, parsed)


def shuffled_once(parsed: Sequence[Override], config: DictConfig) -> list[Override]:
    """Let `shuffle(...)` mean one order for a sweep directory: Hydra draws another one each time that it is asked.

    Args:
        parsed: Overrides of the command line and of the files.
        config: What the command line of the sweep composes to, with the `hydra` node.
    """
    return [in_order(each, f"{config.hydra.sweep.dir} {each.input_line}") for each in parsed]


def in_order(override: Override, drawn_from: str | None = None) -> Override:
    """An override whose values have one order whenever they are asked for.

    Args:
        override: Any; one without `shuffle` is returned as it is, but for a range, whose values are in decimals then.
        drawn_from: Decides the order; None for the order in which they were given.
    """
    swept: Any = override.value()
    is_drawn, is_range = getattr(swept, "shuffle", False), isinstance(swept, RangeSweep)
    if not is_drawn and not (is_range and drawn_from is not None):
        return override
    values = points(swept) if is_range else list(swept.list)
    if drawn_from is not None:
        if is_drawn:
            random.Random(drawn_from).shuffle(values)
    elif isinstance(swept, RangeSweep):
        # a range is more than its values
        return replace(override, _value=replace(swept, shuffle=False))
    plain = ChoiceSweep(tags=swept.tags, list=values)
    return replace(override, value_type=ValueType.CHOICE_SWEEP, _value=plain)


def points(sweep: RangeSweep) -> list[Any]:
    """Values of a range, as many as Hydra has of it, in decimals as typed: 3 * 0.1 is more than 0.3 in binary."""
    values: list[Any] = list(sweep.range())
    if not all(isinstance(value, int) for value in values):
        first, step = Decimal(str(sweep.start)), Decimal(str(sweep.step))
        values = [float(first + i * step) for i in range(len(values))]
    for cast in casts(sweep):
        values = [cast(value) for value in values]
    return values


def _parsed(config: DictConfig) -> list[Override]:
    """Swept values of the files first, which those of the command line replace."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.get("params") or {}).items()]
    typed: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    return parser.parse_overrides([*params, *typed])


def swept_keys(config: DictConfig) -> list[str]:
    """Keys and groups that have several values."""
    return [each.key_or_group.replace("/", ".") for each in _parsed(config) if each.is_sweep_override()]


def first_values(config: DictConfig) -> list[str]:
    """Overrides of a job that takes the first value of every choice, and the lower end of every interval."""
    first: list[str] = []
    for each in _parsed(config):
        value = each.value()
        if each.is_discrete_sweep():
            text = next(each.sweep_string_iterator())
        elif each.is_sweep_override():
            text = str(value.start)  # type: ignore[union-attr] # an interval
        else:
            text = each.get_value_element_as_str()
        first.append(line_of(each.get_key_element(), text))
    return first


def sampled_values(config: DictConfig, n: int) -> list[list[str]]:
    """Overrides of jobs that a search may come to: all choices and both ends of all numbers, then some draws.

    Args:
        config: What the command line of the sweep composes to, with the `hydra` node.
        n: How many are drawn; the same for every call.
    """
    rng = random.Random(0)
    columns: list[tuple[str, list[str], Callable[[], str]]] = []
    for each in _parsed(config):
        value: Any = each.value()
        if each.is_discrete_sweep():
            is_range = each.is_range_sweep()
            texts = (
                [str(point) for point in points(value)] if is_range else list(in_order(each).sweep_string_iterator())
            )
            ends = [texts[0], texts[-1]] if is_range else texts
            columns.append((each.get_key_element(), ends, functools.partial(rng.choice, texts)))
        elif each.is_sweep_override():
            draw = functools.partial(_drawn, value, rng)
            columns.append((each.get_key_element(), [_number(value, value.start), _number(value, value.end)], draw))
        else:
            text = each.get_value_element_as_str()
            columns.append((each.get_key_element(), [text], functools.partial(str, text)))
    # what stands on the command line replaces what stands in the files
    last = {key: (known, draw) for key, known, draw in columns}
    longest = max((len(known) for known, _ in last.values()), default=0)
    rows = [[line_of(key, known[i % len(known)]) for key, (known, _) in last.items()] for i in range(longest)]
    rows += [[line_of(key, draw()) for key, (_, draw) in last.items()] for _ in range(n)]
    return [list(row) for row in dict.fromkeys(map(tuple, rows))]


def _drawn(interval: IntervalSweep, rng: random.Random) -> str:
    """A number of an interval."""
    low, high = interval.start, interval.end
    assert low is not None
    assert high is not None
    if "log" in interval.tags and low > 0:
        return _number(interval, math.exp(rng.uniform(math.log(low), math.log(high))))
    return _number(interval, rng.uniform(low, high))


def _number(interval: IntervalSweep, value: float) -> str:
    """A number as a search would draw it from an interval."""
    whole = "int" in interval.tags or (isinstance(interval.start, int) and isinstance(interval.end, int))
    return str(round(value) if whole else float(value))
