import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, Page, expect

from core.config import MapSettings
from core.encoder.encoder import Encoder
from core.maps.document import Named, map_document
from core.report.map_page import map_page as written_page
from tests.browser.conftest import open_tab
from tests.browser.test_similarity import drawn, wait_drawn

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
HOSTILE = "<img src=x onerror=alert(1)> ${alert(1)} {{constructor}} <b>bold</b>"
ALONE = """() => {  // of some points the one that stands farthest from all others
  const c = document.querySelector('.map-canvas').chart.screen();
  const apart = (i) => {
    let least = 1e9;
    for (let j = 0; j < c.length / 2; j += 1)
      if (j !== i) least = Math.min(least, (c[2*i] - c[2*j]) ** 2 + (c[2*i+1] - c[2*j+1]) ** 2);
    return least;
  };
  let best = [0, 0];
  for (let i = 0; i < 400; i += 1) if (apart(i) > best[1]) best = [i, apart(i)];
  return [best[0], c[2 * best[0]], c[2 * best[0] + 1]];
}"""
OWN = [HOSTILE, "The cat sleeps.", "A dog barks.", "Shares fell.", "The bank cut rates."]


@pytest.fixture
def map_page(open_page: Open) -> Open:
    """Open the page on its Map tab, with the map of the corpus drawn."""

    def opened(**size: int | str) -> Page:
        page = open_page(**size)
        open_tab(page, "Map")
        page.wait_for_selector("#map-picture[data-final=true]", timeout=60_000)
        return page

    return opened


def choose(page: Page, *labels: str) -> None:
    for label in labels:
        page.get_by_label(label, exact=True).check(force=True)


def draw_own(page: Page, sentences: list[str], method: str = "PCA") -> None:
    choose(page, "Sentences below", method)
    page.locator("#map-box textarea").fill("\n".join(sentences))
    page.get_by_role("button", name="Draw map", exact=True).click()
    page.wait_for_selector(
        f".map-canvas[data-points='{len(sentences)}'][data-method='{method.lower()}']",
        timeout=60_000,
    )
    page.wait_for_selector("#map-picture[data-final=true]", timeout=60_000)


def test_the_tab_opens_on_the_map_of_the_corpus_drawn_by_webgl(map_page: Open) -> None:
    page = map_page()
    canvas = page.locator(".map-canvas")
    expect(canvas).to_have_attribute("data-points", "4404")
    assert canvas.get_attribute("data-kind") in ("webgl", "canvas")
    expect(page.locator("#map .answer")).to_contain_text("4,404 sentences by UMAP")
    expect(page.locator(".map-card")).to_contain_text("Trustworthiness 0.8")
    expect(page.locator(".groups")).to_contain_text("sports")
    assert page.get_by_label("Colour by").input_value() == "topic"


