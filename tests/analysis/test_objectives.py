"""What a sweep has chosen by: the objectives of a search, and the test part."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from src.analysis.finish import finish_sweep
from src.analysis.objectives import given_objectives
from src.analysis.summary import Summary
from tests.analysis.jobs import make_job

CHOSEN = "the best was chosen by {}, so its test numbers look better than they are"


def search(path: Path, objectives: Any, *, optimized: str = "val/loss") -> Summary:
    """Three trials: the larger the network, the better its validation, and the worse its loss and test."""
    for i, hidden in enumerate(("[4]", "[8]", "[16]")):
        metrics = {
            "val/loss": 0.1 + i,
            "val/accuracy": 0.7 + 0.1 * i,
            "val/far": 5.0 - i,
            "test/accuracy": 0.9 - 0.1 * i,
        }
        make_job(
            path / str(i), f"model.net.hidden={hidden}", metrics=metrics, optimized=optimized, n_parameters=10 * (i + 1)
        )
    path.joinpath("multirun.yaml").write_text(
        yaml.safe_dump({"hydra": {"sweeper": {"objectives": objectives}}}, sort_keys=False)
    )
    return finish_sweep(path)


def order(found: Summary) -> list[str]:
    return [ranked.group.label for ranked in found.groups]


SMALLEST_FIRST = ["hidden=[4]", "hidden=[8]", "hidden=[16]"]


@pytest.mark.parametrize(
    ("objectives", "metrics", "is_smallest_first"),
    [
        (None, ["val/loss", "test/accuracy"], True),
        ("val/accuracy", ["val/accuracy", "test/accuracy"], False),
        (["val/accuracy", "val/loss"], ["val/accuracy", "val/loss", "test/accuracy"], False),
        (
            {"val/accuracy": "maximize", "n_parameters": "minimize"},
            ["val/accuracy", "n_parameters", "test/accuracy"],
            False,
        ),
        ({"n_parameters": "minimize"}, ["n_parameters", "test/accuracy"], True),
        # whose name does not tell the way
        ({"val/far": "minimize"}, ["val/far", "test/accuracy"], False),
        # against what its name tells
        ({"val/loss": "maximize"}, ["val/loss", "test/accuracy"], False),
    ],
)
def test_a_search_is_ranked_by_its_own_objectives(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    objectives: Any,
    metrics: list[str],
    *,
    is_smallest_first: bool,
) -> None:
    found = search(tmp_path, objectives)
    assert list(found.metrics) == metrics
    assert order(found) == (SMALLEST_FIRST if is_smallest_first else SMALLEST_FIRST[::-1])
    assert found.by_test == ()
    out = capsys.readouterr().out
    first = next(iter(objectives)) if isinstance(objectives, dict) else metrics[0]
    best = "highest" if found.scales[first].lower_is_better is False else "lowest"
    assert f"{best} {first} first" in out
    assert "was chosen by" not in out
    assert ("n_parameters" in (tmp_path / "summary.csv").read_text()) == ("n_parameters" in metrics)


def test_numbers_of_parameters_are_whole_and_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = search(tmp_path, {"val/accuracy": "maximize", "n_parameters": "minimize"})
    assert {each.metric for each in found.comparisons} == {"val/accuracy", "test/accuracy"}
    rows = [line.split("│") for line in capsys.readouterr().out.splitlines() if line.startswith("│")]
    assert [row[4].strip() for row in rows] == ["30", "20", "10"]
    assert "Highest validation accuracy of 3 groups: hidden=[16] with 90.0%" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("objectives", "optimized", "chosen"),
    [
        (None, "test/accuracy", "test/accuracy"),
        (["val/loss", "test/accuracy"], "val/loss", "test/accuracy"),
        # a search does not look at it
        (["val/loss"], "test/accuracy", None),
    ],
)
def test_that_the_test_part_has_chosen_is_said_at_the_end_and_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], objectives: Any, optimized: str, chosen: str | None
) -> None:
    search(tmp_path, objectives, optimized=optimized)
    for text in (capsys.readouterr().out, (tmp_path / "report.html").read_text()):
        assert text.count("the best was chosen by") == (chosen is not None)
        assert chosen is None or CHOSEN.format(chosen) in " ".join(text.split())


@pytest.mark.parametrize("content", ["", "[", "hydra: 3", "hydra: {sweeper: {objectives: 7}}", "hydra: {sweeper: {}}"])
def test_a_record_that_holds_no_objectives_has_none(tmp_path: Path, content: str) -> None:
    make_job(tmp_path / "0", metrics={"val/loss": 0.5})
    (tmp_path / "multirun.yaml").write_text(content)
    assert finish_sweep(tmp_path).metrics == ("val/loss",)


def test_objectives_are_read_in_any_form() -> None:
    assert given_objectives("val/loss") == {"val/loss": None}
    assert given_objectives(["a", "b"]) == {"a": None, "b": None}
    assert given_objectives({"a": "minimize", "b": "maximize", "c": 1}) == {"a": True, "b": False, "c": None}
    assert given_objectives(None) == {}
