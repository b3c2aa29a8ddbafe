"""Features of the inputs, put before a network: squares, products, sines, polynomials, random Fourier features.

With the right ones a linear network bends: the circles are a straight line in x1^2 and x2^2.

Axes: ``n`` samples, ``f`` inputs, ``g`` features.
"""

import re
from collections.abc import Callable, Sequence
from itertools import combinations, combinations_with_replacement
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from src.config.allowed import Count, Positive, Range, Seed, checked

_WORDS = ("identity", "squares", "products", "sines", "cosines")
_FACTOR = re.compile(r"(?:(sin|cos)\(x(\d+)\)|x(\d+)(?:\^([1-9]))?)")
_WAVES: dict[str, Callable[[Tensor], Tensor]] = {"sin": torch.sin, "cos": torch.cos}

# A function of one input: its number, and a power or a wave.
_Factor = tuple[int, "int | Literal['sin', 'cos']"]


class Features(nn.Module):
    """Functions of the inputs, side by side.

    Args:
        terms: Words for one of each input, ``identity``, ``squares``, ``sines``, ``cosines``, or of each pair,
            ``products``; or single ones: ``x1``, ``x2^3``, ``x1*x2``, ``sin(x1)``. Inputs count from 1.
        degree: All products of up to so many inputs, powers among them, beside the terms; None for none.
        fourier: Number of random frequencies w, normal with standard deviation ``1 / scale``; each gives cos(w x) and
            sin(w x). None for none. Source: Rahimi and Recht, "Random features for large-scale kernel machines", 2007.
        scale: Length over which the random waves vary.
        seed: Draws the frequencies.

    Raises:
        ValueError: If a term is unknown, or nothing is asked for.
    """

    @checked("model.net.features")
    def __init__(
        self,
        *,
        terms: Sequence[str] = ("identity",),
        degree: Annotated[int, Range(low=1, high=10)] | None = None,
        fourier: Count | None = None,
        scale: Positive = 1.0,
        seed: Seed = 0,
    ) -> None:
        super().__init__()
        self.terms, self.degree, self.n_fourier, self.scale, self.seed = tuple(terms), degree, fourier, scale, seed
        for term in terms:
            if term not in _WORDS and _factors(term) is None:
                raise ValueError(
                    f"model.net.features.terms holds {term!r}; allowed: {', '.join(_WORDS)}, or single ones such as "
                    "x1, x2^3, x1*x2, sin(x1)"
                )
        if not terms and degree is None and fourier is None:
            raise ValueError("model.net.features holds no terms, no degree and no fourier; allowed: at least one")
        self._products: list[tuple[_Factor, ...]] = []

    def bind(self, in_features: int) -> int:
        """Learn the number of inputs ``f``; gives the number of features ``g``.

        Raises:
            ValueError: If a term names an input that there is not.
        """
        every = range(in_features)
        found: list[tuple[_Factor, ...]] = []
        for term in self.terms:
            found += _of_word(term, in_features) if term in _WORDS else [_factors(term) or ()]
        for degree in range(1, (self.degree or 0) + 1):
            for chosen in combinations_with_replacement(every, degree):
                found.append(tuple((i, chosen.count(i)) for i in dict.fromkeys(chosen)))
        for product in found:
            if beyond := [i + 1 for i, _ in product if i >= in_features]:
                raise ValueError(f"model.net.features.terms names x{beyond[0]}; the data have x1 to x{in_features}")
        self._products = list(dict.fromkeys(found))
        if self.n_fourier is None:
            return len(self._products)
        generator = torch.Generator().manual_seed(self.seed)
        frequencies = torch.randn(self.n_fourier, in_features, generator=generator) / self.scale
        # not of the state: the seed gives it again
        self.register_buffer("frequencies", frequencies, persistent=False)
        return len(self._products) + 2 * self.n_fourier

    def forward(self, x: Tensor) -> Tensor:
        """Features (n, g) of inputs (n, f)."""
        columns = [_product(x, factors) for factors in self._products]
        found = [torch.stack(columns, dim=-1)] if columns else []
        if self.n_fourier is not None:
            phases = x @ self.get_buffer("frequencies").T
            found += [phases.cos(), phases.sin()]
        return torch.cat(found, dim=-1)

    @property
    def names(self) -> tuple[str, ...]:
        """What each feature is, as `terms` has it."""
        written = ["*".join(map(_written, factors)) for factors in self._products]
        waves = [f"{wave}(w{i + 1})" for wave in ("cos", "sin") for i in range(self.n_fourier or 0)]
        return (*written, *waves)


def _factors(term: str) -> tuple[_Factor, ...] | None:
    """Factors of a single term; None if it is none."""
    found: list[_Factor] = []
    for text in term.replace(" ", "").split("*"):
        match = _FACTOR.fullmatch(text)
        if match is None or int(match[2] or match[3]) < 1:
            return None
        if match[1]:
            found.append((int(match[2]) - 1, "sin" if match[1] == "sin" else "cos"))
        else:
            found.append((int(match[3]) - 1, int(match[4] or 1)))
    return tuple(found)


def _of_word(word: str, in_features: int) -> list[tuple[_Factor, ...]]:
    if word == "products":
        return [((i, 1), (j, 1)) for i, j in combinations(range(in_features), 2)]
    kinds: dict[str, int | Literal["sin", "cos"]] = {"identity": 1, "squares": 2, "sines": "sin", "cosines": "cos"}
    return [((i, kinds[word]),) for i in range(in_features)]


def _product(x: Tensor, factors: Sequence[_Factor]) -> Tensor:
    value: Tensor | None = None
    for i, kind in factors:
        column = x[..., i]
        factor = column**kind if isinstance(kind, int) else _WAVES[kind](column)
        value = factor if value is None else value * factor
    assert value is not None
    return value


def _written(factor: _Factor) -> str:
    i, kind = factor
    if isinstance(kind, str):
        return f"{kind}(x{i + 1})"
    return f"x{i + 1}" if kind == 1 else f"x{i + 1}^{kind}"
