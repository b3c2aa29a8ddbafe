"""What of a stacked training differs from that of a single run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from src.vmap.errors import NotStackedError
from src.vmap.proof.trial import Outcome, Single

# Largest share by which results of double precision may differ, and where a network knows single precision only.
TOLERANCE, LOOSE = 1e-6, 1e-3

# Numbers of this size may be what rounding leaves of larger ones.
_ROUNDING = 1e-4


def compare(singles: Sequence[Single], stacked: Sequence[Outcome], tolerance: float | None) -> None:
    """Raise for the first difference; without a tolerance only names and types are compared."""
    for single, found in zip(singles, stacked, strict=True):
        if single.outcome is None:
            continue
        for what, one, other in _pairs(found, single.outcome):
            # what is rounded to single precision is squared, and divided by
            scalar = what in single.outcome.metrics
            if different := _difference(one, other, tolerance and (LOOSE if scalar else tolerance)):
                where, got, expected = different
                raise NotStackedError(
                    f"a trial of job {single.job.number} gives {what}{where} = {got} in a stack and {expected} by "
                    "itself: its network, loss, task or optimiser mixes models, or keeps something for all"
                )


def _pairs(found: Outcome, expected: Outcome) -> Iterator[tuple[str, Any, Any]]:
    """What is compared: what it is called, found in a stack, expected of a single run."""
    if len(found.rows) != len(expected.rows):
        yield "the number of rows", len(found.rows), len(expected.rows)
    for row, other in zip(expected.rows, found.rows, strict=False):
        for name, value in row.items():
            yield f"{name} of epoch {row['epoch']:g}", other.get(name), value
    # weights before metrics: where both differ, these say more
    for key in ("rng_state", "state_dict", "optimizer_states", "lr_schedulers"):
        yield key, found.checkpoint.get(key), expected.checkpoint.get(key)
    for name, value in expected.metrics.items():
        yield name, found.metrics.get(name), value


def _difference(found: Any, expected: Any, tolerance: float | None, where: str = "") -> tuple[str, str, str] | None:
    """Where the first difference is, what was found and what was expected; None if there is none."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping) or found.keys() != expected.keys():
            return where, str(sorted(map(str, found or ()))), str(sorted(map(str, expected)))
        inner = [(f"{where}.{key}", found[key], expected[key]) for key in expected]
    elif isinstance(expected, (list, tuple)):
        if not isinstance(found, (list, tuple)) or len(found) != len(expected):
            return where, str(found), str(expected)
        inner = [(f"{where}.{i}", one, other) for i, (one, other) in enumerate(zip(found, expected, strict=True))]
    else:
        return None if _is_near(found, expected, tolerance) else (where, _shown(found), _shown(expected))
    differences = (_difference(one, other, tolerance, name) for name, one, other in inner)
    return next((each for each in differences if each is not None), None)


def _is_near(found: Any, expected: Any, tolerance: float | None) -> bool:
    if isinstance(expected, Tensor):
        if not isinstance(found, Tensor) or (found.dtype, found.shape) != (expected.dtype, expected.shape):
            return False
        if not expected.is_floating_point():
            return tolerance is None or torch.equal(found, expected)
        found, expected = found.double(), expected.double()
        size, distance = float(expected.abs().max()), float((found - expected).abs().max())
    elif isinstance(expected, float) and isinstance(found, (int, float)):
        size, distance = abs(expected), abs(found - expected)
    else:
        return bool(found == expected)
    # sums that cancel leave rounding alone
    return tolerance is None or distance <= tolerance * size + tolerance * _ROUNDING or found is expected


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{value.dtype} {tuple(value.shape)} of mean {value.double().mean():.6g}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
