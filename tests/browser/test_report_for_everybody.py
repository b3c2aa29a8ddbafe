"""The sweep report on large and small screens, by day and night, by keyboard and for who hears it."""

import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Page, expect

from src.search.pictures import write_charts
from tests.analysis.jobs import make_job
from tests.browser.conftest import Opened, write_report
from tests.search.searching import search_study

pytestmark = pytest.mark.browser

Open: TypeAlias = Callable[..., Opened]

DAY, NIGHT = "rgb(255, 255, 255)", "rgb(22, 24, 27)"
PHONE = {"width": 390, "height": 844}


def drawn(page: Page) -> None:
    """Wait until all charts are there."""
    expect(page.locator(".chart svg.main-svg").first).to_be_visible()
    expect(page.locator(".chart:not(:has(svg.main-svg))")).to_have_count(0)


def violations(page: Page) -> list[str]:
    """What axe finds that keeps people from using the page, in all of it."""
    page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
    page.add_script_tag(content=(resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    return [
        f"{each['id']}: {node['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def cut_texts(page: Page) -> list[str]:
    """Texts of charts that reach beyond them."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll(".chart")].flatMap((chart) => {
            const outer = chart.getBoundingClientRect();
            return [...chart.querySelectorAll("text")].filter((text) => {
              const { left, right, width } = text.getBoundingClientRect();
              return width && (left < outer.left - 1 || right > outer.right + 1);
            }).map((text) => text.textContent);
        })"""
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_everybody_can_read_and_use_it(small: Path, open_page: Open, *, width: int, scheme: str) -> None:
    opened = open_page(small, viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = opened.page
    drawn(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.errors == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_charts_of_a_search_can_be_read_too(
    small: Path, open_page: Open, tmp_path: Path, *, width: int, scheme: str
) -> None:
    shutil.copytree(small.parent, tmp_path / "sweep")
    shutil.copy(write_charts(search_study(tmp_path / "study", n_trials=12)), tmp_path / "sweep")
    opened = open_page(write_report(tmp_path / "sweep"), viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = opened.page
    drawn(page)
    shown = page.locator("#search .chart")
    expect(shown).to_have_count(4)
    assert [len(shown.nth(i).locator(".trace, .contour, .bars .point").all()) > 0 for i in range(4)] == [True] * 4
    paper = shown.first.locator(".main-svg").first
    expect(paper).to_have_css("background-color", DAY if scheme == "light" else NIGHT)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert cut_texts(page) == []
    assert opened.errors == []


def test_a_sweep_that_failed_can_be_read_too(open_page: Open, tmp_path: Path) -> None:
    for i in range(3):
        make_job(tmp_path / str(i), f"seed={i}", error=ValueError("no"))
    make_job(tmp_path / "3", "seed=3")
    opened = open_page(write_report(tmp_path), color_scheme="dark")
    assert violations(opened.page) == []
    assert opened.errors == []


def test_page_and_charts_are_dark_for_who_asks_for_it_and_pictures_stay_white(small: Path, open_page: Open) -> None:
    page = open_page(small).page
    drawn(page)

    def colors() -> list[str]:
        paper = page.locator("body").evaluate("(body) => getComputedStyle(body).backgroundColor")
        chart = page.locator(".chart svg.main-svg").first.evaluate("(svg) => getComputedStyle(svg).backgroundColor")
        picture = page.locator("figure img").first.evaluate("(image) => getComputedStyle(image).backgroundColor")
        return [paper, chart, picture]

    tick = page.locator(".chart .xtick text").first
    assert colors() == [DAY, DAY, DAY]
    expect(tick).to_have_css("fill", "rgb(26, 26, 26)")
    page.emulate_media(color_scheme="dark")
    expect(tick).to_have_css("fill", "rgb(232, 234, 237)")
    assert colors() == [NIGHT, NIGHT, DAY]


def test_a_keyboard_reaches_everything_in_order_and_shows_where_it_is(small: Path, open_page: Open) -> None:
    page = open_page(small).page
    page.evaluate("window.at = []")
    # what can be used, as it stands in the page, apart from what a closed part hides
    usable = page.evaluate(
        """[...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")]
            .filter((each) => each.checkVisibility()).length"""
    )
    for _ in range(usable):
        page.keyboard.press("Tab")
        page.evaluate("window.at.push(document.activeElement)")
    assert page.evaluate("new Set(window.at).size") == usable
    assert page.evaluate(
        """window.at.slice(1).every((each, i) =>
            window.at[i].compareDocumentPosition(each) & Node.DOCUMENT_POSITION_FOLLOWING)"""
    )
    heading = page.locator("#table th").filter(has_text="val/loss").get_by_role("button")
    heading.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(heading).to_be_focused()
    expect(heading).to_have_css("outline-style", "solid")
    page.keyboard.press("Enter")
    expect(page.locator("#table th[aria-sort=ascending]")).to_have_text("val/loss")


def test_charts_say_in_words_what_they_show(small: Path, open_page: Open) -> None:
    page = open_page(small).page
    names = [chart.get_attribute("aria-label") or "" for chart in page.locator(".chart[role=img]").all()]
    assert len(names) == page.locator(".chart").count()
    assert names[0].startswith("validation loss per group, best first: relu lr=1 0.1800; relu lr=0.1 0.3400; ")
    assert "validation loss of 8 jobs against optimizer.lr, from 0.14 to 0.7" in names


def test_a_phone_hides_no_column_and_cuts_no_text(small: Path, open_page: Open) -> None:
    page = open_page(small, viewport=PHONE).page
    drawn(page)
    for cell in page.locator("table.groups >> nth=0").locator("td").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    labels = (
        page.locator("table.groups >> nth=0")
        .locator("tbody tr >> nth=0")
        .locator("td")
        .evaluate_all("(cells) => cells.map((cell) => cell.dataset.label ?? '')")
    )
    assert labels == ["", "seeds", "val/loss", "test/accuracy, %", "failed, %", "not completed"]
    for picture in page.locator("figure img").all():
        box = picture.bounding_box()
        assert box is not None
        assert box["width"] == 390 - 2 * 14
    # names above the rows
    expect(page.locator(".chart").first.locator(".annotation").first).to_contain_text("relu lr=1")
    assert cut_texts(page) == []
    # what is too wide says so
    expect(page.locator("#jobs .sideways")).to_be_visible()


def test_a_large_screen_has_room_and_needs_no_hint(small: Path, open_page: Open) -> None:
    page = open_page(small).page
    drawn(page)
    expect(page.locator("#lines path").first).to_be_attached()
    expect(page.locator("#parallel .sideways")).not_to_be_visible()


def test_a_browser_that_cannot_unpack_the_charts_says_so(small: Path, open_page: Open) -> None:
    opened = open_page(small)
    opened.page.add_init_script("delete window.DecompressionStream")
    opened.page.reload()
    expect(opened.page.locator("#answer")).to_contain_text("The chart cannot be drawn. This browser is too old for it")
    # the rest works
    opened.page.get_by_label("Filter").fill("relu compl")
    expect(opened.page.locator("#count")).to_have_text("4 of 9 jobs")
    assert opened.errors == []
