"""One file with a run's network and its preprocessing, for other software: written once it says what the run says."""

import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars
import torch
from numpy.typing import NDArray

from src.config.errors import ConfigError
from src.data.table.module import TableDataModule
from src.data.table.reading import Table
from src.run.versions import package_versions
from src.use.columns import Columns
from src.use.graph import POINTS, Graph, column_notes, points_of
from src.use.model import Member, generators_kept
from src.use.writing import aside, refuse_place

log = logging.getLogger(__name__)

Format = Literal["onnx", "torch_export"]
ENDINGS: Mapping[str, str] = {"onnx": ".onnx", "torch_export": ".pt2"}
"""How a file of each format ends."""

TOLERANCE = 1e-6
"""Largest difference of a probability, or of a value relative to its size where that is above 1."""

# Times that rounding to 32 bits may move what another order of additions gives.
_ROUNDINGS = 4
_RANDOM, _MOST = 1_000, 20_000

# Gives the outputs for points (n, c).
_Runner = Callable[[NDArray[np.float64]], list[NDArray[Any]]]


@dataclass(frozen=True)
class Compared:
    """How a file compares with the network of the run.

    Attributes:
        n_own: Points of the run's test part.
        n_random: Points that are drawn.
        difference: The largest one.
        difference_64: The largest one of both in 64 bits; None where it was not asked for.
    """

    n_own: int
    n_random: int
    difference: float
    difference_64: float | None = None


def export_member(member: Member, path: Path, kind: Format) -> Compared:
    """Write a network with its preprocessing; the file is there once it is compared.

    Args:
        member: The network.
        path: The file.
        kind: Its format.

    Raises:
        ConfigError: If packages are missing, the network cannot be exported, or the file says something else than the
            network does.
    """
    check_format(path, kind)
    with generators_kept(), torch.no_grad():
        own, drawn = _own_rows(member), _drawn_rows(member)
    with aside(path) as whole:
        _write(member, whole, kind)
        return _compare(member, whole, kind, own, drawn)


def check_format(path: Path, kind: str) -> None:
    """Refuse a format that there is not, another ending, and one whose packages are missing.

    Raises:
        ConfigError: With what is allowed, or the command that installs them.
    """
    if kind not in ENDINGS:
        more = "; TorchScript is not offered, since PyTorch gives it up" if "script" in str(kind).lower() else ""
        raise ConfigError(f"format={kind}; allowed: {', '.join(ENDINGS)}{more}")
    refuse_place(path)
    if path.suffix != ENDINGS[kind]:
        raise ConfigError(f"output={path}: a file of format={kind} ends with {ENDINGS[kind]}")
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if importlib.util.find_spec(name) is None]
    if kind == "onnx" and missing:
        raise ConfigError(
            f"format=onnx needs packages that are not installed: {', '.join(missing)}; install them with "
            "pip install -c constraints.txt -e '.[onnx]'"
        )


# Writing


def _write(member: Member, path: Path, kind: Format) -> None:
    graph = Graph(member).eval()
    example = torch.zeros(3, len(member.encoder.columns), dtype=torch.float64)
    shapes = {POINTS: {0: torch.export.Dim("n")}}
    try:
        with warnings.catch_warnings(), _quiet():
            # of the exporters about their own parts
            warnings.simplefilter("ignore")
            program = torch.export.export(graph, (example,), dynamic_shapes=shapes, strict=False)
            if kind == "torch_export":
                torch.export.save(program, path, extra_files={"metadata.json": json.dumps(metadata(member, graph))})
            else:
                _write_onnx(program, path, graph, metadata(member, graph))
    # whatever an exporter meets in a network of one's own
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"run={member.run.path} cannot be exported as format={kind}: {type(error).__name__}: {why}"
        ) from error


