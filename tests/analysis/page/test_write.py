"""The page as a whole: what stands in it, for any sweep, and that it needs nothing else."""

import base64
import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from bs4 import BeautifulSoup

from src.analysis.page import write
from src.analysis.page.write import page_html, write_page
from src.analysis.records import read_jobs
from src.analysis.summary import summarise
from tests.analysis.jobs import make_job
from tests.analysis.thousand import draw_boundary, write_metrics

Fill: TypeAlias = Callable[[Path], None]

EVIL = "</script><script>alert(1)</script> \"a\" & 'b' <img src=x> <b>"


def html(*sweep_dirs: Path) -> str:
    return page_html(summarise(read_jobs(sweep_dirs), sweep_dirs, metric=None), folder=sweep_dirs[0])


def read(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html.parser")


def two_by_three(path: Path) -> None:
    for i in range(6):
        name = "identity" if i < 3 else "relu"
        metrics = {"val/loss": 0.7 - 0.2 * (i // 3) + 0.01 * i, "test/accuracy": 0.5 + 0.08 * i}
        run = make_job(path / str(i), f"model.net.activation={name}", f"seed={i % 3}", metrics=metrics)
        write_metrics(run.path, rate=0.001 * (i + 1), n=30)
        draw_boundary(run.path, slope=float(i))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("small")
    two_by_three(path)
    return html(path)


@pytest.mark.slow
def test_the_answer_stands_on_top_in_words(small: str) -> None:
    answer = read(small).select_one("main > section")
    assert answer is not None
    words = answer.get_text(" ", strip=True)
    assert (
        "Lowest validation loss of 2 groups: relu with 0.540 (median of 3 seeds, 75% interval 0.530 to 0.550)." in words
    )
    assert "relu beats identity" not in words  # too few
    assert "between relu and identity in test accuracy: relu is 24.0 points higher" in words


def test_every_part_is_there(small: str) -> None:
    found = read(small)
    assert [heading.get_text() for heading in found.select("h2")] == [
        "Answer",
        "Decision boundaries",
        "Learning curves",
        "Validation loss against each swept value",
        "All swept values at once",
        "Jobs",
        "Command and versions",
    ]
    assert len(found.select("#table tbody tr")) == 6
    assert [column.get_text() for column in found.select(".column")] == ["identity", "relu"]
    assert [row.get_text() for row in found.select(".rank")] == ["best job", "middle job", "worst job"]
    assert len(found.select("figure img")) == 6
    assert len(found.select("#curves .chart")) == 4
    assert len(found.select("#values .chart")) == 1


def test_pictures_say_whose_they_are(small: str) -> None:
    section = read(small).select_one("#pictures")
    assert section is not None
    words = " ".join(section.get_text(" ", strip=True).split())
    assert "Of each group the best, the middle and the worst job by validation loss. Columns differ in" in words
    first, last = (section.select("figure")[i] for i in (0, -1))
    assert " ".join(first.get_text().split()) == "identity job 0, seed 0, validation loss 0.7000"
    assert " ".join(last.get_text().split()) == "relu job 5, seed 2, validation loss 0.5500"
    assert [str(image["alt"]) for image in section.select("img")][::5] == [
        "Decision boundaries: identity, best, job 0",
        "Decision boundaries: relu, worst, job 5",
    ]


def test_the_pictures_of_one_group_say_in_their_captions_which_job_it_is(tmp_path: Path) -> None:
    for i in range(3):
        draw_boundary(make_job(tmp_path / str(i), f"seed={i}", metrics={"test/accuracy": 0.5 + 0.1 * i}).path)
    captions = [" ".join(each.get_text().split()) for each in read(html(tmp_path)).select("figcaption")]
    assert captions == [
        "all jobs best: job 2, seed 2, test accuracy 70.0%",
        "all jobs middle: job 1, seed 1, test accuracy 60.0%",
        "all jobs worst: job 0, seed 0, test accuracy 50.0%",
    ]


@pytest.mark.slow
def test_groups_of_one_job_have_no_ranks(tmp_path: Path) -> None:
    regression(tmp_path)
    section = read(html(tmp_path)).select_one("#pictures")
    assert section is not None
    assert "Of each group the job in its middle." in section.get_text()
    assert not section.select(".rank")
    assert " ".join(section.select("figcaption")[0].get_text().split()) == "lr=0.1 job 0, validation loss 0.0100"


def test_links_inside_the_page_lead_somewhere(small: str) -> None:
    found = read(small)
    targets = [link["href"] for link in found.select("nav a")]
    assert targets
    assert all(found.select_one(str(target)) is not None for target in targets)


def test_a_group_has_one_color_everywhere(small: str) -> None:
    found, data = read(small), charts(small)
    marks = found.select("table.groups .mark path")
    colors = [mark["fill"] for mark in marks]
    assert len(set(colors)) == 2
    assert list(dict.fromkeys(data["dots"][0]["data"][0]["marker"]["color"])) == colors
    lines = [trace["line"]["color"] for trace in data["curves"][0]["data"] if "color" in trace["line"]]
    assert sorted(lines) == sorted(str(color) for color in colors)
    assert set(data["values"][0]["data"][-1]["marker"]["color"]) == set(colors)


def charts(text: str) -> dict[str, Any]:
    script = read(text).select_one("#charts")
    assert script is not None
    found: dict[str, Any] = json.loads(script.get_text())
    return found


def test_nothing_is_fetched(small: str) -> None:
    found = read(small)
    for tag in found.select("*"):
        for name in ("src", "href", "srcset", "poster", "data", "action"):
            assert not re.match(r"\s*(https?:|//|ftp:)", str(tag.get(name, ""))), tag.name
    assert not found.select("link[rel=stylesheet], script[src], iframe, object, embed, base")
    library = found.select_one("#library")
    assert library is not None
    assert "plotly.js v" in gzip.decompress(base64.b64decode(library.get_text())).decode()[:200]
    ours = [part.get_text() for part in found.select("style, script") if part is not library]
    assert len(ours) == 6
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|WebSocket", "".join(ours))
    policy = found.select_one("meta[http-equiv=Content-Security-Policy]")
    assert policy is not None
    assert "default-src 'none'" in str(policy["content"])


def test_names_and_messages_are_text_and_never_markup(tmp_path: Path) -> None:
    for i, name in enumerate((EVIL, "relu")):
        run = make_job(tmp_path / f"{i}<i>", f"model.net.activation={name}", metrics={"val/loss": 0.5, "<u>": 1.0})
        write_metrics(run.path)
        draw_boundary(run.path)
    make_job(tmp_path / "2", "model.net.activation=x", error=ValueError(EVIL))
    text = html(tmp_path)
    found = read(text)
    assert not found.select("main b, main i, main u, main img[src=x]")
    assert "alert(1)" not in "".join(script.get_text() for script in found.select("script:not([type])"))
    assert len(found.select("script")) == 6
    failure = found.select_one("#failures pre")
    assert failure is not None
    assert failure.get_text() == EVIL
    assert EVIL.replace("'", "") in found.get_text().replace("'", "")
    # what plotly draws is read as markup by plotly itself
    ticks = charts(text)["dots"][0]["layout"]["yaxis"]["ticktext"]
    assert any("&lt;/script&gt;" in tick for tick in ticks)
    assert not any("<" in tick for tick in ticks)


def failed(path: Path) -> None:
    for i in range(3):
        make_job(path / str(i), f"seed={i}", error=ValueError("no"))


def unfinished(path: Path) -> None:
    make_job(path / "0", "seed=0")
    make_job(path / "1", "seed=1")


def single(path: Path) -> None:
    make_job(path / "0", "seed=0", metrics={"val/loss": 0.5, "test/accuracy": 0.75})


def regression(path: Path) -> None:
    for i in range(4):
        metrics = {"val/loss": 0.1 * i + 0.01, "test/loss": 0.2, "test/mae": 0.3}
        run = make_job(path / str(i), f"optimizer.lr={0.1 * (i + 1)}", metrics=metrics)
        draw_boundary(run.path)
        (run.plots / "boundary.png").rename(run.plots / "predictions.png")


def lost_metric(path: Path) -> None:
    make_job(path / "0", "optimizer.lr=1", metrics={"val/loss": None})
    make_job(path / "1", "optimizer.lr=2", metrics={"val/loss": None})


def no_config(path: Path) -> None:
    single(path)
    (path / "0" / ".hydra" / "config.yaml").write_text("[")


def nothing(path: Path) -> None:
    path.mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("fill", "lead"),
    [
        (failed, "No job has completed with a number to compare: 3 failed."),
        (unfinished, "No job has completed with a number to compare: 2 unfinished."),
        (nothing, "No job has completed with a number to compare: there is none."),
        (lost_metric, "No job has completed with a number to compare: 2 completed."),
        (no_config, "No job has completed with a number to compare: 1 completed."),
        (single, "Validation loss of all jobs: 0.5000 (1 seed)."),
        (regression, "Lowest validation loss of 4 groups: lr=0.1 with 0.0100 (1 seed)."),
    ],
)
def test_there_is_a_page_for_every_sweep(tmp_path: Path, fill: Fill, lead: str) -> None:
    fill(tmp_path)
    found = read(html(tmp_path))
    top = found.select_one(".lead")
    assert top is not None
    assert top.get_text() == lead
    assert len(found.select("#table tbody tr")) == len(read_jobs([tmp_path]))


def test_a_page_without_charts_is_small(tmp_path: Path) -> None:
    failed(tmp_path)
    assert len(html(tmp_path)) < 50_000


@pytest.mark.slow
def test_regression_shows_predictions(tmp_path: Path) -> None:
    regression(tmp_path)
    found = read(html(tmp_path))
    assert found.select_one("#pictures h2").get_text() == "Predictions"  # type: ignore[union-attr]


@pytest.mark.slow
def test_many_groups_share_a_short_legend(tmp_path: Path) -> None:
    for i in range(80):
        make_job(tmp_path / str(i), f"optimizer.lr={0.001 * (i + 1):.4g}", metrics={"val/loss": 0.5 + i})
    text = html(tmp_path)
    found = read(text)
    legend = found.select_one("#values .legend")
    assert legend is not None
    assert [each.get_text(strip=True) for each in legend.select("span")][-2:] == ["lr=0.006", "all other groups"]
    assert len(found.select("table.groups tbody tr")) == 80
    points, bars = charts(text)["dots"][0]["data"]
    # the point of a group that has one alone is its median, too
    assert (len(points["y"]), len(bars["y"])) == (20, 0)


def test_equal_errors_stand_once_with_their_jobs(tmp_path: Path) -> None:
    for i in range(20):
        make_job(tmp_path / str(i), f"seed={i}", error=ValueError("a" if i % 2 else f"b{i // 10}"))
    found = read(html(tmp_path))
    assert [each.get_text() for each in found.select("#failures > details > pre")] == ["a", "b0", "b1"]
    first = found.select_one("#failures details")
    assert first is not None
    words = " ".join(first.get_text().split())
    assert words.startswith("ValueError 10 jobs In 1, 3, 5, 7, 9, 11, 13, 15, 17, 19 a ")


def test_the_file_is_the_page(tmp_path: Path) -> None:
    single(tmp_path)
    write_page(tmp_path / "report.html", summarise(read_jobs([tmp_path]), [tmp_path], metric=None))
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>\n<html lang=")


def test_a_long_table_is_text_that_is_opened_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "MANY", 5)
    for i in range(6):
        metrics = {"val/loss": 0.25 + i / 1000, "val/f1": 0.5}
        make_job(tmp_path / f"run {i}", f"optimizer.lr={i // 3 + 1}", f"seed={i}", metrics=metrics)
    found = read(html(tmp_path))
    assert not found.select("#table tbody tr")
    script = found.select_one("#rows")
    assert script is not None
    rows = json.loads(script.get_text())

    def opened(text: str) -> Any:
        return json.loads(gzip.decompress(base64.b64decode(text)))

    assert opened(rows["names"]) == [f"run {i}" for i in range(6)]
    assert rows["folders"] == [{"href": ".", "label": ""}]
    headings = [each.get_text() for each in found.select("#table th")][2:]
    by_heading = dict(zip(headings, rows["columns"], strict=True))
    assert opened(by_heading["optimizer.lr"]["texts"]) == ["1"] * 3 + ["2"] * 3
    assert opened(by_heading["val/loss"]["values"]) == [0.25 + i / 1000 for i in range(6)]
    assert opened(by_heading["val/f1, %"]["texts"]) == ["50.0"] * 6
    assert by_heading["val/f1, %"]["extra"]
