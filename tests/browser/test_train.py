import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Locator, Page, TimeoutError, expect

pytestmark = pytest.mark.browser

Open = Callable[..., Page]
LONG = 180_000
"""Milliseconds that a small run may take on a machine that does much else."""


@pytest.fixture
def train_page(open_page: Open) -> Open:
    """Open the page on its Train tab, with the worked example drawn."""

    def opened(**size: int | str) -> Page:
        page = open_page(**size)
        page.get_by_role("tab", name="Train", exact=True).click()
        page.wait_for_selector("#train-picture[data-state=example]")
        return page

    return opened


def state(page: Page) -> str:
    return page.locator("#train-picture").get_attribute("data-state") or ""


def wait_for(page: Page, *states: str) -> None:
    page.wait_for_selector(
        ", ".join(f"#train-picture[data-state={each}]" for each in states), timeout=LONG
    )


def press(page: Page, name: str) -> None:
    page.locator("#train-picture").get_by_role("button", name=name, exact=True).click()


def choose(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("spinbutton", name=re.compile(f"number input for {label}"))
    field.fill(value)
    field.press("Enter")


def start_small(page: Page, strategy: str = "heads", epochs: str = "2", rows: str = "40") -> None:
    """Start a run of few rows whose head alone trains, in small steps."""
    page.locator("#train-strategy input").fill(strategy)
    page.locator("#train-strategy input").press("Enter")
    choose(page, "Rows", rows)
    choose(page, "Epochs", epochs)
    page.get_by_label("sentiment", exact=True).uncheck()
    page.get_by_role("button", name="Start", exact=True).click()
    begun = "#train-picture:not([data-state=example])"
    try:
        page.wait_for_selector(begun, timeout=8000)
    except TimeoutError:  # a click in the moment in which Gradio draws the form anew is lost
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_selector(begun)


def points_of(page: Page, place: int) -> list[int]:
    """Count the points of each line of a chart of the run, once it has been seen and drawn."""
    plot = page.locator("#train-picture .train-live .plot").nth(place)
    plot.scroll_into_view_if_needed()
    expect(plot.locator(".main-svg").first).to_be_visible()
    return plot.evaluate("(host) => host.data.map((trace) => trace.x.length)")


def expect_changes(page: Page, count: int) -> None:
    """Wait until both charts mark how often the run was changed."""
    for place in (0, 1):
        points_of(page, place)
        page.wait_for_function(
            "([place, count]) => document.querySelectorAll('#train-picture .train-live .plot')"
            "[place].data.at(-1).x.length === 3 * count",
            arg=[place, count],
            timeout=LONG,
        )


def reload(page: Page) -> None:
    """Reload between two of the page's questions: one cut off is an error on Gradio's console."""
    with page.expect_response(lambda answer: "component_server" in answer.url) as waiting:
        pass
    waiting.value.finished()
    page.reload()


def test_the_tab_opens_on_a_run_that_was_made_earlier(train_page: Open) -> None:
    page = train_page()
    expect(page.locator("#train-picture .big")).to_contain_text("A run made earlier.")
    assert points_of(page, 0) == [52, 4, 52, 4, 0], "losses of two tasks: training, validation"
    assert points_of(page, 1) == [4, 4, 0], "an accuracy of each after each epoch, and no change"
    expect(page.locator("#train-picture .confusions figcaption")).to_have_text(
        [f"{task}: true label by predicted, epoch 4" for task in ("Topic", "Sentiment")]
    )
    expect(page.locator("#train-picture .slab[data-part='layer 6']")).to_have_attribute(
        "aria-label", re.compile("layer 6: trains.*moved by")
    )
    expect(page.locator("#train-estimate")).to_contain_text("About", timeout=LONG)


def test_the_strip_and_the_field_say_the_same_strategy(train_page: Open) -> None:
    page = train_page()
    field = page.locator("#train-strategy input")

    def block(part: str) -> Locator:
        return page.locator(f"#choose-strip .slab[data-part='{part}']")

    block("layer 6").click()
    expect(field).to_have_value("freeze:0-4+6")
    expect(page.locator("#choose-card h4")).to_have_text("Embeddings, layers 1 to 4 and 6 frozen")
    block("layer 5").focus()
    page.keyboard.press("Space")
    expect(field).to_have_value("heads: the encoder frozen")
    expect(block("layer 5")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field).to_have_value("freeze:0-3+5-6")
    page.locator("#choose-strip .reader[data-k='4']").click()
    expect(field).to_have_value("freeze:0-3+5-6@4")

    field.fill("bitfit@5")
    field.press("Enter")
    expect(page.locator("#choose-strip .slab.p")).to_have_count(6)
    expect(page.locator("#choose-card h4")).to_have_text("Biases only, read at layer 5")
    field.fill("<b>lowest</b>")
    field.press("Enter")
    expect(page.locator("#choose-strip .told")).to_contain_text("'<b>lowest</b>', must be one of")
    page.get_by_label("sentiment", exact=True).uncheck()
    expect(block("head sentiment")).to_have_count(0)

    page.get_by_role("button", name="Rates, batch, balance, seed").click()
    rate = page.get_by_label("Layers' learning rate")
    rate.press_sequentially("0.03", delay=40)
    expect(page.get_by_text("A learning rate this high usually")).to_be_visible()
    expect(rate).to_have_value("0.03")


def scrub_back(page: Page) -> None:
    """Play the map of a run from its start, by keyboard alone, and go back to it."""
    card, slider = page.locator(".run-map-card"), page.get_by_label("Moment of the run")
    last = int(card.get_attribute("data-frames") or 0) - 1
    assert last >= 2, "a map before the first step, and one for each epoch"
    expect(card).to_have_attribute("data-frame", str(last))
    slider.press("Home")
    expect(card).to_have_attribute("data-frame", "0")
    expect(slider).to_have_attribute("aria-valuetext", "Before the first step")
    slider.press("ArrowRight")
    expect(card.locator(".run-map-when")).to_contain_text("After epoch 1, step ")
    card.get_by_role("button", name="What it reads, layer 6").click()
    page.locator(".run-map .scatter-over").press("ArrowRight")
    expect(card.locator(".run-map-point")).to_contain_text("model: ")
    expect(card).to_have_attribute("data-frame", "1")


def test_the_map_of_the_worked_run_plays_and_is_saved_as_a_picture(
    train_page: Open, tmp_path: Path
) -> None:
    page = train_page()
    scrub_back(page)
    card = page.locator(".run-map-card")
    card.get_by_role("button", name="Play").click()
    expect(card).to_have_attribute("data-frame", str(int(card.get_attribute("data-frames")) - 1))
    with page.expect_download() as waiting:
        press(page, "Picture, PNG")
    waiting.value.save_as(tmp_path / "run.png")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "run.png").stat().st_size > 20_000, "the curves and the map are drawn"


