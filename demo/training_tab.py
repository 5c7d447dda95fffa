"""Train: a real run, seen while it happens, that one can pause, step, steer and stop."""

from typing import Any, NamedTuple

import gradio as gr

from demo.charts import View
from demo.compare_tab import PRIVATE, SEVERAL
from demo.sessions import Sessions
from demo.shelves import Shelves
from demo.sidebar import WorkingSet
from demo.training_ask import (
    BALANCES,
    EXPERIMENTS,
    LEAST_ROWS,
    MOST_BATCH,
    MOST_EPOCHS,
    MOST_ROWS,
    TrainingAsk,
)
from demo.training_events import TrainingEvents
from demo.training_example import shipped_run

FIRST = TrainingAsk()
CORPUS_TASKS = ["topic", "sentiment", "entities"]

STRATEGIES = (  # what the list offers: label, name; any other name may be typed
    ("heads: the encoder frozen", "heads"),
    ("one layer: the last", "freeze:0-5"),
    ("two layers: the upper third", "lower:4"),
    ("four layers: the upper two thirds", "lower:2"),
    ("everything", "full"),
    ("gradually, from the top down", "gradual"),
    ("heads first, then everything", "lp-ft"),
    ("biases only", "bitfit"),
    ("low-rank adapters (LoRA)", "lora"),
)


class Parts(NamedTuple):
    """The components that several events touch."""

    fields: list[Any]
    tasks: gr.CheckboxGroup
    line: gr.HTML
    estimate: gr.HTML
    start: gr.Button
    status: gr.HTML
    experiments: list[gr.Button]
    run: gr.HTML


def build_training_tab(shelves: Shelves, sessions: Sessions, working: WorkingSet) -> None:
    """Lay out the tab and wire its events; call inside `gr.Blocks`.

    Args:
        shelves: Where encoders and data come from, and where models go.
        sessions: The live runs.
        working: The working set: what it trains, and what becomes the working model.
    """
    events = TrainingEvents(shelves, sessions)
    with gr.Tab("Train", id="train") as tab:
        parts = _lay_out(events)
    asked = [working.choice, working.data, *parts.fields]
    shown = [parts.run, parts.status]
    parts.start.click(events.start, asked, shown, **SEVERAL)
    for button, experiment in zip(parts.experiments, EXPERIMENTS, strict=True):
        button.click(events.experiment(experiment), None, shown, **SEVERAL)
    changes = [field.change for field in parts.fields]
    gr.on(
        [tab.select, *changes],
        events.estimate,
        asked,
        parts.estimate,
        trigger_mode="always_last",
        **SEVERAL,
    )
    gr.on(
        [working.choice.change, working.data.change],
        events.tasks_of,
        [working.choice, working.data],
        [parts.line, parts.tasks],
        **SEVERAL,
    )
    used = [working.model, parts.status]
    parts.run.use(events.use, None, used, **SEVERAL)
    parts.run.opened(events.opened, None, used, **SEVERAL)
    parts.run.beside(events.use, None, used, **SEVERAL).success(
        lambda: gr.Tabs(selected="compare"), None, tab.parent, queue=False, **PRIVATE
    )


def _lay_out(events: TrainingEvents) -> Parts:
    with gr.Column(elem_classes="card ask"):
        with gr.Row(elem_classes="chips"):
            gr.HTML("<span>See it happen, in seconds</span>", elem_classes="try")
            experiments = [
                gr.Button(each.title, size="sm", elem_classes="chip", scale=0, min_width=0)
                for each in EXPERIMENTS
            ]
        line = gr.HTML(
            "<p class='soft'>The corpus. Another under Data and in the sidebar.</p>",
            elem_classes="try",
        )
        fields, tasks = _fields()
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
    return Parts(fields, tasks, line, estimate, start, status, experiments, run)


def _fields() -> tuple[list[Any], gr.CheckboxGroup]:
    """Lay out what can be chosen, in the order of `TrainingAsk`, each with what it does."""
    with gr.Row(elem_classes="asking-what"):
        strategy = gr.Dropdown(
            STRATEGIES,
            value=FIRST.strategy,
            label="What trains",
            info="What is thawed adapts to your labels; what is frozen keeps what it knew",
            allow_custom_value=True,
            elem_id="train-strategy",
            scale=2,
        )
        tasks = gr.CheckboxGroup(
            CORPUS_TASKS,
            value=["topic", "sentiment"],
            label="Tasks",
            info="Several tasks share the encoder: each pulls at it",
            scale=2,
        )
    with gr.Row(elem_classes="asking-what"):
        rows = gr.Slider(
            LEAST_ROWS,
            MOST_ROWS,
            value=FIRST.rows,
            step=10,
            label="Rows",
            info="A stratified sample; 15 % of it validates and is never learned from",
            scale=2,
            min_width=200,
        )
        epochs = gr.Slider(
            1,
            MOST_EPOCHS,
            value=FIRST.epochs,
            step=1,
            label="Epochs",
            info="Passes over the rows; the best one's weights are kept",
            scale=2,
            min_width=200,
        )
    with gr.Accordion("Rates, batch, balance, seed", open=False), gr.Row(elem_classes="knobs"):
        encoder_rate = gr.Textbox(
            "",
            label="Layers' learning rate",
            placeholder="the strategy's own",
            info="Ten times the usual 3e-4 learns fast and forgets as fast",
            max_length=20,
            min_width=190,
        )
        head_rate = gr.Textbox(
            "",
            label="Heads' learning rate",
            placeholder="the strategy's own",
            info="Heads begin at random: they can take larger steps",
            max_length=20,
            min_width=190,
        )
        batch = gr.Slider(
            4,
            MOST_BATCH,
            value=FIRST.batch,
            step=4,
            label="Batch",
            info="Small batches make more and noisier steps",
            min_width=190,
        )
        balance = gr.Dropdown(
            BALANCES,
            value=FIRST.balance,
            label="Balance of the tasks",
            info="How several losses become one",
            filterable=False,
            min_width=190,
        )
        seed = gr.Number(
            FIRST.seed,
            label="Seed",
            precision=0,
            info="Another seed shows how much is luck",
            min_width=120,
        )
    fields = [rows, tasks, strategy, epochs, batch, encoder_rate, head_rate, balance, seed]
    return fields, tasks
