"""The Freeze tab in a real browser: the strip by mouse and keyboard, the profile, the cards."""

import csv
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import open_tab

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
LONG = 240_000
"""Milliseconds that a comparison may take on a machine that others use too; alone it is seconds."""


@pytest.fixture
def freeze_page(open_page: Open) -> Open:
    """Open the page on its Freeze tab, with the shipped example drawn."""

    def opened(**size: int | str) -> Page:
        page = open_page(**size)
        open_tab(page, "Freeze")
        page.wait_for_selector("#freeze-strip-picture[data-drawn]")
        return page

    return opened


def block(page: Page, part: str) -> Locator:
    return page.locator(f"#freeze-strip .slab[data-part='{part}']")


def name_of(page: Page) -> Locator:
    return page.locator("#freeze-strip .strategy-name input")


def test_the_tab_opens_with_the_profile_along_a_drawn_strategy(freeze_page: Open) -> None:
    page = freeze_page()
    expect(page.locator("#freeze-strip .known .big")).to_contain_text("sentiment at layer")
    expect(name_of(page)).to_have_value("lower:4")
    expect(page.locator("#freeze-strip .slab.f")).to_have_count(5)
    expect(page.locator("#freeze-strip .panel-column")).to_have_count(3)
    rows = page.locator("#freeze-strip .slab[data-k='3'], #freeze-strip .scored[data-k='3']")
    middles = rows.evaluate_all(
        "all => all.map(e => { const b = e.getBoundingClientRect(); return b.top + b.height / 2; })"
    )
    assert len(middles) == 4
    assert max(middles) - min(middles) < 2, "a layer's scores stand beside its block"
    expect(page.locator("#freeze-strip .told")).to_contain_text("parameters train (16 %)")


def test_a_strategy_is_made_by_mouse(freeze_page: Open) -> None:
    page = freeze_page()
    block(page, "layer 6").click()
    expect(name_of(page)).to_have_value("freeze:0-4+6")
    expect(block(page, "layer 6")).to_have_attribute("aria-pressed", "false")
    block(page, "layer 5").click()
    expect(name_of(page)).to_have_value("heads")
    block(page, "layer 3").click()
    expect(name_of(page)).to_have_value("freeze:0-2+4-6")
    page.locator("#freeze-strip .scored[data-k='4']").first.click()
    expect(name_of(page)).to_have_value("freeze:0-2+4-6@4")
    expect(block(page, "layer 5")).to_have_class(re.compile(r"\bn\b"))
    block(page, "layer 5").click()
    expect(page.locator("#freeze-strip .told")).to_contain_text(
        "Layer 5 is not run, as the heads read layer 4"
    )
    page.locator("#freeze-strip [data-add]").click()
    chosen = page.locator("#freeze-cards .chosen-list code")
    expect(chosen).to_have_text(
        [
            *("heads", "heads@auto", "lower:2@auto", "lower:2", "lower:4", "full"),
            "freeze:0-2+4-6@4",
        ]
    )


