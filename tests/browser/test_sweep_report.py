"""The sweep report in a browser: it draws, sorts, filters and chooses, also with a thousand jobs."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Page, expect

from tests.analysis.jobs import make_job
from tests.analysis.thousand import make_thousand
from tests.browser.conftest import Opened, write_report

pytestmark = pytest.mark.browser

Open: TypeAlias = Callable[[str | Path], Opened]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sweep_dir = tmp_path_factory.mktemp("large") / "sweep"
    make_thousand(sweep_dir)
    return write_report(sweep_dir)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sweep_dir = tmp_path_factory.mktemp("long") / "sweep"
    make_thousand(sweep_dir, n=2500)
    return write_report(sweep_dir)


def column(page: Page, n: int) -> list[str]:
    """What the rows that show hold in a column."""
    return page.locator(f"#table tbody tr:visible td:nth-child({n})").all_text_contents()


def keep(opened: Opened, name: str, *, width: int) -> None:
    """Take a picture of the whole page."""
    height = opened.page.evaluate("document.documentElement.scrollHeight")
    opened.page.set_viewport_size({"width": width, "height": height})
    opened.screenshot(name)


def sort(page: Page, heading: str) -> None:
    page.locator("#table th").filter(has_text=heading).get_by_role("button").click()


def test_everything_is_drawn_without_a_complaint(small: Path, open_page: Open) -> None:
    opened = open_page(small)
    page = opened.page
    charts = page.locator(".chart")
    assert charts.count() == 8
    for i in range(8):
        expect(charts.nth(i).locator("svg.main-svg").first).to_be_visible()
        expect(charts.nth(i).locator(".trace, .boxes").first).to_be_attached()
    expect(page.locator("#lines path")).to_have_count(8)
    pictures = page.locator("figure img")
    assert pictures.count() == 4
    for i in range(4):
        assert pictures.nth(i).evaluate("image => image.decode().then(() => image.naturalWidth)") == 640
    expect(page.locator("#failures pre").first).to_have_text("<b>not</b> </script> & finite")
    keep(opened, "sweep-report", width=1280)
    assert opened.errors == []


def test_a_click_on_a_heading_sorts_and_another_one_turns_round(small: Path, open_page: Open) -> None:
    opened = open_page(small)
    page = opened.page
    assert column(page, 1) == list("012345678")
    sort(page, "val/loss")
    # numbers by size, and a job without one last
    assert column(page, 1) == list("765432108")
    sort(page, "val/loss")
    assert column(page, 1) == list("012345678")
    sort(page, "optimizer.lr")
    assert column(page, 4) == ["0.1"] * 4 + ["1"] * 4 + ["100"]
    assert page.locator("#table th[aria-sort=ascending]").all_text_contents() == ["optimizer.lr"]
    assert opened.errors == []


def test_words_filter_the_rows(small: Path, open_page: Open) -> None:
    page = open_page(small).page
    page.get_by_label("Filter").fill("RELU compl")
    assert column(page, 1) == list("4567")
    expect(page.locator("#count")).to_have_text("4 of 9 jobs")
    page.get_by_label("Filter").fill("")
    expect(page.locator("#count")).to_have_text("9 jobs")


def test_a_drag_along_an_axis_chooses_lines_and_rows(small: Path, open_page: Open) -> None:
    page = open_page(small).page
    axis = page.locator("#lines .hold").first
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()
    assert box is not None
    at = box["x"] + box["width"] / 2
    page.mouse.move(at, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(at, box["y"] + box["height"] / 3)
    page.mouse.up()
    # the upper end of the axis is the second value
    assert column(page, 3) == ["relu"] * 4
    expect(page.locator("#lines path.left-out")).to_have_count(4)
    axis.click()
    expect(page.locator("#count")).to_have_text("9 jobs")


def test_all_metrics_show_on_demand(open_page: Open, tmp_path: Path) -> None:
    make_job(tmp_path / "0", "optimizer.lr=1", metrics={"val/loss": 0.5, "val/f1": 0.25})
    page = open_page(write_report(tmp_path)).page
    heading = page.locator("#table th").filter(has_text="val/f1")
    expect(heading).not_to_be_visible()
    page.get_by_label("all metrics").check()
    expect(heading).to_be_visible()


def test_a_phone_needs_no_sideways_scrolling(small: Path, open_page: Open) -> None:
    opened = open_page(small)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    opened.page.reload()
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 390
    keep(opened, "sweep-report-phone", width=390)
    assert opened.errors == []


def test_a_thousand_jobs_are_usable(large: Path, open_page: Open) -> None:
    opened = open_page(large)
    page = opened.page
    expect(page.locator("#lines path")).to_have_count(1000)
    expect(page.locator("#table tbody tr")).to_have_count(1000)
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()
    sort(page, "val/loss")
    shown = [float(text) for text in column(page, 6)]
    assert shown == sorted(shown)
    page.get_by_label("Filter").fill("act3")
    expect(page.locator("#count")).to_have_text("100 of 1000 jobs")
    keep(opened, "sweep-report-thousand", width=1280)
    assert opened.errors == []


def test_more_rows_than_a_page_has_room_for_are_turned_sorted_and_filtered(long: Path, open_page: Open) -> None:
    opened = open_page(long)
    page = opened.page
    expect(page.locator("#table tbody tr")).to_have_count(100)
    expect(page.locator("#count")).to_have_text("2500 jobs")
    expect(page.locator("#lines path")).to_have_count(2000)
    assert "2000 of 2500 drawn at random" in (page.locator("#values .note").first.text_content() or "")
    assert column(page, 1) == [str(i) for i in range(100)]
    assert page.locator("#table tbody a").first.get_attribute("href") == "./0/"
    page.get_by_role("button", name="next").click()
    expect(page.locator("#range")).to_have_text("101 to 200 of 2500")
    assert column(page, 1) == [str(i) for i in range(100, 200)]
    sort(page, "val/loss")
    sort(page, "val/loss")
    expect(page.locator("#table th[aria-sort=descending]")).to_have_text("val/loss")
    expect(page.locator("#range")).to_have_text("1 to 100 of 2500")
    shown = [float(text) for text in column(page, 6)]
    assert shown == sorted(shown, reverse=True)
    assert max(shown) == pytest.approx(0.5 + 249, abs=0.1)
    page.get_by_label("Filter").fill("act13 completed")
    expect(page.locator("#count")).to_have_text("100 of 2500 jobs")
    assert set(column(page, 4)) == {"act13"}
    heading = page.locator("#table th").filter(has_text="val/f1")
    expect(heading).not_to_be_visible()
    page.get_by_label("all metrics").check()
    expect(heading).to_be_visible()
    expect(page.locator("#table tbody tr").first.locator("td.extra").first).to_have_text("50.0")
    assert opened.errors == []


def test_a_phone_shows_a_long_table_too(long: Path, open_page: Open) -> None:
    opened = open_page(long)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    opened.page.reload()
    expect(opened.page.locator("#table tbody tr")).to_have_count(100)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == 390
    assert opened.errors == []
