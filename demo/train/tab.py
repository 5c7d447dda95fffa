"""Train: a real run, seen while it happens, that one can pause, step, steer and stop."""

from typing import Any, NamedTuple

import gradio as gr

from demo.frame.theme import beside
from demo.frame.views import View
from demo.frame.widgets import LATEST, PRIVATE, SEVERAL, chips, soft
from demo.freeze.profiles import ProfileShelf
from demo.sidebar.tabs import Page, Tab
from demo.train.ask import EXPERIMENTS
from demo.train.choosing import ChoosingEvents
from demo.train.events import TrainingEvents
from demo.train.example import shipped_run
from demo.train.form import Form, lay_out_form, wire_form
from demo.train.sessions import Sessions


class Parts(NamedTuple):
    """The components that several events touch."""

    form: Form
    line: gr.HTML
    estimate: gr.HTML
    start: gr.Button
    status: gr.HTML
    experiments: list[gr.Button]
    run: gr.HTML


def build_training_tab(page: Page) -> None:
    """Lay out the tab and wire its events."""
    working, profiles = page.working, page.shelves.one(ProfileShelf)
    events = TrainingEvents(page.shelves, page.shelves.one(Sessions))
    with gr.Tab("Train", id="train") as tab:
        parts = _lay_out(events)
    fields = parts.form.fields
    wire_form(tab, parts.form, ChoosingEvents(profiles), working)
    asked = [working.choice, working.data, *fields]
    shown = [parts.run, parts.status]
    parts.start.click(events.start, asked, shown, **SEVERAL)
    for button, experiment in zip(parts.experiments, EXPERIMENTS, strict=True):
        button.click(events.experiment(experiment), None, shown, **SEVERAL)
    changes = [field.change for field in fields]
    gr.on(  # what is drawn changes with the encoder and the data too
        [tab.select, parts.form.drawn.change, *changes],
        events.estimate,
        asked,
        parts.estimate,
        **LATEST,
    )
    gr.on(
        [working.choice.change, working.data.change],
        events.tasks_of,
        [working.choice, working.data],
        [parts.line, fields.tasks],
        **SEVERAL,
    )
    used = [working.model, parts.status]
    parts.run.use(events.use, None, used, **SEVERAL)
    parts.run.opened(events.opened, None, used, **SEVERAL)
    parts.run.beside(events.use, None, used, **SEVERAL).success(
        lambda: gr.Tabs(selected="compare"), None, tab.parent, queue=False, **PRIVATE
    )


TAB = Tab(
    build=build_training_tab,
    files=beside(__file__, "choosing.js", "run-map.js", "train.js", "train.css"),
)


def _lay_out(events: TrainingEvents) -> Parts:
    with gr.Column(elem_classes="card ask"):
        experiments = chips("See it happen, in seconds", [each.title for each in EXPERIMENTS])
        line = gr.HTML(
            soft("The corpus. Another under Data and in the sidebar."),
            elem_classes="try",
        )
        form = lay_out_form()
        with gr.Row(elem_classes="asking"):
            estimate = gr.HTML("", elem_classes="status", elem_id="train-estimate")
            start = gr.Button("Start", variant="primary", scale=0, min_width=130)
        status = gr.HTML("", elem_classes="status", elem_id="train-status")

    def look(asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        return events.look(asked)

    def act(asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        return events.act(asked)

    def put(asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        return events.put(asked)

    def piece(asked: Any) -> View:  # noqa: ANN401 (whatever a browser sent)
        return events.piece(asked)

    run = gr.HTML(
        shipped_run(),
        html_template='<div class="thaw-picture" id="train-picture"></div>',
        js_on_load="thaw.training(element, props, watch, server, (what, told) => "
        "trigger({use: 'use', beside: 'beside', opened: 'opened'}[what], told))",
        server_functions=[look, act, piece, put],  # Gradio marks them, which a method does not bear
        elem_id="train-run",
        elem_classes="picture",
        apply_default_css=False,
    )
    return Parts(form, line, estimate, start, status, experiments, run)
