"""How a run has ended, for a single run and a job of a sweep alike."""

import math
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from src.hints.rules import Hint
from src.record import Fitted, Recorder
from src.run.directory import RunDir
from src.run.result import Metric
from src.run.trial import PrunedError
from src.tasks.finite import NonFiniteLossError

HINT = Hint("too_slow", "nothing moves", ("optimizer.lr=1",))


def recorder(path: Path, *, cfg: DictConfig | None = None, **changes: Any) -> Recorder:
    given = {"seed": 3, "optimized_metric": "val/loss", "optimizer": {"lr": 10.0}, "suggested": {"lr": 0.1}}
    about = {"overrides": ["seed=3"], "is_job": False, **changes}
    return Recorder(run=RunDir(path), cfg=OmegaConf.create(given) if cfg is None else cfg, **about)


def fitted(**metrics: float) -> Fitted:
    given = {f"val/{name}": value for name, value in metrics.items()}
    return Fitted(metrics=given, per_class=[], hints=[HINT], device="cpu", n_parameters=7, weights="best, epoch 3")


def test_a_completed_run_is_written_as_it_is_returned(tmp_path: Path) -> None:
    result = recorder(tmp_path).completed(fitted(loss=0.5))
    stored = RunDir(tmp_path).result()
    assert stored is not None
    assert (stored.status, stored.seed, stored.overrides, stored.value) == ("completed", 3, ["seed=3"], 0.5)
    assert (stored.device, stored.n_parameters, stored.duration_s) == ("cpu", 7, result.duration_s)
    assert stored.weights == "best, epoch 3"


@pytest.mark.parametrize(
    ("argv", "overrides", "is_job", "command"),
    [
        ([], ["seed=3"], False, "seed=3 optimizer.lr=1"),
        (["-m", "seed=3,4"], ["seed=3"], True, "seed=3 optimizer.lr=1"),
        # files that ask for a sweep are not in the way
        (["experiment=x"], ["experiment=x"], True, "experiment=x hydra.mode=RUN optimizer.lr=1"),
        (["--multirun", "+experiment=x"], ["+experiment=x"], True, "+experiment=x hydra.mode=RUN optimizer.lr=1"),
        (["seed=3,4"], ["seed=3"], True, "seed=3 hydra.mode=RUN optimizer.lr=1"),
    ],
)
def test_the_command_of_a_hint_is_that_of_a_single_run(
    argv: list[str],
    overrides: list[str],
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_job: bool,
) -> None:
    monkeypatch.setattr("sys.argv", ["src/train.py", *argv])
    (hint,) = recorder(tmp_path, is_job=is_job, overrides=overrides).completed(fitted(loss=0.5)).hints
    assert hint == {"kind": "too_slow", "seen": "nothing moves", "try": f"python -m src.train {command}"}


def test_a_value_that_is_not_finite_is_stored_as_none(tmp_path: Path) -> None:
    recorder(tmp_path).completed(fitted(loss=math.nan))
    stored = RunDir(tmp_path).result()
    assert stored is not None
    assert (stored.value, stored.metrics) == (None, {"val/loss": None})


def test_a_pruned_run_keeps_what_it_has_measured(tmp_path: Path) -> None:
    recorder(tmp_path).pruned(PrunedError({"val/loss": 0.5}, epoch=20))
    stored = RunDir(tmp_path).result()
    assert stored is not None
    assert (stored.status, stored.epoch, stored.metrics, stored.value) == ("pruned", 20, {"val/loss": 0.5}, 0.5)


def test_a_failed_run_tells_its_error_and_what_to_try(tmp_path: Path) -> None:
    recorder(tmp_path).failed(NonFiniteLossError.at(7, math.nan, None))
    stored = RunDir(tmp_path).result()
    assert stored is not None
    assert stored.error is not None
    assert (stored.status, stored.error.type, stored.optimized_metric) == ("failed", "NonFiniteLossError", None)
    assert [hint["kind"] for hint in stored.hints] == ["not_finite"]


def test_the_first_failure_is_the_one_that_is_told(tmp_path: Path) -> None:
    """Where one process of several fails, the others lose their connection to it."""
    recorder(tmp_path, is_first=False).failed(ValueError("the cause"))
    result = recorder(tmp_path).failed(RuntimeError("Connection closed by peer"))
    assert result == RunDir(tmp_path).result()
    assert result.error is not None
    assert result.error.message == "the cause"


def test_a_process_that_keeps_no_records_writes_failures_only(tmp_path: Path) -> None:
    other = recorder(tmp_path, is_first=False)
    assert other.completed(fitted(loss=0.5)).optimized_metric == Metric("val/loss", 0.5)
    other.pruned(PrunedError({}, epoch=1))
    assert RunDir(tmp_path).result() is None


@pytest.mark.parametrize("cfg", [{}, {"seed": "x", "optimized_metric": 3}, {"seed": True}])
def test_a_configuration_that_is_refused_is_recorded_all_the_same(cfg: dict[str, Any], tmp_path: Path) -> None:
    recorder(tmp_path, cfg=OmegaConf.create(cfg)).failed(ValueError("seed"))
    stored = RunDir(tmp_path).result()
    assert stored is not None
    assert (stored.status, stored.seed) == ("failed", None)
