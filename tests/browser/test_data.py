"""The Data tab in a real browser: the corpus, a file with planted faults, files that are broken."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Download, Page, expect

from tests.browser.conftest import open_tab

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
HOSTILE = "<img src=x onerror=alert(1)>"
TEXTS = [
    *("The soup came hot and quickly.", "Our waiter forgot half of what we had ordered."),
    *("A lovely terrace above the old harbour.", "Never again will I book this hotel."),
    *("The mattress was softer than at home.", "Somebody had smoked in the room before us."),
    *("They found my lost scarf within an hour.", "Parking costs more than the dinner did."),
    *("Breakfast is served until noon on Sundays.", "The lift broke twice during our stay."),
    *("I slept like a stone for three nights.", "Wi-Fi dropped whenever it started to rain."),
]


def planted() -> list[list[str]]:
    """Rows with an exact repeat, a contradiction, a leak, an empty text, markup and a formula."""
    rows = [[text, "bad" if n % 2 else "good", "train", "in"] for n, text in enumerate(TEXTS)]
    rows[8][2] = rows[9][2] = "test"
    rows.append(rows[0][:])  # repeated: lines 2 and 14
    rows.append([rows[2][0], "bad", "train", "in"])  # contradicted: 4 and 15
    rows.append([rows[4][0], "good", "test", "in"])  # leaked: 6 and 16
    rows.append(["", "good", "train", "out"])
    rows.append(["=1+1 is what the bill said", HOSTILE, "train", "out"])
    rows.append(["שלום עולם", "good", "train", "out"])
    return rows


def write_csv(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    out = io.StringIO()
    csv.writer(out).writerows([("review", "mood", "split", "stay"), *rows])
    path.write_text(out.getvalue(), encoding="utf-8")
    return path


def open_data(open_page: Open, **how: object) -> Page:
    page = open_page(**how)
    open_tab(page, "Data")
    page.wait_for_selector("#data-rows-picture[data-drawn]", timeout=60_000)
    return page


def upload(page: Page, path: Path) -> None:
    page.locator("#data-file input[type=file]").set_input_files(path)


def matching(page: Page) -> str:
    return page.locator("#data-rows .shown").inner_text()


def places(page: Page) -> list[str]:
    return page.locator("#data-rows tbody .place").all_inner_texts()


def see(page: Page, kind: str) -> None:
    page.get_by_role("button", name=re.compile(rf"^Show .*: {kind}$")).first.click()
    expect(page.locator("#data-rows .shown")).to_contain_text("of a finding")


def text_of(download: Download) -> str:
    return Path(download.path()).read_text(encoding="utf-8")


def test_the_corpus_is_searched_and_filtered(open_page: Open) -> None:
    page = open_data(open_page)
    expect(page.locator(".data-answer")).to_contain_text("The corpus")
    expect(page.locator(".in-use")).to_contain_text("in use in every tab")
    assert page.locator("#data-rows .entity .tag").count() > 0
    rows = page.locator("#data-rows")
    rows.get_by_role("searchbox").fill("hospital")
    expect(rows.locator(".shown")).not_to_contain_text(re.compile(r"^4,\d+ of"))
    page.wait_for_function(
        "[...document.querySelectorAll('#data-rows tbody .sentence')].length > 0 && "
        "[...document.querySelectorAll('#data-rows tbody .sentence')]"
        ".every(e => e.textContent.toLowerCase().includes('hospital'))"
    )
    rows.get_by_role("button", name=re.compile("^sports")).click()
    expect(rows.get_by_role("button", name=re.compile("^sports"))).to_have_attribute(
        "aria-pressed", "true"
    )
    for label in rows.locator("tbody tr td.label:nth-of-type(3)").all_inner_texts():
        assert label == "sports"
    rows.get_by_role("button", name="Show all", exact=True).click()
    expect(rows.locator(".shown")).not_to_contain_text("Show all")
    assert rows.get_by_role("searchbox").input_value() == ""
    rows.get_by_label("Register", exact=True).select_option("headline")
    page.wait_for_function(
        "[...document.querySelectorAll('#data-rows tbody .facet')]"
        ".every(e => e.textContent === 'headline')"
    )
    before = places(page)
    rows.get_by_role("button", name="Next", exact=True).click()
    page.wait_for_function(
        "before => document.querySelector('#data-rows tbody .place').textContent !== before",
        arg=before[0],
    )
    assert not set(before) & set(places(page))


def test_a_bar_of_the_picture_shows_its_rows(open_page: Open) -> None:
    page = open_data(open_page)
    panel = page.locator(".panels .bars").first
    shown = panel.locator("tbody tr").first.locator("td span").inner_text()
    panel.get_by_role("button").first.click()
    expect(page.locator("#data-rows .shown")).to_contain_text(re.compile(rf"^{shown} of"))


def test_the_doctor_finds_what_was_planted_and_shows_its_rows(
    open_page: Open, tmp_path: Path
) -> None:
    page = open_data(open_page)
    upload(page, write_csv(tmp_path / "hotel.csv", planted()))
    expect(page.locator(".data-answer b").first).to_have_text("hotel.csv: 18 lines.")
    expect(page.locator(".diagnoses li.error").first).to_contain_text("of test stands in train")
    see(page, "leakage")
    assert places(page) == ["6", "16"]
    see(page, "conflict")
    page.wait_for_function("document.querySelector('#data-rows tbody .place').textContent === '4'")
    assert places(page) == ["4", "15"]
    see(page, "duplicate")
    page.wait_for_function("document.querySelector('#data-rows tbody .place').textContent === '2'")
    assert places(page)[:2] == ["2", "14"], "a repeat stands beside what it repeats"
    assert page.evaluate("document.activeElement.closest('#data-rows') !== null")
    assert page.locator("img[src='x']").count() == 0
    assert HOSTILE in page.locator("#data-overview").inner_text()


def test_columns_are_corrected_and_labels_renamed(open_page: Open, tmp_path: Path) -> None:
    page = open_data(open_page)
    upload(page, write_csv(tmp_path / "hotel.csv", planted()))
    form = page.locator(".columns")
    expect(form.get_by_label("mood", exact=True)).to_be_checked()
    form.get_by_label("Splits", exact=True).select_option("split")
    form.get_by_label("stay", exact=True).set_checked(False)
    form.get_by_label("Name of the task that mood gives").fill("feeling")
    form.get_by_role("button", name="Read it this way").click()
    expect(page.locator(".data-answer")).to_contain_text("1 task")
    expect(page.locator(".data-answer")).to_contain_text("feeling (3)")
    expect(page.locator(".splits h3")).to_have_text("Splits of its own")
    form.locator("summary").click()
    form.get_by_label("Label", exact=True).select_option(HOSTILE)
    form.get_by_label("New name", exact=True).fill("bad")
    form.get_by_role("button", name="Rename", exact=True).click()
    expect(page.locator(".data-answer")).to_contain_text("feeling (2)")
    expect(form.locator(".renamed")).to_contain_text("→ bad")
    form.get_by_label("Splits", exact=True).select_option("stay")
    form.get_by_role("button", name="Read it this way").click()
    expect(page.get_by_test_id("toast-body")).to_contain_text("must be a split")
    expect(page.locator(".data-answer")).to_contain_text("feeling (2)")
    form.get_by_role("button", name=re.compile("^Take back")).click()
    expect(page.locator(".data-answer")).to_contain_text("feeling (3)")


def test_ones_own_data_is_used_in_every_tab_and_given_back(open_page: Open, tmp_path: Path) -> None:
    page = open_data(open_page)
    sidebar = page.locator("#working-data")
    expect(sidebar).to_contain_text("the corpus")
    upload(page, write_csv(tmp_path / "hotel.csv", planted()))
    page.get_by_role("button", name="Use this data in every tab").click()
    expect(sidebar).to_contain_text("hotel.csv")
    expect(page.locator("#data-status")).to_contain_text("uses it now")
    expect(page.locator(".in-use")).to_be_visible()
    open_tab(page, "Compare")
    expect(sidebar).to_contain_text("hotel.csv")
    open_tab(page, "Data")
    page.get_by_role("button", name="Back to the corpus").click()
    expect(sidebar).to_contain_text("the corpus")
    expect(page.locator(".data-answer")).to_contain_text("The corpus")


def test_a_cleaned_copy_and_the_findings_are_downloaded(open_page: Open, tmp_path: Path) -> None:
    page = open_data(open_page)
    upload(page, write_csv(tmp_path / "hotel.csv", planted()))
    saves = page.locator(".saves")
    with page.expect_download() as begun:
        saves.get_by_role("button", name="CSV", exact=True).first.click()
    assert begun.value.suggested_filename == "hotel-cleaned.csv"
    written = list(csv.DictReader(io.StringIO(text_of(begun.value).removeprefix("\ufeff"))))
    texts = [row["review"] for row in written]
    assert len(texts) == 15, "without two repeats and the empty one"
    assert "" not in texts
    assert texts.count(TEXTS[0]) == 1
    assert "'=1+1 is what the bill said" in texts
    with page.expect_download() as begun:
        saves.get_by_role("button", name="JSON", exact=True).click()
    assert json.loads(text_of(begun.value))["rows"] == 18


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nul.csv", b"text,mood\nfine,good\nbad\x00,bad\n", "line 3 has a NUL byte"),
        ("sheet.csv", b"PK\x03\x04" + bytes(60), "compressed (zip)"),
        ("quote.csv", b'text,mood\nfine,good\n"never closed,bad\n', "line 3 is not CSV"),
        ("deep.jsonl", b"[" * 200_000, "line 1 is not JSON"),
        ("wide.csv", b",".join(b"c%d" % n for n in range(20_000)) + b"\n1\n", "20,000 columns"),
    ],
)
def test_a_bad_file_is_one_sentence_and_the_page_goes_on(
    open_page: Open, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    page = open_data(open_page)
    (tmp_path / name).write_bytes(content)
    upload(page, tmp_path / name)
    status = page.locator("#data-status [role=alert]")
    expect(status).to_contain_text(message)
    expect(status).to_contain_text(name)
    expect(page.locator(".data-answer")).to_contain_text("The corpus")
    upload(page, write_csv(tmp_path / "hotel.csv", planted()))
    expect(page.locator(".data-answer")).to_contain_text("hotel.csv")


def test_columns_nobody_can_guess_are_chosen_by_hand(open_page: Open, tmp_path: Path) -> None:
    page = open_data(open_page)
    lines = "\n".join(f"{text},{n % 3}" for n, text in enumerate(TEXTS))
    (tmp_path / "odd.csv").write_text(f"said,id\n{lines}\n")
    upload(page, tmp_path / "odd.csv")
    expect(page.locator(".columns .warn")).to_contain_text("looks like labels")
    page.locator(".columns").get_by_label("Text", exact=True).select_option("said")
    page.locator(".columns").get_by_label("id", exact=True).check()
    page.get_by_role("button", name="Read it this way").click()
    expect(page.locator(".data-answer")).to_contain_text("id (3)")


def test_long_cells_and_many_labels_are_drawn_small(open_page: Open, tmp_path: Path) -> None:
    page = open_data(open_page)
    rows = [[f"Text {n * 7919} says what no other does: {n}", f"<b>{n % 90}</b>", "", ""]
            for n in range(800)]  # fmt: skip
    rows[0][0] = "word " * 19_999
    upload(page, write_csv(tmp_path / "many.csv", rows))
    expect(page.locator(".data-answer")).to_contain_text("mood (90)")
    expect(page.locator("#data-rows tbody .sentence").first).to_contain_text("more characters")
    assert page.locator("#data-rows .counts .count").count() < 20
    assert page.locator("#data-rows b").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page: Open, tmp_path: Path, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_data(open_page, theme=theme)
    upload(page, write_csv(tmp_path / "hotel.csv", planted()))
    page.wait_for_selector(".doctor")
    page.locator(".splits summary").click()
    page.locator(".columns summary").click()
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (v["id"], [n["html"][:120] for n in v["nodes"]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_the_tab_fits_a_phone(open_page: Open, tmp_path: Path) -> None:
    page = open_data(open_page, width=390, height=800)
    upload(page, write_csv(tmp_path / "hotel.csv", planted()))
    page.wait_for_selector(".doctor")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
