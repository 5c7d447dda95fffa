"""Data: the corpus or a file of one's own, what the doctor says of it, and its rows."""

from typing import NamedTuple

import gradio as gr

from core.tables.formats import FORMATS, suffixes_of
from demo.data.events import DataEvents
from demo.frame.theme import beside
from demo.frame.widgets import LATEST, PRIVATE, SAVE_WRITTEN, SEVERAL, picture, status_row
from demo.shelves.working_data import WorkingData
from demo.sidebar.tabs import Page, Tab, WorkingSet

FILE_TYPES = suffixes_of(FORMATS)


class Parts(NamedTuple):
    """The components that several events touch."""

    file: gr.File
    status: gr.HTML
    stop: gr.Button
    overview: gr.HTML
    rows: gr.HTML
    opened: gr.State
    shown: gr.State
    written: gr.Textbox

    @property
    def looked(self) -> list[gr.components.Component]:
        """What showing data updates."""
        return [self.shown, self.overview, self.rows, self.status, self.stop]


def build_data_tab(page: Page) -> None:
    """Lay out the tab and wire its events."""
    working = page.working
    with gr.Tab("Data", id="data") as tab:
        parts = _lay_out()
        events = DataEvents(page.shelves.data)
        _wire(events, parts, working)
        asked = [parts.opened, parts.shown, working.data, working.choice]
        tab.select(events.open, asked, [parts.opened, *parts.looked], **SEVERAL)
        working.choice.change(events.again, asked, parts.looked, **SEVERAL)
        page.app.unload(events.close)


TAB = Tab(build=build_data_tab, files=beside(__file__, "data.js", "rows.js"))


def _lay_out() -> Parts:
    with gr.Column(elem_classes="card ask"):
        file = gr.File(
            label="Labelled sentences of your own, up to 5 MB",
            file_types=FILE_TYPES,
            elem_id="data-file",
            height=110,
        )
        gr.HTML(
            "<p class='soft'>CSV, TSV, JSONL or Parquet with a column of text and one of labels "
            "for each task, or CoNLL. Columns are guessed, and you can correct them.</p>",
            elem_classes="try",
        )
        status, stop = status_row("data-status")
    overview = picture(
        "data-overview",
        "thaw.data(element, props, watch, {recolumn: (form) => trigger('recolumn', form), "
        "use: () => trigger('use', {}), back: () => trigger('back', {}), "
        "save: (what) => trigger('save', what)})",
        None,
    )
    rows = picture("data-rows", "thaw.rows(element, props, watch, (q) => trigger('ask', q))", None)
    return Parts(
        file,
        status,
        stop,
        overview,
        rows,
        gr.State(False),
        gr.State(WorkingData()),
        gr.Textbox(visible=False),
    )


def _wire(events: DataEvents, parts: Parts, working: WorkingSet) -> None:
    choice, data = working.choice, working.data
    seen = [parts.shown, data, choice]
    uploaded = parts.file.upload(events.upload, [parts.file, *seen], parts.looked, **SEVERAL)
    uploaded.then(lambda: None, None, parts.file, queue=False, **PRIVATE)  # it is read: the next
    parts.stop.click(events.stop, None, None, queue=False, **PRIVATE)
    parts.overview.recolumn(events.change, seen, parts.looked, **LATEST)
    used = [data, working.data_line, parts.overview, parts.status]
    parts.overview.use(events.use, [parts.shown, choice], used, **SEVERAL)
    parts.overview.back(events.back, choice, [*used[:2], *parts.looked], **SEVERAL)
    parts.overview.save(events.save, [parts.shown, choice], parts.written, **SEVERAL).success(
        None, parts.written, None, js=SAVE_WRITTEN
    )
    parts.rows.ask(
        events.rows,
        [parts.shown, choice],
        parts.rows,
        **LATEST,
    )