def test_a_strategy_is_made_by_keyboard(freeze_page: Open) -> None:
    page = freeze_page()
    block(page, "head topic").focus()
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.part") == "layer 4"
    page.keyboard.press("Space")
    expect(name_of(page)).to_have_value("lower:3")
    expect(block(page, "layer 4")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(name_of(page)).to_have_value("lower:2")
    expect(block(page, "layer 3")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#freeze-strip .reader[data-k='6']")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(name_of(page)).to_have_value("lower:2@4")
    expect(page.locator("#freeze-strip .reader[data-k='4']")).to_be_focused()
    expect(page.locator("#freeze-strip .reader[data-k='4']")).to_have_attribute(
        "aria-checked", "true"
    )
    name_of(page).fill("lowest")
    page.keyboard.press("Enter")
    expect(page.locator("#freeze-strip .told")).to_contain_text("must be one of: frozen, heads")
    name_of(page).fill("heads@auto")
    page.keyboard.press("Enter")
    expect(block(page, "head sentiment")).to_have_attribute(
        "aria-label", re.compile("reads layer 3")
    )
    expect(page.locator("#freeze-strip [data-read=auto]")).to_have_attribute("aria-pressed", "true")


def test_cards_say_what_speaks_for_a_strategy_and_draw_it(freeze_page: Open) -> None:
    page = freeze_page()
    page.locator(".every-strategy summary").click()
    cards = page.locator(".strategy-cards .strategy")
    expect(cards).to_have_count(12)
    for text in cards.all_inner_texts():
        assert all(word in text for word in ("For", "Against", "When"))
        assert re.search(r"\d{4}|feature extractor", text), "each names its source"
    page.get_by_role("button", name="Draw gradual on the strip").click()
    expect(name_of(page)).to_have_value("gradual")
    expect(block(page, "layer 6")).to_contain_text("from epoch 2")
    page.get_by_role("button", name="Compare lora", exact=True).click()
    expect(page.get_by_role("button", name="Leave out lora", exact=True).first).to_be_visible()
    expect(page.locator("#freeze-cards h3")).to_contain_text("7 strategies")
    page.get_by_role("button", name="The default set").click()
    expect(page.locator("#freeze-cards h3")).to_contain_text("6 strategies")


def test_own_data_is_profiled_on_demand(freeze_page: Open, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    rows = [
        (f"The {what} number {n} is <b>here</b>.", kind)
        for n in range(12)
        for what, kind in (("ferry", "<i>boat</i>"), ("lorry", "road"), ("glider", "air"))
    ]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["text", "way"], *rows])
    page = freeze_page()
    open_tab(page, "Data")
    page.wait_for_selector("#data-overview-picture[data-drawn]")
    page.locator("#data-file input[type=file]").set_input_files(path)
    expect(page.locator("#data-overview .answer .big")).to_contain_text("own.csv", timeout=30_000)
    page.get_by_role("button", name="Use this data in every tab").click()
    expect(page.locator("#working-data")).to_contain_text("own.csv")
    open_tab(page, "Freeze")
    expect(block(page, "head way")).to_be_visible(timeout=30_000)
    expect(page.locator("#freeze-strip .panel-column")).to_have_count(1, timeout=60_000)
    expect(page.locator("#freeze-strip .known .big")).to_contain_text("way")
    block(page, "layer 2").click()
    expect(name_of(page)).to_have_value(re.compile(r"freeze:0-1\+3"))
    expect(page.locator("#freeze-strip .panel-column")).to_have_count(1)


def own_rows(folder: Path) -> Path:
    """Write 36 labelled sentences of three kinds."""
    what = ("ferry", "yacht", "lorry", "bus", "glider", "jet")
    path = folder / "own.csv"
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["text", "way"])
        for number in range(6):
            for place, each in enumerate(what):
                way = ("<i>boat</i>", "road", "air")[place // 2]
                lines.writerow([f"The {each} number {number} left late.", way])
    return path


@pytest.fixture
def own_page(freeze_page: Open, tmp_path: Path) -> Page:
    """Open the Freeze tab on data of one's own, with two strategies to compare."""
    page = freeze_page()
    page.get_by_role("tab", name="Data", exact=True).click()
    page.wait_for_selector("#data-overview-picture[data-drawn]")
    page.locator("#data-file input[type=file]").set_input_files(own_rows(tmp_path))
    expect(page.locator("#data-overview .answer .big")).to_contain_text("own.csv", timeout=30_000)
    page.get_by_role("button", name="Use this data in every tab").click()
    expect(page.locator("#working-data")).to_contain_text("own.csv")
    page.get_by_role("tab", name="Freeze", exact=True).click()
    expect(block(page, "head way")).to_be_visible(timeout=30_000)
    expect(page.locator("#compare-tasks")).to_contain_text("way", timeout=60_000)
    for left, name in enumerate(("heads@auto", "lower:2@auto", "lower:2", "full"), 1):
        page.get_by_role("button", name=f"Leave out {name}", exact=True).first.click()
        expect(page.locator("#freeze-cards .chosen-list li")).to_have_count(6 - left)
    return page


def test_a_small_comparison_runs_advises_and_a_run_changes_predict(
    own_page: Page, tmp_path: Path
) -> None:
    page = own_page
    page.get_by_role("button", name="More to compare").click()
    page.get_by_label("8, 16, 32 … rows of each class").check()
    page.get_by_role("button", name="Compare them", exact=True).click()
    going = page.locator("#freeze-going")
    expect(going).to_contain_text("The plan: 6 runs, about", timeout=LONG)
    expect(page.locator("#freeze-result [data-strategy='heads']").first).to_be_visible(timeout=LONG)
    expect(page.locator("#freeze-comparisons")).to_contain_text("done", timeout=LONG)
    expect(page.locator("#freeze-advice .big")).to_contain_text("What to freeze:")
    expect(page.locator("#freeze-advice")).to_contain_text("36 rows of own.csv")
    page.locator("#freeze-advice .as-code > summary").click()
    taken = page.locator("#freeze-advice .script").first
    with page.expect_download() as download:
        taken.get_by_role("button", name="Download train_transformers.py").click()
    taken.locator("summary").click()
    expect(taken.locator("pre")).to_have_text(download.value.path().read_text("utf-8"))
    expect(page.locator("#freeze-result .compared tr[data-strategy]")).to_have_count(2)

    cost = page.locator("#freeze-result .charts .plot").first
    cost.scroll_into_view_if_needed()
    expect(cost.locator(".main-svg").first).to_be_visible()
    cost.focus()
    page.keyboard.press("End")
    expect(page.locator("#freeze-result .charts [role=status]").first).to_contain_text("lower:4, ")
    page.keyboard.press("Enter")
    expect(page.locator(".strategy-detail h3")).to_contain_text("Lower 4 layers frozen")
    expect(page.locator(".strategy-detail .per-class")).to_contain_text("<i>boat</i>")

    expect(page.locator("#freeze-result")).to_contain_text("so there is no table of fewer rows")
    check_explanations(page)
    check_accessible(page)
    page.evaluate("document.body.classList.add('dark')")
    page.wait_for_timeout(1_000)  # colours are on their way
    check_accessible(page)
    page.evaluate("document.body.classList.remove('dark')")
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1200, "height": 900})

    with page.expect_download() as waiting:
        page.get_by_role("button", name="HTML, to send").click()
    path = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(path)
    assert "own.csv" in path.read_text("utf-8")

    page.get_by_role("button", name="Use lower:4, seed 1, as the working model").click()
    expect(page.locator("#working-model")).to_contain_text("lower:4, seed 1", timeout=30_000)
    page.get_by_role("tab", name="Predict", exact=True).click()
    expect(page.locator("#one .answer .big")).to_contain_text("Way:", timeout=30_000)
    page.get_by_role("tab", name="Compare", exact=True).click()
    expect(page.get_by_label("Side by side with")).to_have_value(
        re.compile("the working model: lower:4")
    )
    expect(page.locator("#result .answer")).to_contain_text("Side by side:", timeout=30_000)
    page.get_by_role("tab", name="Predict", exact=True).click()
    page.get_by_role("button", name="Back to the page's own model").click()
    expect(page.locator("#one .answer .big")).to_contain_text("Topic:", timeout=30_000)

    page.get_by_role("tab", name="Freeze", exact=True).click()
    page.get_by_role("button", name="Train it on all rows").click()
    page.get_by_role("button", name="Use the model of all rows").click(timeout=LONG)
    expect(page.locator("#working-model")).to_contain_text("trained on all rows", timeout=30_000)
    page.get_by_role("button", name="Delete Yours, of own.csv").click()
    page.get_by_role("button", name="Delete Yours, of own.csv").click()
    expect(page.locator("#freeze-comparisons")).not_to_contain_text("Yours, of own.csv")


