"""The part of the Freeze tab that compares strategies: what is asked, and what came of it."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import gradio as gr
from gradio.blocks import Block

from core.config import COSTS, SCORES, AdviceChoice
from demo.frame.widgets import PRIVATE, SAVE_WRITTEN, SEVERAL, picture, status_row
from demo.freeze.comparison_events import NOTHING, ComparingEvents
from demo.freeze.form import (
    BUDGETS,
    EPOCHS,
    FURTHER,
    MOST_ROWS,
    MOST_SEEDS,
    RATES,
    UNTIL_IT_STOPS,
    Form,
    Order,
)
from demo.freeze.views import advice_view
from demo.shelves.working_data import CORPUS_TASKS
from demo.sidebar.tabs import Page


class Fields(NamedTuple):
    """What is asked, by the names of `Form`."""

    rows: gr.Slider
    tasks: gr.CheckboxGroup
    seeds: gr.Slider
    epochs: gr.Dropdown
    budget: gr.Dropdown
    cost: gr.Dropdown
    margin: gr.Slider
    score: gr.Dropdown
    rates: gr.Dropdown
    further: gr.CheckboxGroup


class Compared(NamedTuple):
    """The components that several events touch."""

    fields: Fields
    compare: gr.Button
    estimate: gr.Button
    stop: gr.Button
    status: gr.HTML
    advice: gr.HTML
    going: gr.HTML
    result: gr.HTML
    listed: gr.HTML
    current: gr.State
    written: gr.Textbox

    @property
    def drawn(self) -> list[gr.components.Component]:
        """What showing a comparison updates."""
        return [self.current, self.going, self.advice, self.result, self.listed, self.stop]


def lay_out_advice(events: ComparingEvents) -> tuple[gr.HTML, gr.State]:
    """Lay out the advice, which stands on top, and which comparison it is of."""
    name, view = events.first
    on = "{use: (run) => trigger('use', run), train: () => trigger('train', {})}"
    script = f"thaw.comparisonAdvice(element, props, watch, {on})"
    return picture("freeze-advice", script, advice_view(view)), gr.State(name)


def lay_out_comparison(advice: gr.HTML, current: gr.State, events: ComparingEvents) -> Compared:
    """Lay out what is asked, how far it is, and what came of it."""
    with gr.Column(elem_classes="card ask"):
        gr.HTML("<h3>Compare them</h3>", elem_classes="try")
        fields, compare, estimate = _ask()
        status, stop = status_row("compare-strategies-status", stop="compare-strategies-stop")
    going = picture("freeze-going", "thaw.comparisonGoing(element, props, watch)", NOTHING)
    on = "{use: (run) => trigger('use', run), save: (what) => trigger('save', what)}"
    script = f"thaw.comparisonResult(element, props, watch, {on})"
    result = picture("freeze-result", script, events.first[1])
    on = (
        "{open: (it) => trigger('open', it), remove: (it) => trigger('remove', it), "
        "resume: (it) => trigger('resume', it)}"
    )
    script = f"thaw.comparisons(element, props, watch, {on})"
    listed = picture("freeze-comparisons", script, events.first_listing())
    written = gr.Textbox(visible=False)
    return Compared(
        fields, compare, estimate, stop, status, advice, going, result, listed, current, written
    )


def _ask() -> tuple[Fields, gr.Button, gr.Button]:
    own = AdviceChoice()
    with gr.Row(elem_classes="asking"):
        tasks = gr.CheckboxGroup(
            list(CORPUS_TASKS), value=list(CORPUS_TASKS), label="Tasks", elem_id="compare-tasks"
        )
        rows = gr.Slider(
            1,
            MOST_ROWS,
            value=300,
            step=1,
            label="Rows",
            info="A stratified sample of the working data",
        )
    with gr.Row(elem_classes="asking"):
        seeds = gr.Slider(
            1,
            MOST_SEEDS,
            value=3,
            step=1,
            label="Seeds",
            info="Three test every row once; more go on from what is there",
        )
        epochs = gr.Dropdown(list(EPOCHS), value=UNTIL_IT_STOPS, label="Epochs", filterable=False)
        budget = gr.Dropdown(list(BUDGETS), value=0, label="Time limit", filterable=False)
    with gr.Accordion("What matters", open=False), gr.Row(elem_classes="asking"):
        cost = gr.Dropdown(list(COSTS), value=own.cost, label="Cheaper in", filterable=False)
        score = gr.Dropdown(list(SCORES), value=own.score, label="Score", filterable=False)
        margin = gr.Slider(
            0.5,
            10,
            value=own.margin,
            step=0.5,
            label="Margin, points",
            info="How much worse than the best is still good enough",
        )
    with gr.Accordion("More to compare", open=False), gr.Row(elem_classes="asking"):
        rates = gr.Dropdown(
            list(RATES),
            value=1,
            label="Learning rate",
            info="Of several, a run's own validation rows choose; each is a training more",
            filterable=False,
        )
        further = gr.CheckboxGroup(
            list(FURTHER),
            label="Beside it, every run once more with",
            info="Does sharing an encoder help? Would fewer rows do?",
            elem_id="compare-further",
        )
    with gr.Row(elem_classes="asking comparing"):
        compare = gr.Button("Compare them", variant="primary", scale=0, min_width=150)
        estimate = gr.Button("How long will it take?", scale=0, min_width=190)
    fields = Fields(rows, tasks, seeds, epochs, budget, cost, margin, score, rates, further)
    return fields, compare, estimate


def wire_comparison(page: Page, events: ComparingEvents, parts: Compared, chosen: gr.State) -> None:
    """Wire the events.

    Args:
        page: Its closing is told to what is running.
        events: The callbacks.
        parts: What they touch.
        chosen: The names of the strategies chosen.
    """
    working = page.working
    asked: set[Block] = {parts.current, chosen, working.data, working.choice, *parts.fields}

    def said(given: dict[Any, Any]) -> Order:
        named = zip(parts.fields._fields, parts.fields, strict=True)
        form = Form(**{name: given[field] for name, field in named})
        data, encoder = given[working.data], given[working.choice]
        return Order(strategies=tuple(given[chosen]), data=data, encoder=encoder, form=form)

    async def start(given: dict[Any, Any], request: gr.Request) -> AsyncIterator[Any]:
        async for updates in events.start(given[parts.current], said(given), request):
            yield updates

    def estimate(given: dict[Any, Any], request: gr.Request) -> Iterator[Any]:
        yield from events.estimate(said(given), request)

    parts.compare.click(start, asked, parts.drawn, **SEVERAL)
    parts.estimate.click(estimate, asked, [parts.status, parts.stop], **SEVERAL)
    parts.stop.click(events.stop, parts.current, None, queue=False, **PRIVATE)
    parts.listed.resume(events.resume, None, parts.drawn, **SEVERAL)
    parts.listed.open(events.open, None, parts.drawn, **SEVERAL)
    parts.listed.remove(events.remove, parts.current, parts.drawn, **SEVERAL)
    parts.advice.train(events.train_best, parts.current, parts.drawn, **SEVERAL)
    for place in (parts.advice, parts.result):
        place.use(events.use, parts.current, [working.model, parts.status], **SEVERAL)
    parts.result.save(events.save, parts.current, parts.written, **SEVERAL).success(
        None, parts.written, None, js=SAVE_WRITTEN
    )
    page.app.unload(events.close)
