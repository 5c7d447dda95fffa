import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_tab
from tests.browser.test_similarity import drawn, wait_drawn

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
NEWS = "Apple shares fell sharply after Tim Cook warned of weak sales in China."


@pytest.fixture
def predict_page(open_page: Open) -> Open:
    """Open the page on its Predict tab, with the worked example drawn."""

    def opened(**size: int | str) -> Page:
        page = open_page(**size)
        open_tab(page, "Predict")
        page.wait_for_selector("#one-picture[data-drawn]")
        return page

    return opened


def ask(page: Page, text: str) -> None:
    page.locator("#predict-box textarea").fill(text)
    before = drawn(page, "one")
    page.get_by_role("button", name="Predict", exact=True).click()
    wait_drawn(page, "one", before)


def save(page: Page, label: str, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name=label, exact=True).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def test_the_tab_opens_answered_and_a_typed_sentence_gets_its_own_answer(
    predict_page: Open,
) -> None:
    page = predict_page()
    expect(page.locator("#one .answer .big")).to_contain_text("Topic: ")
    assert page.locator("#predict-box textarea").input_value() == NEWS
    ask(page, "Serena Williams won the match in Paris.")
    answer = page.locator("#one .answer .big")
    expect(answer).to_contain_text("sports")
    expect(answer).to_contain_text("Serena Williams (PER")
    expect(page.locator("#one .entity", has_text="Paris")).to_contain_text(
        re.compile(r"LOC (over )?\d+ %")
    )
    shares = page.locator(".card.task[data-task=topic] .share").all_inner_texts()
    total = sum(float(share.removesuffix(" %")) for share in shares)
    assert total == pytest.approx(100, abs=0.5)
    assert len(shares) == 6
    expect(page.locator(".card.task[data-task=topic]")).to_contain_text(
        re.compile(r"reads layer \d of 6")
    )


def test_a_bar_shows_the_words_of_its_label_and_they_add_up(predict_page: Open) -> None:
    page = predict_page()
    card = page.locator(".card.task[data-task=topic]")
    before = card.locator(".push").evaluate_all("all => all.map(e => e.ariaLabel)")
    card.locator(".prob[data-label=health]").focus()
    page.keyboard.press("Enter")
    expect(card.locator("h4")).to_have_text("Which words speak for health")
    after = card.locator(".push").evaluate_all("all => all.map(e => e.ariaLabel)")
    assert len(after) == len(before)
    assert after != before
    assert page.evaluate("document.activeElement.dataset.label") == "health"
    card.locator("summary").click()
    adds = card.locator("details td").all_inner_texts()
    told = re.search(r"The words add ([+−]?[\d.]+)", card.inner_text())
    assert told is not None
    total = sum(float(each.replace("−", "-")) for each in adds)
    assert total == pytest.approx(float(told[1].replace("−", "-")), abs=0.02)


def test_words_are_walked_by_keyboard(predict_page: Open) -> None:
    page = predict_page()
    card = page.locator(".card.task[data-task=sentiment]")
    card.locator(".push").first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home", "ArrowRight"):
        page.keyboard.press(key)
    expect(card.locator(".readout")).to_contain_text(re.compile(r"^shares adds [+−]?\d"))
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_the_threshold_says_at_once_what_is_unsure(predict_page: Open) -> None:
    page = predict_page()
    page.locator("label", has_text="one for all").last.click()
    number = page.get_by_role("spinbutton", name=re.compile("Percent"))
    before = drawn(page, "one")
    number.fill("100")
    number.press("Enter")
    expect(page.locator(".card.task .prob.unsure")).to_have_count(2)
    expect(page.locator("#one .answer .big")).to_contain_text("Topic: ? unsure")
    number.fill("0")
    number.press("Enter")
    expect(page.locator("#one .unsure")).to_have_count(0)
    assert drawn(page, "one") == before, "nothing was asked of the server"