def check_explanations(page: Page) -> None:
    """Pointing, keys and clicks explain what a comparison shows."""
    expect(page.locator("#freeze-advice .means").first).not_to_be_empty()
    curve = page.locator(".strategy-detail .plot").first
    told = page.locator(".strategy-detail .chart [role=status]").first
    curve.scroll_into_view_if_needed()
    expect(curve.locator(".main-svg").first).to_be_visible()
    curve.hover()
    expect(curve.locator(".hoverlayer")).to_contain_text("way, training")
    curve.focus()
    page.keyboard.press("Home")
    expect(told).to_contain_text("way, training: ")
    first = told.inner_text()
    page.keyboard.press("End")
    expect(told).not_to_have_text(first)
    expect(page.locator(".strategy-detail .retention")).to_contain_text("drifted")
    page.get_by_text("Task by task, every score").click()
    expect(page.locator("[data-section=tasks] th[scope=col]")).to_contain_text(["Macro-F1"])
    page.get_by_text("What the columns say").click()
    expect(page.locator(".column-words")).to_contain_text("Forgetting: how much worse")
    expect(page.locator("#freeze-result .command")).to_contain_text("--data own.csv")
    expect(page.locator("#freeze-comparisons")).to_contain_text("Yours stay until")


def test_a_comparison_is_stopped_at_once_and_a_reload_finds_it(own_page: Page) -> None:
    page = own_page
    page.get_by_role("button", name="Compare them", exact=True).click()
    going = page.locator("#freeze-going")
    expect(going).to_contain_text("of 6 runs done", timeout=LONG)
    began = time.monotonic()
    page.locator("#compare-strategies-stop").click()
    expect(going).to_contain_text("Stopped with", timeout=5_000)
    assert time.monotonic() - began < 4, "two seconds, and the page's own"
    page.reload()
    page.wait_for_selector("#hits-picture[data-drawn]")
    page.get_by_role("tab", name="Freeze", exact=True).click()
    expect(page.locator("#freeze-comparisons")).to_contain_text("Yours, of own.csv", timeout=20_000)
    expect(page.locator("#freeze-going")).to_contain_text("Stopped with")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_the_strip_without_sideways_scrolling(freeze_page: Open, theme: str) -> None:
    page = freeze_page(width=390, height=844, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    column = page.locator("#freeze-strip .panel-column").first.bounding_box()
    assert column is not None
    assert 0 <= column["x"] < column["x"] + column["width"] <= 390, "beside the strip, not past it"
    page.locator(".every-strategy summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def check_accessible(page: Page) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    serious = [
        f"{violation['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(freeze_page: Open, theme: str) -> None:
    page = freeze_page(theme=theme)
    name_of(page).fill("lora@4")
    page.keyboard.press("Enter")
    expect(page.locator("#freeze-strip .slab.p")).to_have_count(4)
    page.locator(".every-strategy summary").click()
    page.locator("#freeze-strip .as-table summary").click()
    check_accessible(page)
