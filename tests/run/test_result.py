"""What a run says when it ends, written and read again."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from src.config.errors import ConfigError
from src.run.result import FORMAT, Failure, Metric, Result
from src.run.versions import git_state

STORED = Path(__file__).parents[1] / "stored"
HINT = {"kind": "too_slow", "seen": "nothing moves", "try": "python -m src.train optimizer.lr=1"}


def raised() -> ValueError:
    try:
        raise ValueError("no such thing")
    except ValueError as error:
        return error


def written(tmp_path: Path, **fields: Any) -> dict[str, Any]:
    """The file as JSON."""

    def refuse(name: str) -> None:
        pytest.fail(f"{name} is not JSON")

    Result(**{"status": "completed", **fields}).write(tmp_path / "result.json")
    content: dict[str, Any] = json.loads((tmp_path / "result.json").read_text(), parse_constant=refuse)
    return content


@pytest.mark.parametrize(
    "result",
    [
        Result(status="completed", overrides=[], per_class=[], hints=[]),
        Result(
            status="completed",
            seed=0,
            overrides=["seed=0"],
            optimized_metric=Metric("val/loss", 0.1 + 0.2),
            metrics={"val/loss": 0.1 + 0.2, "val/f1": None, "test/accuracy": 1},
            per_class=[{"class": "a", "precision": 0.5, "support": 3}],
            hints=[HINT],
            device="cpu",
            n_parameters=7,
            weights="best, epoch 834",
            threads=1,
            duration_s=1.5,
            git=None,
        ),
        Result(status="failed", overrides=[], per_class=[], hints=[], error=Failure.of(raised())),
        Result(status="pruned", overrides=[], per_class=[], hints=[], metrics={"val/loss": 1.0}, epoch=20),
    ],
    ids=lambda result: result.status,
)
def test_a_result_comes_back_as_it_was_written(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path / "new" / "result.json")
    assert Result.read(tmp_path / "new" / "result.json") == result


def test_without_a_file_there_is_no_result(tmp_path: Path) -> None:
    assert Result.read(tmp_path / "result.json") is None


def test_the_file_tells_its_format_and_what_code_has_run(tmp_path: Path) -> None:
    content = written(tmp_path, metrics={"val/loss": 0.5})
    assert (content["format"], content["status"], content["metrics"]) == (FORMAT, "completed", {"val/loss": 0.5})
    # what it is built for stands in one of them only
    assert content["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert content.get("git") == git_state()
    assert not {"error", "epoch"} & content.keys()


def test_numbers_that_json_does_not_know_become_null_at_any_depth(tmp_path: Path) -> None:
    content = written(
        tmp_path,
        metrics={"a": math.nan, "b": -math.inf, "c": 1.0},
        optimized_metric=Metric("a", math.nan),
        per_class=[{"class": "x", "f1": math.inf}],
    )
    assert content["metrics"] == {"a": None, "b": None, "c": 1.0}
    assert content["optimized_metric"] == {"name": "a", "value": None}
    assert content["per_class"] == [{"class": "x", "f1": None}]


def test_a_failure_holds_type_message_and_traceback(tmp_path: Path) -> None:
    error = written(tmp_path, status="failed", error=Failure.of(raised()))["error"]
    assert (error["type"], error["message"]) == ("ValueError", "no such thing")
    assert "Traceback (most recent call last)" in error["traceback"]
    assert "test_result.py" in error["traceback"]


def test_the_value_is_that_of_the_optimised_metric() -> None:
    assert Result(status="completed", optimized_metric=Metric("val/loss", 0.5)).value == 0.5
    assert Result(status="failed").value is None


@pytest.mark.parametrize("name", ["run", "sweep/0", "sweep/1", "stacked/0"])
def test_a_file_without_a_format_is_of_the_first(name: str) -> None:
    path = STORED / name / "result.json"
    content = json.loads(path.read_text())
    assert "format" not in content
    result = Result.read(path)
    assert result is not None
    assert result.metrics == content["metrics"]
    assert (result.status, result.versions, result.value) == (
        content["status"],
        content["versions"],
        content["optimized_metric"]["value"],
    )


def test_keys_that_are_not_known_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"status": "completed", "mood": "good"}')
    assert Result.read(path) == Result(status="completed", overrides=[], per_class=[], hints=[], versions={}, git=None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", " cannot be read: Expecting value"),
        ('{"status": "compl', " cannot be read: Unterminated string"),
        ("\udcff", " cannot be read: "),
        ("[" * 100_000, " cannot be read: "),
        ("[]", " cannot be read: it holds no mapping"),
        ("{}", ": status is None; allowed: completed, failed, pruned"),
        ('{"status": "great"}', ": status is 'great'; allowed: completed, failed, pruned"),
        ('{"status": "completed", "format": 2}', " is of format 2, this code reads up to format 1: read it with the"),
        ('{"status": "completed", "format": "new"}', " is of format new, this code"),
        ('{"status": "completed", "metrics": 3}', ": metrics is 3; allowed: a mapping or null"),
        ('{"status": "completed", "metrics": {"a": "x"}}', ": metrics.a is 'x'; allowed: a number or null"),
        ('{"status": "completed", "metrics": {"a": true}}', ": metrics.a is True; allowed: a number or null"),
        ('{"status": "completed", "seed": 1.5}', ": seed is 1.5; allowed: a whole number or null"),
        ('{"status": "completed", "seed": true}', ": seed is True; allowed: a whole number or null"),
        ('{"status": "completed", "duration_s": "?"}', ": duration_s is '?'; allowed: a number or null"),
        ('{"status": "completed", "overrides": "a=1"}', ": overrides is 'a=1'; allowed: a list of strings or null"),
        ('{"status": "completed", "overrides": [1]}', ": overrides is [1]; allowed: a list of strings"),
        ('{"status": "completed", "optimized_metric": {"name": "a", "value": "x"}}', ": optimized_metric.value is 'x'"),
        ('{"status": "completed", "hints": [{"kind": "half"}]}', "each must hold kind, seen, try"),
        ('{"status": "failed", "error": "x"}', ": error is 'x'; allowed: a mapping or null"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError, match=rf"^{re.escape(str(path))}.*{re.escape(message)}"):
        Result.read(path)


def test_a_number_that_is_not_finite_is_read_as_none(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"status": "completed", "metrics": {"a": NaN, "b": Infinity}}')
    result = Result.read(path)
    assert result is not None
    assert result.metrics == {"a": None, "b": None}
