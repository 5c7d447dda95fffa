"""Predict: what the model says of a sentence and why, and a table of it for many."""

from typing import NamedTuple

import gradio as gr

from core.tables.formats import LISTS, suffixes_of
from demo.frame.sentences import MAX_CHARACTERS
from demo.frame.theme import beside
from demo.frame.widgets import LATEST, PRIVATE, SEVERAL, chips, downloads, picture, status_row
from demo.predict.events import NO_TABLE, ONE, OWN, PredictEvents
from demo.predict.examples import EXAMPLES, shipped_example
from demo.predict.predictions import MOST_PREDICTED, Predicted
from demo.sidebar.tabs import Page, Tab

FILE_TYPES = suffixes_of(LISTS)


class Parts(NamedTuple):
    """The components that several events touch."""

    box: gr.Textbox
    file: gr.File
    column: gr.Textbox
    reread: gr.Row
    reread_now: gr.Button
    how: gr.Radio
    percent: gr.Slider
    predict: gr.Button
    status: gr.HTML
    stop: gr.Button
    examples: list[gr.Button]
    one: gr.HTML
    many: gr.HTML
    predicted: gr.State


def build_predict_tab(page: Page) -> None:
    """Lay out the tab and wire its events."""
    models, model = page.shelves.models, page.working.model
    with gr.Tab("Predict", id="predict") as tab:
        parts = _lay_out(shipped=models.folder is None)
        events = PredictEvents(models)
        _wire_questions(events, parts, model)
        parts.many.open(events.open_row, [parts.predicted, model], parts.one, **SEVERAL)
        parts.stop.click(events.stop, None, None, queue=False, **PRIVATE)
        _wire_downloads(events, parts, model)
        model.change(events.again, [parts.predicted, model], _answers(parts), **SEVERAL)
        opened = [tab.parent, parts.box, *_answers(parts)]
        page.app.load(events.open_link, None, opened, **SEVERAL)
        page.app.unload(events.close)


TAB = Tab(build=build_predict_tab, files=beside(__file__, "one.js", "many.js"))


def _answers(parts: Parts) -> list[gr.components.Component]:
    """List what a prediction updates."""
    return [parts.one, parts.many, parts.predicted, parts.status, parts.stop]


def _lay_out(*, shipped: bool) -> Parts:
    view, row = shipped_example(EXAMPLES[0])
    with gr.Column(elem_classes="card ask"):
        with gr.Row(elem_classes="asking-what", equal_height=True):
            box = gr.Textbox(
                EXAMPLES[0].text,
                label="Sentence",
                info="One for all there is to see of it; several, one a line, for a table",
                lines=3,
                max_lines=14,
                max_length=MAX_CHARACTERS,
                rtl=False,
                elem_id="predict-box",
                scale=3,
            )
            file = gr.File(
                label=f"Or a file, up to {MOST_PREDICTED:,} rows",
                file_types=FILE_TYPES,
                elem_id="predict-file",
                height=110,
                scale=1,
                min_width=230,
            )
        with gr.Row(elem_classes="asking", visible=False) as reread:
            column = gr.Textbox(
                label="Column",
                info="Which one holds the sentences; empty guesses",
                max_length=300,
                elem_id="predict-column",
            )
            reread_now = gr.Button("Read it", scale=0, min_width=130)
        examples = chips("Try", [each.title for each in EXAMPLES])
        with gr.Row(elem_classes="asking", equal_height=False):
            how = gr.Radio(
                [OWN, ONE], value=OWN, label="Unsure below", elem_classes="segments", scale=2
            )
            percent = gr.Slider(
                0, 100, value=70, step=1, label="Percent", visible=False, scale=2, min_width=170
            )
            predict = gr.Button("Predict", variant="primary", scale=0, min_width=130)
        status, stop = status_row("predict-status")
    many = picture(
        "many", "thaw.predictions(element, props, watch, (row) => trigger('open', row))", NO_TABLE
    )
    one = picture("one", "thaw.prediction(element, props, watch)", view if shipped else None)
    return Parts(
        box,
        file,
        column,
        reread,
        reread_now,
        how,
        percent,
        predict,
        status,
        stop,
        examples,
        one,
        many,
        gr.State(Predicted.of([row])),
    )


def _wire_questions(events: PredictEvents, parts: Parts, model: gr.State) -> None:
    """Wire what asks the model."""
    answers = _answers(parts)
    asked = [parts.predict.click, parts.box.submit]
    gr.on(asked, events.predict, [parts.box, model], answers, **LATEST)
    read = [parts.file.upload, parts.file.clear, parts.column.submit, parts.reread_now.click]
    given = [parts.file, parts.column, model]
    gr.on(read, events.upload, given, answers, **LATEST)
    parts.file.change(
        lambda path: gr.update(visible=path is not None),
        parts.file,
        parts.reread,
        queue=False,
        **PRIVATE,
    )
    below = [parts.how, parts.percent]
    gr.on(
        [parts.how.input, parts.percent.input],
        None,
        below,
        None,
        js=f"(how, percent) => thaw.unsureBelow(how === {ONE!r} ? percent / 100 : null)",
    )
    parts.how.input(
        lambda how: gr.update(visible=how == ONE), parts.how, parts.percent, queue=False, **PRIVATE
    )
    for button, example in zip(parts.examples, EXAMPLES, strict=True):
        button.click(lambda text=example.text: text, None, parts.box, queue=False, **PRIVATE)
        button.click(events.example(example), model, answers, **SEVERAL)


def _wire_downloads(events: PredictEvents, parts: Parts, model: gr.State) -> None:
    asked = [parts.predicted, parts.how, parts.percent, model]
    with gr.Row(elem_classes="downloads"):
        gr.HTML("<span>Download</span>", elem_classes="try")
        downloads("predictions", "Predictions", ("csv", "jsonl"), events.save, asked)