def test_a_point_shows_its_text_labels_and_nearest_by_cosine(map_page: Open) -> None:
    page = map_page()
    spot = page.evaluate(ALONE)
    page.locator(".scatter-over").click(position={"x": spot[1], "y": spot[2]})
    wait_drawn(page, "map-point", 0)
    card = page.locator(".card.map-point")
    expect(card.locator("h3")).to_have_text(f"Sentence {spot[0] + 1:,}")
    assert card.locator(".near li").count() == 10
    scores = [float(each) for each in card.locator(".near .score").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    expect(card.locator(".point-facts")).to_contain_text("topic, the model says")
    before = drawn(page, "map-point")
    card.locator(".near .row-go").first.click()
    wait_drawn(page, "map-point", before)
    expect(card.locator("h3")).not_to_have_text(f"Sentence {spot[0] + 1:,}")


def test_search_and_lasso_fill_the_list_and_the_download_has_no_formula(
    map_page: Open, tmp_path: Path
) -> None:
    page = map_page()
    draw_own(page, ["=1+1 is a formula", *OWN])
    expect(page.locator(".map-list h3")).to_have_text("All: 6 of 6")
    page.get_by_label("Mark sentences that contain").fill("BANK")
    expect(page.locator(".map-list h3")).to_have_text("Found: 1 of 6")
    page.get_by_role("button", name="Whole map").click()
    page.get_by_role("button", name="Lasso", exact=True).click()
    canvas = page.locator(".scatter-over")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    left, top = box["x"] + 8, box["y"] + 8
    right, bottom = left + box["width"] - 16, top + box["height"] - 16
    page.mouse.move(left, bottom)
    page.mouse.down()
    for x, y in ((left, top), (right, top), (right, bottom)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    expect(page.locator(".map-list h3")).to_have_text("In the lasso: 6 of 6")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download these, CSV").click()
    path = tmp_path / "map.csv"
    waiting.value.save_as(path)
    rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"), newline="")))
    assert rows[0]["text"] == "'=1+1 is a formula"
    assert {"row", "text", "x", "y"} <= set(rows[0])


def test_hostile_text_stays_text_on_the_map_and_beside_it(map_page: Open) -> None:
    page = map_page()
    draw_own(page, OWN)
    page.locator(".points .row-go").first.click()
    wait_drawn(page, "map-point", 0)
    expect(page.locator(".card.map-point .big")).to_have_text(HOSTILE)
    spot = page.evaluate("document.querySelector('.map-canvas').chart.screen().slice(0, 2)")
    page.locator(".scatter-over").hover(position={"x": spot[0], "y": spot[1]})
    expect(page.locator(".scatter-tip .text")).to_have_text(HOSTILE)
    assert page.locator("#map img, #map b:has-text('bold'), .scatter-tip b").count() == 0


def test_bad_input_is_told_and_the_map_stays(map_page: Open) -> None:
    page = map_page()
    choose(page, "Sentences below", "PCA")
    for text, said in (("one\ntwo", "at least 3"), ("same\nsame\nsame", "have the same embedding")):
        page.locator("#map-box textarea").fill(text)
        page.get_by_role("button", name="Draw map", exact=True).click()
        expect(page.get_by_test_id("toast-body").last).to_contain_text(said, timeout=20_000)
    expect(page.locator(".map-canvas")).to_have_attribute("data-points", "4404")


@pytest.mark.slow
def test_before_and_after_share_a_frame_and_the_slider_walks_between(map_page: Open) -> None:
    page = map_page()
    choose(page, "Before and after")
    draw_own(page, [f"{text} {number}" for number in range(4) for text in OWN[1:]], "UMAP")
    slider = page.get_by_label("From before to after fine-tuning")
    places = "document.querySelector('.map-canvas').chart.screen()"
    before = page.evaluate(places)
    slider.focus()
    slider.press("End")
    page.wait_for_function(
        f"(was) => {places}.some((v, i) => Math.abs(v - was[i]) > 1)", arg=before
    )
    expect(slider).to_have_attribute("aria-valuetext", "after")
    expect(page.locator(".map-moved")).to_contain_text("What moved most")
    page.get_by_role("button", name="▶ Play").click()
    expect(slider).to_have_attribute("aria-valuetext", "before", timeout=10_000)
    own = page.locator(".map-moved .pairs").inner_text()
    page.locator("#map-box textarea").fill(f"{HOSTILE}\nהרכבת איחרה")
    page.get_by_role("button", name="Place on this map").click()
    page.wait_for_selector(".map-canvas[data-points='18']", timeout=60_000)
    expect(page.locator(".map-list h3")).to_have_text("Placed: 2 of 18")
    expect(page.locator("#map .answer")).to_contain_text("2 sentences placed on it, marked by")
    expect(page.locator(".map-moved")).to_contain_text("What moved most of those placed")
    assert page.locator(".map-moved .pairs").first.inner_text() == own
    before = page.evaluate(places)
    slider.focus()
    slider.press("End")
    page.wait_for_function(
        f"(was) => {places}.slice(-4).some((v, i) => Math.abs(v - was.slice(-4)[i]) > 1)",
        arg=before,
    )
    page.locator(".points .row-go").first.click()
    wait_drawn(page, "map-point", 0)
    expect(page.locator(".card.map-point .big")).to_have_text(HOSTILE)
    expect(page.locator(".card.map-point")).to_contain_text("Nearest after;")
    assert page.locator("#map img, #map b:has-text('bold')").count() == 0


def test_the_page_that_is_written_walks_between_too_and_rings_what_was_placed(
    browser: Browser, tiny_encoder: Encoder, tmp_path: Path
) -> None:
    named = Named(texts=OWN[1:], placed=[HOSTILE, "הרכבת איחרה"])
    later = tiny_encoder.with_pooling("max")
    document = map_document(tiny_encoder, named, MapSettings(method="pca"), after=later)
    (tmp_path / "map.html").write_text(written_page(document), encoding="utf-8")
    page, wrong = browser.new_page(), list[object]()
    page.on("pageerror", lambda error: wrong.append(error))
    page.on("dialog", lambda dialog: (wrong.append(dialog), dialog.dismiss()))
    page.goto((tmp_path / "map.html").as_uri())
    expect(page.locator("#made")).to_contain_text("6 sentences, 2 of them placed on it, ringed")
    expect(page.locator("#quality")).to_contain_text("After: trustworthiness")
    expect(page.locator("#rows")).to_contain_text(HOSTILE)
    expect(page.locator("#pairs")).to_contain_text("Came together with one placed")
    places = "document.querySelector('#map').chart.screen()"
    before = page.evaluate(places)
    slider = page.get_by_label("From before to after fine-tuning")
    slider.focus()
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", "after")
    assert page.evaluate(places) != before
    assert page.locator("img, #pairs b:has-text('bold')").count() == 0
    page.close()
    assert wrong == []


@pytest.mark.slow
def test_the_sentences_of_compare_are_shown_on_the_map(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("button", name="Show these on the map").click()
    expect(page.locator("#map .answer")).to_contain_text("placed on it", timeout=90_000)
    assert int(page.locator(".map-canvas").get_attribute("data-points") or 0) > 4404
    expect(page.locator(".map-list h3")).to_contain_text("Placed: ")


def test_the_map_moves_by_keyboard_and_a_group_can_be_hidden(map_page: Open) -> None:
    page = map_page()
    places = "document.querySelector('.map-canvas').chart.screen()[0]"
    before = page.evaluate(places)
    page.locator(".scatter-over").focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(places) == pytest.approx(before + 40, abs=0.1)
    page.keyboard.press("+")
    page.keyboard.press("0")
    assert page.evaluate(places) == pytest.approx(before, abs=0.1)
    group = page.locator(".groups button.group").first
    group.click()
    expect(group).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("Tab")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_it_without_sideways_scrolling(map_page: Open, theme: str) -> None:
    page = map_page(width=390, height=844, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_role("button", name="Draw map", exact=True).is_visible()
    draw_own(page, OWN)
    page.locator(".points .row-go").first.click()
    wait_drawn(page, "map-point", 0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(map_page: Open, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = map_page(theme=theme)
    page.locator(".points .row-go").first.click()
    wait_drawn(page, "map-point", 0)
    found = axe.Axe().run(page).response["violations"]
    serious = [
        f"{violation['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert serious == []