def test_a_file_becomes_a_table_that_sorts_filters_and_is_saved(
    predict_page: Open, tmp_path: Path
) -> None:
    rows = [f"Match {n} of the cup went to penalties in Madrid." for n in range(14)]
    rows += ["=1+1 is a formula", "<b>I hated</b> this film, it was terrible."]
    path = tmp_path / "own.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "what"], *enumerate(rows)])
    page = predict_page()
    field = page.locator("#predict-file input[type=file]")
    field.set_input_files(path)
    expect(page.get_by_test_id("toast-body")).to_contain_text("name one with “Column”")
    page.locator("#predict-column").locator("input, textarea").fill("what")
    page.get_by_role("button", name="Read it", exact=True).click()
    table = page.locator("#many table.predictions")
    expect(page.locator("#many .answer")).to_contain_text("16 sentences.")
    assert table.locator("tbody tr").count() == 10
    look = table.locator("tr.pick").evaluate("e => getComputedStyle(e).display")
    assert look == "table-row", "the row that is opened keeps its columns"
    page.get_by_role("button", name="Next", exact=True).click()
    assert table.locator("tbody tr").count() == 6
    expect(page.locator(".pager")).to_contain_text("11–16 of 16")

    table.locator("[data-sort=sure-0]").click()
    expect(table.locator("th.sure").first).to_have_attribute("aria-sort", "ascending")
    shares = table.locator("td.sure:nth-child(4) span").all_inner_texts()
    numbers = [float(share.removesuffix(" %")) for share in shares]
    assert numbers == sorted(numbers)
    assert page.evaluate("document.activeElement.dataset.sort") == "sure-0", "focus stays"

    page.locator("#many input[type=search]").fill("HATED")
    expect(page.locator("#many .shown")).to_contain_text("1 of 16 shown")
    assert table.locator("tbody b").count() == 0
    before = drawn(page, "one")
    table.get_by_role("button", name="Open sentence 16").click()
    wait_drawn(page, "one", before)
    expect(page.locator("#one .which")).to_contain_text("Sentence 16 <b>I hated</b> this film")
    page.get_by_role("button", name="Show all").click()
    page.locator("#many [data-kind]", has_text="sports").click()
    expect(page.locator("#many .shown")).to_contain_text("of 16 shown")
    assert set(table.locator("td.label:nth-child(3) bdi").all_inner_texts()) == {"sports"}

    sheet = save(page, "Predictions, CSV", tmp_path).read_text("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(sheet, newline="")))
    assert len(found) == 16
    assert list(found[0]) == [
        *("text", "topic", "topic_confidence", "topic_unsure"),
        *("sentiment", "sentiment_confidence", "sentiment_unsure", "entities"),
    ]
    assert found[14]["text"] == "'=1+1 is a formula"
    lines = save(page, "Predictions, JSONL", tmp_path).read_text("utf-8").splitlines()
    assert [json.loads(line)["text"] for line in lines] == rows
    for entity in json.loads(lines[0])["entities"]:
        assert rows[0][entity["start"] : entity["end"]] == entity["text"]


def test_a_bad_file_gets_one_sentence_with_its_line_and_the_page_goes_on(
    predict_page: Open, tmp_path: Path
) -> None:
    page = predict_page()
    path = tmp_path / "<img src=x onerror=alert(1)>.csv"
    path.write_text('text\nfine\n"open\n')
    page.locator("#predict-file input[type=file]").set_input_files(path)
    toast = page.get_by_test_id("toast-body")
    expect(toast).to_contain_text("line 3 is not CSV: a quote opens there and does not close")
    assert page.locator("img[src='x']").count() == 0
    assert "/tmp" not in toast.inner_text()
    expect(page.locator("#one .answer")).to_contain_text("Topic:")
    ask(page, "It works.")
    expect(page.locator("#one .answer .big")).to_contain_text("Topic:")


def test_hostile_text_stays_text_in_both_views(predict_page: Open) -> None:
    page = predict_page()
    hostile = ["<img src=x onerror=alert(1)>", "${alert(1)} {{constructor}}", "😀 <b>Zoë</b> שלום"]
    ask(page, hostile[0])
    expect(page.locator(".entities .marked")).to_have_text(hostile[0])
    ask(page, "\n".join(hostile))
    assert page.locator("#many td.sentence").all_inner_texts() == hostile
    assert page.locator("img[src='x']").count() == 0
    assert page.locator("#many td b, #one .marked b").count() == 0


@pytest.mark.parametrize("text", ["", " \n\t\n"])
def test_nothing_to_predict_is_told_and_the_answer_stays(predict_page: Open, text: str) -> None:
    page = predict_page()
    page.locator("#predict-box textarea").fill(text)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("There is no sentence yet")
    expect(page.locator("#one .answer")).to_contain_text("Topic:")


def test_long_work_shows_how_far_it_is_and_can_be_stopped(predict_page: Open) -> None:
    page = predict_page()
    page.locator("#predict-box textarea").evaluate(
        "(box, text) => { box.value = text; box.dispatchEvent(new Event('input')) }",
        "\n".join(f"{number} " + "a long sentence goes on " * 40 for number in range(1_500)),
    )
    page.get_by_role("button", name="Predict", exact=True).click()
    status = page.locator("#predict-status")
    expect(status.locator("progress")).to_be_visible(timeout=15_000)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(status).to_contain_text("Stopped", timeout=15_000)
    ask(page, "It works.")
    expect(page.locator("#one .marked")).to_have_text("It works.")


def test_an_example_fills_the_box_and_a_link_opens_with_it(
    predict_page: Open, open_page: Open
) -> None:
    page = predict_page()
    before = drawn(page, "one")
    page.get_by_role("button", name="Person and place").click()
    wait_drawn(page, "one", before)
    expect(page.locator("#one .answer")).to_contain_text("One name, twice")
    text = page.locator("#predict-box textarea").input_value()
    expect(page.locator("#one .marked")).to_contain_text("Florence Pugh")
    shared = page.evaluate("new URL(location).searchParams.get('predict')")
    other = open_page("/?" + urlencode({"predict": shared}))
    expect(other.locator("#one .marked")).to_contain_text("Florence Pugh", timeout=20_000)
    assert other.locator("#predict-box textarea").input_value() == text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_one_and_many_without_sideways_scrolling(
    predict_page: Open, theme: str
) -> None:
    page = predict_page(width=390, height=844, theme=theme)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    ask(page, f"{NEWS}\nIt works.\n" + "unbroken" * 40)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_label("Sort by").is_visible()
    assert page.get_by_role("button", name="Predict", exact=True).is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(predict_page: Open, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = predict_page(theme=theme)
    ask(page, f"{NEWS}\nWell, it works.\nJordan flew to Jordan.")
    page.locator(".as-table summary").first.click()
    found = axe.Axe().run(page).response["violations"]
    serious = [
        f"{violation['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]
    assert serious == []
