"""The search space: sweeps of Hydra's grammar as distributions of Optuna.

`range` leaves out its end, as in every other sweep; `shuffle` changes nothing: a search has no order. An interval
holds all numbers between its ends, and with ``int(interval(1,64))`` the whole ones; ``tag(log,interval(0.001,1))``
draws all orders of magnitude alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from src.compat.hydra import line_of
from src.config.command.explain import parse
from src.config.errors import ConfigError
from src.sweep.values import in_order, points


@dataclass(frozen=True)
class Space:
    """What the jobs of a search have in common, and what is searched.

    Attributes:
        fixed: Values by key, as override text.
        searched: Distributions by key; choices are override text, so that lists and mappings can be chosen too.
        texts: What was given for each searched key.
    """

    fixed: dict[str, str]
    searched: dict[str, BaseDistribution]
    texts: dict[str, str]

    def suggest(self, trial: Trial) -> None:
        """Draw the values that a trial does not have yet."""
        for key, distribution in self.searched.items():
            if isinstance(distribution, CategoricalDistribution):
                trial.suggest_categorical(key, distribution.choices)
            elif isinstance(distribution, IntDistribution):
                d = distribution
                trial.suggest_int(key, d.low, d.high, step=d.step, log=d.log)
            elif isinstance(distribution, FloatDistribution):
                f = distribution
                trial.suggest_float(key, f.low, f.high, step=f.step, log=f.log)

    def probes(self) -> list[list[str]]:
        """Overrides of a few jobs in which every choice stands once, beside the lowest value of each number."""
        columns = {
            key: list(d.choices) if isinstance(d, CategoricalDistribution) else [d.low]  # type: ignore[attr-defined]
            for key, d in self.searched.items()
        }
        longest = max(map(len, columns.values()))
        rows = ({key: column[i % len(column)] for key, column in columns.items()} for i in range(longest))
        return [self.overrides(row) for row in rows]

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """All overrides of a job with these searched values."""
        return [line_of(key, str(value)) for key, value in {**self.fixed, **params}.items()]

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Searched values as they come out in a configuration: a list for ``[16,16]``."""
        return {key: parse([f"{key}={value}"])[0].value() for key, value in params.items()}

    def grid(self) -> dict[str, list[Any]]:
        """All values of each searched key.

        Raises:
            ConfigError: If one is an interval.
        """
        return {key: _points(key, distribution, self.texts[key]) for key, distribution in self.searched.items()}


def read_space(params: Mapping[str, Any], arguments: Sequence[str], loader: ConfigLoader | None = None) -> Space:
    """Separate what is searched from what is fixed.

    Args:
        params: `hydra.sweeper.params`: override text by key.
        arguments: Overrides of the command line; they replace ``params``.
        loader: Finds the options that a `glob` means.

    Raises:
        ConfigError: If an override cannot be read, or nothing or an empty range is searched.
    """
    parser = OverridesParser.create(config_loader=loader)
    given: dict[str, Override] = {}
    for text in (*(f"{key}={value}" for key, value in params.items()), *arguments):
        try:
            (override,) = parser.parse_overrides([text])
        except HydraException as error:
            raise ConfigError(f"{text}: {error}") from error
        given[override.get_key_element()] = override
    searched = {key: _distribution(key, override) for key, override in given.items() if override.is_sweep_override()}
    if not searched:
        raise ConfigError(
            "hydra/sweeper=optuna: nothing to search; give choices, ranges or intervals, such as "
            "model.net.activation=relu,tanh or 'optimizer.lr=tag(log,interval(0.001,1))'"
        )
    fixed = {key: override.get_value_element_as_str() for key, override in given.items() if key not in searched}
    texts = {key: str(given[key].input_line).partition("=")[2] for key in searched}
    return Space(fixed, searched, texts)


def _distribution(key: str, override: Override) -> BaseDistribution:
    try:
        value = override.value()
        if isinstance(value, RangeSweep):
            return _range(value)
        if isinstance(value, IntervalSweep):
            return _interval(value)
        choices = list(in_order(override).sweep_string_iterator())
        if not choices:
            raise ValueError("no option fits")
        return CategoricalDistribution(choices)
    except (ValueError, HydraException) as error:
        raise ConfigError(f"{key}: cannot search {str(override.input_line).partition('=')[2]}: {error}") from error


def _range(sweep: RangeSweep) -> BaseDistribution:
    values = points(sweep)
    if not values:
        raise ValueError("the range is empty")
    log, step = "log" in sweep.tags, abs(sweep.step)
    if all(isinstance(value, int) for value in values):
        if step % 1:
            raise ValueError(f"whole numbers are a whole step apart, not {step}")
        return IntDistribution(int(min(values)), int(max(values)), log=log, step=int(step))
    return FloatDistribution(float(min(values)), float(max(values)), log=log, step=float(step))


def _interval(sweep: IntervalSweep) -> BaseDistribution:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    assert low is not None
    assert high is not None
    if "int" in sweep.tags or (isinstance(low, int) and isinstance(high, int)):
        return IntDistribution(math.ceil(low), math.floor(high), log=log)
    return FloatDistribution(low, high, log=log)


def _points(key: str, distribution: BaseDistribution, text: str) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    if isinstance(distribution, FloatDistribution) and distribution.step is not None:
        n = round((distribution.high - distribution.low) / distribution.step)
        low, step = Decimal(str(distribution.low)), Decimal(str(distribution.step))
        return [float(low + i * step) for i in range(n + 1)]
    raise ConfigError(f"{key}: {text} has no list of values for a grid; give choices or range(start,stop,step)")
