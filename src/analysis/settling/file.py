"""What `sweep.until=clear` has come to: a file of the sweep's directory, and its words."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from src.analysis.settling.verdict import ALPHA, Settled
from src.run.files import write_atomically
from src.run.reading import PARSE_ERRORS, UnreadableError, read_json

FILE = "until.json"


@dataclass(frozen=True)
class Record:
    """The state of a sweep that adds seeds.

    Attributes:
        n_asked: Seeds that jobs were launched for.
        max_seeds: Seeds after which it ends in any case.
        is_clear: Whether the last look was clear.
        is_over: Whether no more seeds will be added.
        lines: The verdict in words.
    """

    n_asked: int
    max_seeds: int
    is_clear: bool
    is_over: bool
    lines: tuple[str, ...]


def write(
    sweep_dir: Path, *, n_asked: int, max_seeds: int, found: Settled | None, stopped: str | None = None
) -> Record:
    """Leave the state of a sweep in its directory.

    Args:
        sweep_dir: The directory.
        n_asked: Seeds that jobs were launched for.
        max_seeds: Seeds after which it ends in any case.
        found: The last look; None before the first.
        stopped: Why no more seeds are added though it is not clear; None for no such reason.
    """
    is_clear = found is not None and found.is_clear
    is_over = is_clear or stopped is not None or (found is not None and found.n_seeds >= max_seeds)
    record = Record(n_asked, max_seeds, is_clear, is_over, tuple(_lines(found, max_seeds, is_over, stopped)))
    content: dict[str, Any] = {"until": "clear", "error": ALPHA, **asdict(record)}
    if found is not None:
        content |= {"metric": found.metric, "margin": found.margin, "n_seeds": found.n_seeds}
        content["comparisons"] = [
            {**asdict(pair), "interval": [end if math.isfinite(end) else None for end in pair.interval]}
            for pair in found.pairs
        ]
    write_atomically(sweep_dir / FILE, json.dumps(_finite(content), indent=2).encode())
    return record


def read(sweep_dir: Path) -> Record | None:
    """The state of a sweep; None where it adds no seeds, or the file cannot be read."""
    try:
        content = read_json(sweep_dir / FILE, instead="the sweep's command writes it again")
        return Record(
            int(content["n_asked"]),
            int(content["max_seeds"]),
            bool(content["is_clear"]),
            bool(content["is_over"]),
            tuple(str(line) for line in content["lines"]),
        )
    except (OSError, UnreadableError, *PARSE_ERRORS):
        return None


def lines(sweep_dirs: Sequence[Path]) -> Iterator[str]:
    """The verdicts of sweeps, in words."""
    for sweep_dir in sweep_dirs:
        record = read(sweep_dir)
        if record is not None:
            yield from record.lines


def _lines(found: Settled | None, max_seeds: int, is_over: bool, stopped: str | None) -> Iterator[str]:  # noqa: FBT001
    if found is None:
        return
    level = f"{100 * (1 - ALPHA):.0f}%"
    if found.is_clear:
        state = f"clear after {found.n_seeds} seeds"
    elif stopped is not None:
        state = f"not clear after {found.n_seeds} seeds, and no more are added: {stopped}"
    elif is_over:
        state = f"not clear after {found.n_seeds} seeds; sweep.max_seeds={2 * max_seeds} goes on"
    else:
        state = f"not clear yet after {found.n_seeds} seeds"
    yield (
        f"sweep.until=clear: {state}. What follows is right in {level} of all sweeps however often one looks; "
        "intervals and p values above are those of a number of seeds that was fixed before"
    )
    for sentence in found.sentences:
        yield f"- {sentence}"
    if found.margin is None and not found.is_clear:
        yield f"without sweep.margin no two groups are called equal: give the difference of {found.metric} that is none"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
