"""Map: sentences as points, near where their embeddings are near; before and after fine-tuning."""

from typing import Any, NamedTuple

import gradio as gr

from core.config import MAP_METRICS, SPREADS
from demo.frame.sentences import MAX_CHARACTERS
from demo.frame.theme import beside
from demo.frame.widgets import LATEST, PRIVATE, SEVERAL, picture, save_text, status_row
from demo.map.drawing import CORPUS, ENCODERS, PRETRAINED, SOURCES
from demo.map.events import AXES, METHODS, MapEvents, box_needed
from demo.map.shelf import MapShelf
from demo.sidebar.tabs import Page, Tab, WorkingSet
from demo.similarity.tab import Compared

ON = (
    "{pick: (i) => trigger('pick', {i}), colour: (what) => trigger('colour', {what}), "
    "save: (points) => trigger('save', {points})}"
)
PLACED = "The match was lost in the last minute.\nMy new phone gets hot when it charges."


class Parts(NamedTuple):
    """The components that several events touch."""

    source: gr.Radio
    encoders: gr.Radio
    method: gr.Radio
    axes: gr.Radio
    draw: gr.Button
    neighbours: gr.Slider
    spread: gr.Slider
    metric: gr.Radio
    seed: gr.Number
    box: gr.Textbox
    place: gr.Button
    status: gr.HTML
    stop: gr.Button
    map: gr.HTML
    point: gr.HTML
    key: gr.State

    @property
    def fields(self) -> list[Any]:
        """What a map is drawn from."""
        return [
            *(self.source, self.box, self.encoders, self.method, self.axes),
            *(self.neighbours, self.spread, self.metric, self.seed),
        ]

    @property
    def drawn(self) -> list[Any]:
        """What drawing updates."""
        return [self.map, self.key, self.status, self.stop]


def build_map_tab(page: Page) -> None:
    """Lay out the tab and wire its events, and Compare's button that shows its sentences here."""
    with gr.Tab("Map", id="map") as tab:
        parts = _lay_out()
        events = MapEvents(page.shelves.one(MapShelf))
        _wire(tab, events, parts, page.working)
        page.app.unload(events.close)
        _wire_compared(tab, events, parts, page)


TAB = Tab(build=build_map_tab, files=beside(__file__, "map.js", "map.css"))


def _lay_out() -> Parts:
    with gr.Column(elem_classes="card ask map-ask"):
        with gr.Row(elem_classes="asking", equal_height=False):
            source = gr.Radio(SOURCES, value=CORPUS, label="Draw", elem_classes="segments")
            encoders = gr.Radio(
                ENCODERS, value=PRETRAINED, label="Encoder", elem_classes="segments"
            )
        with gr.Row(elem_classes="asking", equal_height=False):
            method = gr.Radio(list(METHODS), value="UMAP", label="Method", elem_classes="segments")
            axes = gr.Radio(list(AXES), value="2-D", label="Axes", elem_classes="segments")
            draw = gr.Button("Draw map", variant="primary", scale=0, min_width=130)
        with gr.Row(elem_classes="asking map-own", equal_height=False):
            box = gr.Textbox(
                PLACED,
                label="Sentences of your own",
                info="Placed on the map, one a line",
                lines=2,
                max_lines=10,
                max_length=MAX_CHARACTERS,
                rtl=False,
                elem_id="map-box",
                scale=4,
            )
            place = gr.Button("Place on this map", scale=0, min_width=170)
        with gr.Accordion("Settings of the layout", open=False):
            with gr.Row(elem_classes="asking", equal_height=False):
                neighbours = gr.Slider(
                    0,
                    200,
                    value=0,
                    step=1,
                    label="Neighbours",
                    info="Few keep what is near, many the whole; 0 is 15, or all there are",
                )
                spread = gr.Slider(
                    *SPREADS,
                    value=1.0,
                    step=0.1,
                    label="Spread",
                    info="How loosely groups lie",
                )
            with gr.Row(elem_classes="asking", equal_height=False):
                metric = gr.Radio(
                    MAP_METRICS, value="cosine", label="Measure", elem_classes="segments"
                )
                seed = gr.Number(0, label="Seed", precision=0, minimum=0, min_width=110)
        status, stop = status_row("map-status")
    drawn = picture("map", f"thaw.map(element, props, watch, {ON})", None)
    point = picture("map-point", "thaw.mapPoint(element, props, watch)", None)
    return Parts(
        source,
        encoders,
        method,
        axes,
        draw,
        neighbours,
        spread,
        metric,
        seed,
        box,
        place,
        status,
        stop,
        drawn,
        point,
        gr.State(""),
    )


def _wire(tab: gr.Tab, events: MapEvents, parts: Parts, working: WorkingSet) -> None:
    text = gr.Textbox(visible=False)
    asked = [*parts.fields, parts.key, working.choice, working.data, working.model]
    tab.select(events.open, [parts.key, working.choice], parts.drawn, **SEVERAL)
    parts.draw.click(events.draw, asked, parts.drawn, **LATEST)
    parts.place.click(events.place, [parts.box, parts.key], parts.drawn, **SEVERAL)
    parts.map.colour(events.colour, [parts.key, working.model], parts.drawn, **SEVERAL)
    parts.map.pick(events.pick, [parts.key, working.model], parts.point, **SEVERAL)
    parts.map.save(events.save, parts.key, text, **SEVERAL).success(
        None, text, None, js=save_text("map", "csv")
    )
    parts.stop.click(events.stop, None, None, queue=False, **PRIVATE)
    parts.source.change(box_needed, parts.source, parts.box, queue=False, **PRIVATE)


def _wire_compared(tab: gr.Tab, events: MapEvents, parts: Parts, page: Page) -> None:
    """Let Compare's sentences be placed on the map: the tab is opened, then they are placed."""
    compared, working = page.shown[Compared], page.working
    if not isinstance(tab.parent, gr.Tabs):
        raise TypeError("the tab must stand in gr.Tabs")
    compared.on_map.click(
        lambda text: (gr.Tabs(selected="map"), text),
        compared.box,
        [tab.parent, parts.box],
        **SEVERAL,
    ).then(events.open, [parts.key, working.choice], parts.drawn, **SEVERAL).success(
        events.place, [parts.box, parts.key], parts.drawn, **SEVERAL
    )
