"""The form of the Train tab: what trains, drawn and named, and how."""

from typing import Any, NamedTuple

import gradio as gr

from demo.frame.widgets import LATEST, picture
from demo.shelves.working_data import CORPUS_TASKS
from demo.sidebar.tabs import WorkingSet
from demo.strategies.words import choices
from demo.train.ask import (
    BALANCES,
    LEAST_ROWS,
    MOST_BATCH,
    MOST_EPOCHS,
    MOST_ROWS,
    TrainingAsk,
)
from demo.train.choosing import FIRST_LAYERS, ChoosingEvents, Drawn

FIRST = TrainingAsk()
FIRST_TASKS = list(CORPUS_TASKS[:2])
SHARING = "Several tasks share the encoder: each pulls at it"
ON = "{draw: (what) => trigger('draw', what)}"


class Fields(NamedTuple):
    """What can be chosen, in the order of `TrainingAsk`."""

    rows: gr.Slider
    tasks: gr.CheckboxGroup
    strategy: gr.Dropdown
    epochs: gr.Slider
    batch: gr.Slider
    encoder_rate: gr.Textbox
    head_rate: gr.Textbox
    balance: gr.Dropdown
    seed: gr.Number

    @property
    def noted(self) -> list[Any]:
        """Those with a sentence on the value chosen, in the order of `notes`."""
        rates = [self.encoder_rate, self.head_rate]
        return [self.tasks, self.epochs, self.batch, *rates, self.balance, self.seed]


class Form(NamedTuple):
    """The form, and what is drawn beside it."""

    fields: Fields
    strip: gr.HTML
    card: gr.HTML
    drawn: gr.State


def lay_out_form() -> Form:
    """Lay out what can be chosen: the strategy's strip on the left, its name, card and rest."""
    with gr.Row(elem_classes="choosing-row"):
        with gr.Column(scale=3, min_width=300):
            strip = picture(
                "choose-strip", f"thaw.choosingStrip(element, props, watch, {ON})", None
            )
        with gr.Column(scale=4, min_width=300):
            strategy = gr.Dropdown(
                choices(FIRST_LAYERS),
                value=FIRST.strategy,
                label="What trains",
                info="Or any name as the command line takes it, such as freeze:0-2+5@4",
                allow_custom_value=True,
                elem_id="train-strategy",
            )
            card = picture("choose-card", "thaw.choosingCard(element, props, watch)", None)
            tasks = gr.CheckboxGroup(
                list(CORPUS_TASKS), value=FIRST_TASKS, label="Tasks", info=SHARING
            )
            rows, epochs = _amounts()
    encoder_rate, head_rate, batch, balance, seed = _knobs()
    fields = Fields(
        rows, tasks, strategy, epochs, batch, encoder_rate, head_rate, balance, seed
    )  # fmt: skip
    return Form(fields, strip, card, gr.State(Drawn()))


def _amounts() -> tuple[gr.Slider, gr.Slider]:
    rows = gr.Slider(
        LEAST_ROWS,
        MOST_ROWS,
        value=FIRST.rows,
        step=10,
        label="Rows",
        info="A stratified sample; 15 % of it validates and is never learned from",
    )
    epochs = gr.Slider(
        1,
        MOST_EPOCHS,
        value=FIRST.epochs,
        step=1,
        label="Epochs",
        info="Passes over the rows; the weights of the best on the validation rows are kept",
    )
    return rows, epochs


def _knobs() -> tuple[gr.Textbox, gr.Textbox, gr.Slider, gr.Dropdown, gr.Number]:
    """Lay out what most leave as it is; its notes come with the strip, as they depend on it."""
    with gr.Accordion("Rates, batch, balance, seed", open=False), gr.Row(elem_classes="knobs"):
        encoder_rate = gr.Textbox(
            "",
            label="Layers' learning rate",
            placeholder="the strategy's own",
            info="Higher learns faster and forgets more",
            max_length=20,
            min_width=190,
        )
        head_rate = gr.Textbox(
            "",
            label="Heads' learning rate",
            placeholder="the strategy's own",
            info="Heads begin at random: they bear larger steps than the layers",
            max_length=20,
            min_width=190,
        )
        batch = gr.Slider(
            4,
            MOST_BATCH,
            value=FIRST.batch,
            step=4,
            label="Batch",
            info="Half the batch is twice the steps, each of them noisier",
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
    return encoder_rate, head_rate, batch, balance, seed


def wire_form(tab: gr.Tab, form: Form, events: ChoosingEvents, working: WorkingSet) -> None:
    """Wire what keeps the field, the strip, the card and the notes saying the same.

    Args:
        tab: The Train tab.
        form: The form.
        events: The callbacks.
        working: What is trained.
    """
    fields = form.fields
    chosen: list[Any] = [fields.strategy, fields.tasks, fields.epochs]
    asked = [form.drawn, *chosen, working.data, working.choice]
    shown = [form.drawn, form.strip, form.card, fields.strategy]
    tab.select(events.open, asked, shown, **LATEST)
    gr.on(
        [*(field.change for field in chosen), working.choice.change, working.data.change],
        events.follow,
        asked,
        shown,
        **LATEST,
    )
    form.strip.draw(events.click, asked, shown, **LATEST)
    gr.on(
        [form.drawn.change, *(field.change for field in fields)],
        events.notes,
        [form.drawn, *fields],
        fields.noted,
        **LATEST,
    )
