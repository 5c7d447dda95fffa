"""Compare: sentences side by side, which words make their similarity, two encoders, search."""

from typing import Any, NamedTuple

import gradio as gr

from core.config import METRICS, POOLINGS, EncoderChoice
from core.encoder.catalogue import CATALOGUE
from demo.frame.sentences import MAX_CHARACTERS
from demo.frame.theme import beside
from demo.frame.widgets import LATEST, PRIVATE, SEVERAL, chips, downloads, picture, status_row
from demo.shelves.encoders import second_of
from demo.shelves.models import WorkingModel
from demo.sidebar.tabs import Page, Tab
from demo.similarity.events import CompareEvents
from demo.similarity.examples import EXAMPLES, load_example
from demo.similarity.questions import MOST_HITS, MOST_SENTENCES, Question

SECOND = (  # what the matrix can be laid beside: label, value
    ("nothing", ""),
    *((f"{pooling} pooling, same encoder", f"pooling:{pooling}") for pooling in POOLINGS),
    *((spec.label, spec.name) for spec in CATALOGUE),
)


class Parts(NamedTuple):
    """The components that several events touch."""

    box: gr.Textbox
    metric: gr.Radio
    second: gr.Dropdown
    compare: gr.Button
    status: gr.HTML
    stop: gr.Button
    examples: list[gr.Button]
    result: gr.HTML
    tokens: gr.HTML
    query: gr.Textbox
    top: gr.Slider
    search: gr.Button
    hits: gr.HTML
    shown: gr.State
    found: gr.State

    @property
    def compared(self) -> list[Any]:
        """What a comparison updates."""
        return [self.result, self.tokens, self.shown, self.status, self.stop, self.hits]


class Compared(NamedTuple):
    """What other tabs may take from here.

    Attributes:
        box: The sentences.
        on_map: The button that shows them on the map.
    """

    box: gr.Textbox
    on_map: gr.Button


def build_compare_tab(page: Page) -> None:
    """Lay out the tab and wire its events; it shows `Compared` to the tabs after it."""
    shelf, choice, model = page.shelves.encoders, page.working.choice, page.working.model
    with gr.Tab("Compare", id="compare"):
        parts = _lay_out(shelf.default)
        events = CompareEvents(shelf)
        _wire_questions(events, parts, choice)
        parts.result.pick(events.explain, parts.shown, parts.tokens, **SEVERAL)
        parts.stop.click(events.stop, None, None, queue=False, **PRIVATE)
        on_map = _wire_downloads(events, parts)
        fields = [parts.box, parts.metric, parts.second, choice]
        model.change(seconds_for, model, parts.second, queue=False, **PRIVATE).then(
            events.compare, fields, parts.compared, **LATEST
        )
        opened = [parts.box, parts.metric, *parts.compared]
        page.app.load(events.open_link, choice, opened, **SEVERAL)
    page.shown[Compared] = Compared(parts.box, on_map)


TAB = Tab(build=build_compare_tab, files=beside(__file__, "matrix.js", "result.js", "tokens.js"))


def seconds_for(model: WorkingModel) -> dict[str, Any]:
    """Offer a working model's encoder for a side by side too, and choose it."""
    own = [(f"the working model: {model.name[:80]}", second_of(model))] if model.id else []
    return gr.update(choices=[*SECOND, *own], value=own[0][1] if own else "")


def _lay_out(default: EncoderChoice) -> Parts:
    first, shipped = EXAMPLES[0], load_example(EXAMPLES[0])
    built_in = default == EncoderChoice()  # the shipped numbers are the built-in encoder's
    asked = Question(texts=first.sentences, choice=default, note=first.notice)
    with gr.Column(elem_classes="card ask"):
        box = gr.Textbox(
            first.text,
            label="Sentences",
            info=f"2 to {MOST_SENTENCES}, one a line, or pasted from a sheet",
            lines=6,
            max_lines=14,
            max_length=MAX_CHARACTERS,
            rtl=False,
            elem_id="sentences",
        )
        examples = chips("Try", [each.title for each in EXAMPLES])
        with gr.Row(elem_classes="asking", equal_height=False):
            metric = gr.Radio(
                METRICS, value="cosine", label="Measure", elem_classes="segments", scale=3
            )
            second = gr.Dropdown(
                SECOND,
                value="",
                label="Side by side with",
                scale=2,
                min_width=210,
                filterable=False,
            )
            compare = gr.Button("Compare", variant="primary", scale=0, min_width=130)
        status, stop = status_row("status")
    result = picture(
        "result",
        "thaw.result(element, props, watch, (pair) => trigger('pick', pair))",
        shipped["similarity"] if built_in else None,
    )
    tokens = picture(
        "tokens", "thaw.tokens(element, props, watch)", shipped["tokens"] if built_in else None
    )
    query, top, search, hits, found = _lay_out_search(shipped if built_in else None)
    return Parts(
        box,
        metric,
        second,
        compare,
        status,
        stop,
        examples,
        result,
        tokens,
        query,
        top,
        search,
        hits,
        gr.State(asked),
        found,
    )


def _lay_out_search(
    shipped: dict[str, Any] | None,
) -> tuple[gr.Textbox, gr.Slider, gr.Button, gr.HTML, gr.State]:
    with gr.Column(elem_classes="card search"):
        gr.HTML("<h3>Search these sentences</h3>")
        with gr.Row(elem_classes="asking"):
            query = gr.Textbox(
                EXAMPLES[0].query,
                label="Query",
                info="Finds the sentences above that are closest to it; up to 10,000 of them",
                max_length=10_000,
                scale=4,
                elem_id="query",
            )
            top = gr.Slider(1, MOST_HITS, value=5, step=1, label="How many", scale=2, min_width=170)
            search = gr.Button("Search", scale=0, min_width=110)
        hits = picture("hits", "thaw.hits(element, props, watch)", shipped and shipped["search"])
        found = gr.State(shipped and shipped["found"])
    return query, top, search, hits, found


def _wire_questions(events: CompareEvents, parts: Parts, choice: gr.State) -> None:
    """Wire what asks the encoder."""
    fields = [parts.box, parts.metric, parts.second, choice]
    asked = [parts.compare.click, parts.box.submit, parts.metric.input, parts.second.input]
    searched = [parts.search.click, parts.query.submit]
    searching = [parts.query, parts.box, parts.top, parts.metric, choice]
    found = [parts.hits, parts.found, parts.status, parts.stop]
    gr.on(asked, events.compare, fields, parts.compared, **LATEST)
    gr.on(searched, events.search, searching, found, **SEVERAL)
    choice.change(events.again, [parts.shown, choice], parts.compared, **SEVERAL)
    shows = [*parts.compared, parts.found]
    fills = [parts.box, parts.query, parts.metric, parts.second]
    for button, example in zip(parts.examples, EXAMPLES, strict=True):
        values = (example.text, example.query, "cosine", "")
        button.click(lambda values=values: values, None, fills, queue=False, **PRIVATE)
        button.click(events.example(example), choice, shows, **SEVERAL)


def _wire_downloads(events: CompareEvents, parts: Parts) -> gr.Button:
    """Lay out the downloads; return the button beside them that shows the sentences on the map."""
    kinds = ("csv", "json")
    with gr.Row(elem_classes="downloads"):
        gr.HTML("<span>Download</span>", elem_classes="try")
        downloads("similarity", "Pairs", kinds, events.save_similarity, [parts.shown])
        downloads("search", "Hits", kinds, events.save_search, [parts.found])
        return gr.Button("Show these on the map", size="sm", scale=0, min_width=0)
