"""Data: the corpus or a file of one's own, what the doctor says of it, and its rows."""

from typing import NamedTuple

import gradio as gr

from demo.data.events import DataEvents
from demo.frame.widgets import PRIVATE, SEVERAL, picture
from demo.shelves.working_data import DataShelf, WorkingData

FILE_TYPES = [".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".parquet"]
FILE_TYPES += [".conll", ".bio", ".iob", ".iob2", ".bioes", ".txt"]

SAVE_JS = "(written) => { const it = JSON.parse(written); thaw.save(it.name, it.kind, it.text); }"


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


def build_data_tab(
    app: gr.Blocks, shelf: DataShelf, choice: gr.State, working: gr.State, line: gr.HTML
) -> None:
    """Lay out the tab and wire its events; call inside `app`.

    Args:
        app: The page, whose closing removes what its visitor uploaded.
        shelf: Where visitors' data is kept.
        choice: The working set's `EncoderChoice`.
        working: The working set's `WorkingData`.
        line: Where the working set names it.
    """
    with gr.Tab("Data", id="data") as tab:
        parts = _lay_out()
        events = DataEvents(shelf)
        _wire(events, parts, choice, working, line)
        asked = [parts.opened, parts.shown, working, choice]
        tab.select(events.open, asked, [parts.opened, *parts.looked], **SEVERAL)
        choice.change(events.again, asked, parts.looked, **SEVERAL)
        app.unload(events.close)


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
        with gr.Row(elem_classes="status-row"):
            status = gr.HTML("", elem_classes="status", elem_id="data-status")
            stop = gr.Button("Stop", variant="stop", size="sm", scale=0, visible=False)
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


def _wire(
    events: DataEvents, parts: Parts, choice: gr.State, working: gr.State, line: gr.HTML
) -> None:
    seen = [parts.shown, working, choice]
    uploaded = parts.file.upload(events.upload, [parts.file, *seen], parts.looked, **SEVERAL)
    uploaded.then(lambda: None, None, parts.file, queue=False, **PRIVATE)  # it is read: the next
    parts.stop.click(events.stop, None, None, queue=False, **PRIVATE)
    parts.overview.recolumn(
        events.change, seen, parts.looked, trigger_mode="always_last", **SEVERAL
    )
    used = [working, line, parts.overview, parts.status]
    parts.overview.use(events.use, [parts.shown, choice], used, **SEVERAL)
    parts.overview.back(events.back, choice, [working, line, *parts.looked], **SEVERAL)
    parts.overview.save(events.save, [parts.shown, choice], parts.written, **SEVERAL).success(
        None, parts.written, None, js=SAVE_JS
    )
    parts.rows.ask(
        events.rows,
        [parts.shown, choice],
        parts.rows,
        trigger_mode="always_last",
        **SEVERAL,
    )
