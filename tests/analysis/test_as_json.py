"""The whole answer as data: what docs/reference/report_json.md says of it."""

import json
import re
from pathlib import Path

import pytest

from src.analysis.as_json import SCHEMA, VERSION, answer, as_json
from src.analysis.options import Options
from src.analysis.records import read_jobs
from src.analysis.settling import file as settling_file
from src.analysis.summary import Summary, summarise
from tests.analysis.jobs import make_job
from tests.waiting import ROOT


def summary(path: Path, *, n: int = 8, options: Options | None = None) -> Summary:
    for name, value in (("relu", 0.9), ("identity", 0.5)):
        for seed in range(n):
            accuracy = value + 0.01 * seed
            metrics = {"val/loss": 1 - accuracy, "test/accuracy": accuracy, "test/chance": 0.5}
            make_job(path / f"{name}{seed}", f"model.net.activation={name}", f"seed={seed}", metrics=metrics)
    return summarise(read_jobs([path]), [path], metric=None, options=options or Options())


def test_groups_stand_best_first_with_estimate_interval_and_failures(tmp_path: Path) -> None:
    found = answer(summary(tmp_path))
    assert (found["schema"], found["version"], found["metric"]) == (SCHEMA, VERSION, "val/loss")
    first, second = found["groups"]
    assert (first["name"], second["name"]) == ("relu", "identity")
    assert (first["n"], first["estimate_name"]) == (8, "median")
    assert first["estimate"] == pytest.approx(0.065)
    assert first["interval"] == pytest.approx([0.03, 0.1])
    assert (first["level"], first["failed"], first["runs"]) == (0.95, 0, 8)
    assert first["failed_interval"] == pytest.approx([0.0, 0.369417], abs=1e-6)
    assert second["failed"] == 1
    accuracy = first["metrics"]["test/accuracy"]
    assert accuracy["estimate"] == pytest.approx(0.935)
    assert accuracy["all"] == pytest.approx([0.9 + 0.01 * seed for seed in range(8)])
    assert accuracy["quartiles"] == pytest.approx([0.9175, 0.935, 0.9525])
    assert accuracy["estimates"]["mean"]["estimate"] == pytest.approx(0.935)
    assert accuracy["estimates"]["mean"]["interval"][1] < 1.0
    # no interval of that holds with so few
    assert accuracy["estimates"]["iqm"] == {"estimate": pytest.approx(0.935), "interval": None, "level": None}


def test_comparisons_have_verdict_difference_interval_and_p(tmp_path: Path) -> None:
    loss, accuracy = answer(summary(tmp_path))["comparisons"]
    assert (loss["metric"], loss["first"], loss["second"]) == ("val/loss", "relu", "identity")
    assert (loss["verdict"], loss["winner"], loss["p"]) == ("better", "relu", 0.0078125)
    assert loss["difference"] == pytest.approx(-0.4)
    assert loss["interval"] == pytest.approx([-0.4, -0.4])
    assert (loss["wins"], loss["ties"], loss["losses"], loss["margin"]) == (8, 0, 0, None)
    assert (accuracy["verdict"], accuracy["margin"], accuracy["superiority"]) == ("better", 0.01, 1.0)
    assert accuracy["words"].startswith("relu beats identity by 40.0 points of test accuracy")


def test_what_is_not_clear_says_how_many_seeds_would_settle_it(tmp_path: Path) -> None:
    (first, _) = answer(summary(tmp_path, n=3))["comparisons"]
    assert (first["verdict"], first["winner"], first["level"]) == ("unclear", None, 0.75)
    assert (first["n_to_settle"], first["smallest_shown"]) == (6, None)


def test_the_margin_makes_groups_equal(tmp_path: Path) -> None:
    (first, _) = answer(summary(tmp_path, options=Options(margin=0.5)))["comparisons"]
    assert (first["verdict"], first["winner"], first["margin"]) == ("equal", None, 0.5)


def test_it_is_strict_json_also_of_what_has_no_number(tmp_path: Path) -> None:
    make_job(tmp_path / "0", "seed=0", metrics={"val/loss": None})
    make_job(tmp_path / "1", "seed=1", error=ValueError("ä"))
    found = json.loads(as_json(summarise(read_jobs([tmp_path]), [tmp_path], metric=None)))
    assert found["is_complete"] is False
    assert found["jobs"] == {"all": 2, "completed": 1, "failed": 1, "pruned": 0, "unfinished": 0}
    (only,) = found["groups"]
    assert (only["n"], only["estimate"], only["interval"], only["level"], only["failed"]) == (0, None, None, None, 2)
    empty = json.loads(as_json(summarise([], [tmp_path], metric=None)))
    assert (empty["metric"], empty["groups"], empty["comparisons"]) == (None, [], [])


def test_every_field_is_documented_where_it_stands(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "reference" / "report_json.md").read_text()
    top, *rest = re.split(r"^(A group|A comparison|One of `data_sets`|One of `until`):$", text, flags=re.MULTILINE)
    tables = {"": top, **dict(zip(rest[::2], rest[1::2], strict=True))}
    rows = {name: re.findall(r"^\| (`.*?) \|", each, flags=re.MULTILINE) for name, each in tables.items()}
    documented = {name: set(re.findall(r"`(\w+)`", " ".join(each))) for name, each in rows.items()}

    found = answer(over_data_sets(tmp_path))
    assert set(found) == documented[""]
    listed = {"A group": "groups", "A comparison": "comparisons", "One of `data_sets`": "data_sets"}
    for name, key in {**listed, "One of `until`": "until"}.items():
        assert found[key]
        assert all(set(each) == documented[name] for each in found[key]), name
    # what stands in a row of its own table
    words = set(re.findall(r"`(\w+)`", text))
    assert {key for each in found["metrics"].values() for key in each} <= words
    assert {key for each in found["data_sets"] for group in each["groups"] for key in group} <= words
    assert {key for group in found["groups"] for each in group["metrics"].values() for key in each} <= words
    assert set(found["jobs"]) - {"completed", "failed", "pruned", "unfinished"} <= words


def test_data_sets_are_a_list_with_an_object_for_each_metric(tmp_path: Path) -> None:
    found = answer(over_data_sets(tmp_path))
    assert [each["metric"] for each in found["data_sets"]] == list(found["metrics"])
    first = found["data_sets"][0]
    assert set(first["data_sets"]) == {"circles", "moons", "spirals"}
    assert first["groups"] == [{"name": "a", "rank": 1.0}, {"name": "b", "rank": 2.0}]


def over_data_sets(path: Path) -> Summary:
    """Of two models on three data sets, in a directory whose seeds were added until it was clear."""
    for data in ("circles", "moons", "spirals"):
        for model, loss in (("a", 0.1), ("b", 0.4)):
            for seed in range(3):
                choices = (f"data={data}", f"model={model}", f"seed={seed}")
                metrics = {"val/loss": loss + 0.01 * seed, "test/accuracy": 1 - loss}
                make_job(path / f"{data}_{model}_{seed}", *choices, metrics=metrics)
    settling_file.write(path, n_asked=8, max_seeds=64, found=None)
    return summarise(read_jobs([path]), [path], metric=None)