def _write_onnx(program: Any, path: Path, graph: Graph, notes: Mapping[str, Any]) -> None:
    import onnx

    made: Any = torch.onnx.export(
        program, dynamo=True, input_names=[POINTS], output_names=graph.output_names, verbose=False
    )
    made.save(path, external_data=False)
    model = onnx.load(path)
    for name, note in notes.items():
        model.metadata_props.add(key=name, value=note if isinstance(note, str) else json.dumps(note))
    onnx.checker.check_model(model)
    onnx.save(model, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what exporters log of how they come along."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def metadata(member: Member, graph: Graph) -> dict[str, Any]:
    """What whoever opens the file has to know."""
    spec = member.spec
    return {
        "task": spec.task,
        "input": f"{POINTS}: float64 (n, {len(member.encoder.columns)}), columns in order; NaN where one is missing",
        "columns": column_notes(member),
        "features": list(spec.feature_names),
        "outputs": graph.output_names,
        "classes" if spec.task != "regression" else "values": list(spec.class_names),
        "weights": member.weights,
        "made_with": package_versions(),
    }


# Comparing


def _runner(path: Path, kind: Format) -> _Runner:
    """What other software would do with the file."""
    if kind == "torch_export":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch.export.load(path).module()
        return lambda points: [each.detach().numpy() for each in module(torch.from_numpy(points))]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # 3 is an error: it warns of its own rearrangements
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda points: list(session.run(None, {POINTS: points}))


def _compare(member: Member, path: Path, kind: Format, own: Table | None, drawn: Table) -> Compared:
    tables = [table for table in (own, drawn) if table is not None]
    difference = max(_difference(member, path, kind, table) for table in tables)
    n_own, n_random = 0 if own is None else own.frame.height, drawn.frame.height
    compared = Compared(n_own, n_random, difference)
    if difference <= TOLERANCE:
        return compared
    wide = replace(member, task=copy.deepcopy(member.task).double())
    rounding = max(_distance(_said(member, table), _said(wide, table)) for table in tables)
    second = path.with_name(f"wide{path.suffix}")
    _write(wide, second, kind)
    difference_64 = max(_difference(wide, second, kind, table) for table in tables)
    if difference_64 <= TOLERANCE and difference <= _ROUNDINGS * rounding:
        log.info(
            "in 32 bits both differ by %.1e, as rounding does: the network differs by %.1e from itself in 64 bits, and "
            "the file made of that one by %.1e",
            *(difference, rounding, difference_64),
        )
        return replace(compared, difference_64=difference_64)
    raise ConfigError(
        f"run={member.run.path}: the file says something else than the network, by up to {difference:.2g} (in 64 bits "
        f"{difference_64:.2g}); allowed: {TOLERANCE:g}. Nothing is written"
    )


def _said(member: Member, table: Table) -> NDArray[np.float64]:
    return member.predict(member.encoder.encode(table, tells_new=False)).values


def _distance(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Largest difference, of large values relative to their size; infinite where one is no number."""
    if a.shape != b.shape or not (np.isfinite(a) == np.isfinite(b)).all():
        return float("inf")
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b) / np.maximum(1, np.abs(b))
    return float(np.nan_to_num(apart).max(initial=0))


def _difference(member: Member, path: Path, kind: Format, table: Table) -> float:
    """Of all rows at once, and of batches of one, two and the rest."""
    points = points_of(member, table)
    expected = member.predict(member.encoder.encode(table, tells_new=False))
    n = len(points)
    try:
        run = _runner(path, kind)
        found = run(points)
        batches = [run(points[start:stop]) for start, stop in ((0, 1), (1, 3), (3, n)) if start < n]
    # whatever a program meets that opens it, such as numbers of 16 bits that it does not know
    except Exception as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(
            f"run={member.run.path}: the file of format={kind} cannot be run: {why}. Nothing is written"
        ) from error
    again = [np.concatenate(each) for each in zip(*batches, strict=True)]
    largest = 0.0
    for outputs in (found, again):
        largest = max(largest, _distance(outputs[0].astype(np.float64), expected.values))
        if expected.labels is not None:
            # where two classes are equally likely, either may come
            apart = _lead(expected.values, expected.labels, outputs[1])
            largest = max(largest, apart)
    return largest


def _lead(probs: NDArray[np.float64], labels: NDArray[np.int64], others: NDArray[np.int64]) -> float:
    """How much likelier a class is than the one that is told instead, at most."""
    if others.shape != labels.shape:
        return float("inf")
    rows = np.arange(len(labels))
    return float(np.abs(probs[rows, labels] - probs[rows, others]).max(initial=0))


def _own_rows(member: Member) -> Table | None:
    """Rows of the run's test part as `Columns.look` gives them; None where its file is gone."""
    columns = Columns([member.encoder])
    try:
        if isinstance(member.datamodule, TableDataModule):
            table = member.datamodule.rows_of("test")
        else:
            x = member.datamodule.parts.test.x.double().numpy()
            table = Table(polars.DataFrame(x, schema=list(columns.names)), 0, "test")
    except ConfigError as error:
        log.warning("the run's own points are not there, so that random ones alone are compared: %s", error)
        return None
    table = table._replace(frame=table.frame.select(columns.names))
    looked = columns.look(table)
    whole = looked.table.only(~looked.bad)
    return whole._replace(frame=whole.frame.head(_MOST))


def _drawn_rows(member: Member) -> Table:
    """Rows that are drawn: numbers around those of training, all categories and others, and what may be missing."""
    rng, columns = np.random.default_rng(0), []
    for column in member.encoder.columns:
        if column.kind == "number":
            numbers = column.mean + 2 * column.scale * rng.normal(size=_RANDOM)
            if column.fill is not None:
                numbers[rng.random(_RANDOM) < 0.1] = np.nan
            columns.append(polars.Series(column.name, numbers))
        else:
            words: list[str | None] = [*column.levels, "\0 another"]
            if column.fill is not None or column.indicates:
                words.append(None)
            chosen: Sequence[int] = rng.integers(len(words), size=_RANDOM).tolist()
            columns.append(polars.Series(column.name, [words[i] for i in chosen], dtype=polars.String))
    return Table(polars.DataFrame(columns), 0, "random")