def test_the_map_of_the_worked_run_stands_still_and_pointing_reads_a_sentence(
    train_page: Open,
) -> None:
    page = train_page(height=1100)
    page.emulate_media(reduced_motion="reduce")  # its points are where they go at once
    card, canvas = page.locator(".run-map-card"), page.locator(".run-map .scatter-over")
    card.get_by_role("button", name="What it reads, layer 6").click()
    spots = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(
      () => done(document.querySelector('.run-map').chart.screen().map(Math.round)))))"""
    before = page.evaluate(spots)
    x, y = before[:2]
    canvas.hover(position={"x": x, "y": y})
    expect(card.locator(".run-map-point")).to_contain_text("model: ")
    canvas.dblclick(position={"x": x, "y": y})
    canvas.drag_to(canvas, source_position={"x": x, "y": y}, target_position={"x": 9, "y": 9})
    canvas.press("+")
    assert page.evaluate(spots) == before


def test_a_whole_visit_ends_in_a_model_that_is_used_and_that_others_read(
    train_page: Open, tmp_path: Path
) -> None:
    page = train_page()
    start_small(page, epochs="10", rows="300")
    press(page, "Pause")  # while its process loads the encoder: it waits before its first step
    wait_for(page, "paused")
    before = int(page.locator("#train-picture").get_attribute("data-steps") or 0)
    press(page, "One step")
    page.wait_for_selector(f"#train-picture[data-state=paused][data-steps='{before + 1}']")

    page.locator("#train-picture .slab[data-part='layer 6']").click()
    expect(page.locator("#train-picture .slab[data-part='layer 6']")).to_have_attribute(
        "aria-label", re.compile("layer 6: trains"), timeout=LONG
    )
    page.get_by_label("Heads' rate").fill("0.02")
    press(page, "Change the rates")
    expect_changes(page, 2)

    reload(page)
    page.get_by_role("tab", name="Train", exact=True).click()
    wait_for(page, "paused")
    expect_changes(page, 2)
    press(page, "Resume")
    wait_for(page, "done")
    expect(page.locator("#train-picture .big")).to_contain_text("Topic: accuracy")
    expect(page.locator("#train-picture .slab[data-part='layer 6']")).to_have_attribute(
        "aria-label", re.compile("moved by")
    )
    expect(page.locator(".watch .began-mark").first).to_contain_text("epoch 1: ")
    scrub_back(page)
    press(page, "Use this model in every tab")
    expect(page.locator("#working-model")).to_contain_text("heads, trained here", timeout=LONG)
    with page.expect_download(timeout=LONG) as waiting:
        press(page, "Model folder, ZIP")
    waiting.value.save_as(tmp_path / "model.zip")
    with page.expect_download(timeout=LONG) as waiting:
        press(page, "For sentence-transformers, ZIP")
    waiting.value.save_as(tmp_path / "export.zip")
    for name in ("model", "export"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip") as file:
            kinds = {Path(each).suffix for each in file.namelist()}
            assert kinds <= {".safetensors", ".json", ".md", ".txt"}
            file.extractall(tmp_path / name)
    from sentence_transformers import SentenceTransformer

    from core.model.model_folder import load_model

    ours = load_model(tmp_path / "model" / "model")
    theirs = SentenceTransformer(str(tmp_path / "export" / "model"), device="cpu")
    sentence = "The ferry left late again."
    assert theirs.encode(sentence) == pytest.approx(
        ours.encoder.embed([sentence])[0].numpy(), abs=1e-5
    )
    page.get_by_role("button", name="Back to the page's own model").click()
    expect(page.locator("#working-model")).to_contain_text("the page's own")
    page.get_by_label("Zip of a model folder").set_input_files(tmp_path / "model.zip")
    expect(page.locator("#working-model")).to_contain_text("model.zip", timeout=LONG)
    press(page, "Compare with the pretrained one")
    expect(page.locator("#result-picture .matrices.three")).to_be_visible(timeout=LONG)
    expect(page.locator("#result-picture")).to_contain_text("trained here")
    page.get_by_role("tab", name="Predict", exact=True).click()
    page.locator("#predict-box textarea").fill("The nurse gave him two tablets for the fever.")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#one .card.task")).to_have_count(1, timeout=LONG)
    page.get_by_role("tab", name="Train", exact=True).click()
    press(page, "Start over")
    wait_for(page, "example")
