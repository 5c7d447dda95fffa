"""Freeze: what is known where, strategies drawn on the layer strip, and what they come to."""

from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency

from core.config import EncoderChoice
from demo.frame.theme import beside
from demo.frame.widgets import LATEST, PRIVATE, SEVERAL, picture, status_row
from demo.freeze.comparison_events import ComparingEvents
from demo.freeze.comparison_layout import lay_out_advice, lay_out_comparison, wire_comparison
from demo.freeze.events import FreezingEvents, first_view
from demo.freeze.examples import DRAWN, shipped
from demo.freeze.profiles import ProfileShelf
from demo.shelves.working_data import CORPUS_DATA
from demo.sidebar.tabs import Page, Tab

ON = "{draw: (what) => trigger('draw', what), choose: (what) => trigger('choose', what)}"


class Parts(NamedTuple):
    """The components that several events touch."""

    status: gr.HTML
    stop: gr.Button
    strip: gr.HTML
    cards: gr.HTML
    shown: gr.State
    drawn: gr.State
    chosen: gr.State


def build_freezing_tab(page: Page) -> None:
    """Lay out the tab and wire its events."""
    shelves, working, encoders = page.shelves, page.working, page.shelves.encoders
    profiles = shelves.one(ProfileShelf)
    comparing = ComparingEvents(shelves.comparisons, profiles, shelves.models, local=encoders.local)
    with gr.Tab("Freeze", id="freeze") as tab:
        advice, shown = lay_out_advice(comparing)
        parts = _lay_out(shipped_fits=encoders.default.name == EncoderChoice().name)
        compared = lay_out_comparison(advice, shown, comparing)
        opened = _wire(tab, FreezingEvents(profiles), parts, working.choice, working.data)
        wire_comparison(page, comparing, compared, parts.chosen)
        tab.select(comparing.warm_up, None, None, queue=False, **PRIVATE)
        opened.success(
            comparing.fields, working.data, [compared.fields.tasks, compared.fields.rows], **SEVERAL
        )


TAB = Tab(
    build=build_freezing_tab,
    files=beside(
        __file__,
        *("blocks.js", "freeze.js", "comparison.js"),
        *("comparison.css", "freeze.css"),
    ),
)


def _lay_out(*, shipped_fits: bool) -> Parts:
    status, stop = status_row("freeze-status", more="freeze-status")
    view, cards = (first_view(), shipped()["cards"]) if shipped_fits else (None, None)
    strip = picture("freeze-strip", f"thaw.freezeStrip(element, props, watch, {ON})", view)
    listed = picture("freeze-cards", f"thaw.strategies(element, props, watch, {ON})", cards)
    names = tuple(each["name"] for each in shipped()["cards"]["chosen"])
    shown = (EncoderChoice().name, CORPUS_DATA) if shipped_fits else None
    return Parts(status, stop, strip, listed, gr.State(shown), gr.State(DRAWN), gr.State(names))


def _wire(
    tab: gr.Tab, events: FreezingEvents, parts: Parts, choice: gr.State, working: gr.State
) -> Dependency:
    told = [parts.status, parts.stop]
    asked = [parts.shown, working, choice]
    begun = [parts.shown, parts.drawn, parts.chosen, parts.strip, parts.cards, *told]
    current = [parts.drawn, parts.chosen, working, choice]
    opened: Dependency = tab.select(events.open, asked, begun, **SEVERAL)
    profiled = opened.success(events.profile, [working, choice], told, **SEVERAL)
    profiled.success(events.redraw, current, parts.strip, **SEVERAL)
    drawn = [parts.drawn, parts.strip, *told]
    for place in (parts.strip, parts.cards):
        place.draw(events.draw, current, drawn, **LATEST)
        place.choose(
            events.choose,
            current,
            [parts.chosen, parts.cards, parts.strip],
            **SEVERAL,
        )
    parts.stop.click(events.stop, None, None, queue=False, **PRIVATE)
    return opened
