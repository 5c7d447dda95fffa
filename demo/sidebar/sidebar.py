"""The working set that every tab shares: which encoder, and how it makes an embedding."""

import asyncio
import html
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from core.config import POOLINGS, EncoderChoice
from core.encoder.catalogue import CATALOGUE, find_spec
from demo.frame.spoken import as_sentence
from demo.frame.toasts import as_toast
from demo.frame.widgets import PRIVATE, SKIP, Updates, hidden, shown, soft, told, warning
from demo.frame.work import RunningWork, StoppedError, Work, progress_line
from demo.shelves.encoders import EncoderShelf, facts_of_encoder, facts_of_spec, name_of
from demo.shelves.models import OWN_MODEL, WorkingModel
from demo.shelves.working_data import WorkingData
from demo.sidebar.tabs import WorkingSet

OTHER = "other"
OWN = "own"
NORMALIZE = (("own", None), ("length 1", True), ("as it is", False))
TURNS: dict[str, Any] = {**PRIVATE, "concurrency_limit": 8}


class SidebarEvents:
    """The callbacks: plain values in, plain values out.

    Args:
        shelf: Where encoders come from.
    """

    def __init__(self, shelf: EncoderShelf) -> None:
        self.shelf = shelf
        self._running = RunningWork()
        self.stop = self._running.stop

    def change(
        self, choice: EncoderChoice, wanted: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Load what is wanted: yields choice, facts, status, Stop.

        What cannot be had leaves the old choice, and says why.
        """
        if wanted == choice:
            yield (SKIP,) * 4
            return
        work = Work(lambda *_: (self.shelf.get(wanted), facts(self.shelf, wanted)))
        for step in self._running.steps(work, request):
            line = progress_line(f"Loading {name_of(wanted)}…", step)
            yield SKIP, SKIP, line, shown()
        try:
            _, found = work.result()
        except StoppedError:
            yield SKIP, SKIP, told(name_of(choice), "Stopped; the page keeps it."), hidden()
            return
        except (ValueError, RuntimeError) as error:
            kept = f"{as_sentence(error)} The page keeps {name_of(choice)}."
            yield SKIP, SKIP, warning(kept), hidden()
            return
        yield wanted, found, told(name_of(wanted), "Compare and Search now use it."), hidden()

    def choose_listed(
        self, name: str, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Take an encoder of the catalogue; for another one its name is awaited."""
        if name == OTHER:
            yield (SKIP,) * 4
            return
        yield from self.choose_encoder(name, choice, request)

    def choose_encoder(
        self, name: str, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Take another encoder, with its own pooling."""
        with as_toast():
            wanted = EncoderChoice(name=str(name).strip(), device=choice.device)
            yield from self.change(choice, wanted, request)

    def choose_pooling(
        self, pooling: str, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Pool the same states in another way."""
        with as_toast():
            wanted = replace(choice, pooling=None if pooling == OWN else pooling)
            yield from self.change(choice, wanted, request)

    def choose_normalize(
        self, index: int, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Give embeddings length one, or leave them as they are."""
        yield from self.change(choice, replace(choice, normalize=NORMALIZE[int(index)][1]), request)

    def choose_precision(
        self, precision: str, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Take exact or fast weights."""
        with as_toast():
            yield from self.change(choice, replace(choice, precision=precision), request)

    def fields_of(self, choice: EncoderChoice) -> Updates:
        """Return what the fields show of a choice: encoder, name, pooling, length, precision."""
        spec = find_spec(choice.name)
        index = next(k for k, (_, value) in enumerate(NORMALIZE) if value == choice.normalize)
        name = gr.update(value="" if spec else choice.name, visible=spec is None)
        fields = (spec.name if spec else OTHER, name, choice.pooling or OWN)
        return *fields, NORMALIZE[index][0], choice.precision

    def fields_unless_other(self, name: str, choice: EncoderChoice) -> Updates:
        """As `fields_of`, but leaves the fields alone while a name is being typed."""
        return (SKIP,) * 5 if name == OTHER else self.fields_of(choice)

    def fields_unless_refused(self, name: str, choice: EncoderChoice) -> Updates:
        """As `fields_of`, but leaves a name that could not be had standing, to be corrected."""
        return self.fields_of(choice) if str(name).strip() == choice.name else (SKIP,) * 5

    def measure_fast(self, choice: EncoderChoice, request: gr.Request) -> Iterator[Updates]:
        """Measure the fast mode on this machine: yields precision field, status, Stop."""
        exact = replace(choice, precision="exact", pooling=None, normalize=None)
        work = Work(lambda *_: self.shelf.get(exact).fast_mode())
        for step in self._running.steps(work, request):
            yield SKIP, progress_line("Measuring the fast mode…", step), shown()
        yield SKIP, told(name_of(choice), "Stopped." if work.stopped else ""), hidden()
        if work.stopped:
            return
        with as_toast():
            mode = work.result()
        verdict = "You may choose it now." if mode.offered else "Not worth having here."
        choices = ["exact", "fast"] if mode.offered else ["exact"]
        yield gr.update(choices=choices), soft(f"{mode}. {verdict}"), SKIP

    async def wait_until_ready(self, choice: EncoderChoice) -> AsyncIterator[str]:
        """Tell a page that has just opened when the encoder is there."""
        self.shelf.visited.set()
        for _ in range(1200):
            if self.shelf.is_ready(choice):
                yield told(name_of(choice), "Ready.")
                return
            if self.shelf.failure:
                yield warning(self.shelf.failure)
                return
            await asyncio.sleep(0.1)


def build_sidebar(app: gr.Blocks, shelf: EncoderShelf) -> WorkingSet:
    """Lay out the sidebar and wire its events; call inside `app`."""
    events, default = SidebarEvents(shelf), shelf.default
    choice, data, model = gr.State(default), gr.State(WorkingData()), gr.State(OWN_MODEL)
    spec = find_spec(default.name)
    names = [(each.label, each.name) for each in CATALOGUE]
    # An open page offers the catalogue, and what it was started with if that is something else.
    other = [("a hub name or a folder…", OTHER)] if shelf.local or spec is None else []
    with gr.Sidebar(width=290, elem_id="working-set"):
        gr.HTML("<h2>Working set</h2><p class='soft'>What every tab works with.</p>")
        line = gr.HTML(data_line(WorkingData()), elem_id="working-data")
        model_shown = gr.HTML(model_line(OWN_MODEL), elem_id="working-model")
        own = gr.Button("Back to the page's own model", size="sm", visible=False)
        encoder = gr.Dropdown(
            [*names, *other],
            value=spec.name if spec else OTHER,
            label="Encoder",
            filterable=False,
        )
        name = gr.Textbox(
            "" if spec else default.name,
            label="Hub name or folder",
            placeholder="owner/model",
            info="Press Enter to load it",
            visible=spec is None,
            max_length=300,
        )
        pooling = gr.Dropdown(
            [("the encoder's own", OWN), *((each, each) for each in POOLINGS)],
            value=default.pooling or OWN,
            label="Pooling",
            filterable=False,
            info="How the tokens' states become one embedding",
        )
        length = gr.Radio(
            [label for label, _ in NORMALIZE],
            value="own",
            type="index",
            label="Normalise",
            elem_classes="segments",
        )
        precision = gr.Radio(
            ["exact"] if default.precision == "exact" else ["exact", "fast"],
            value=default.precision,
            label="Precision",
            elem_classes="segments",
        )
        fast = gr.Button("Measure the fast mode", size="sm")
        status = gr.HTML(
            soft(f"{name_of(default)}: loading…"),
            elem_id="encoder-status",
            elem_classes="encoder-status",
        )
        stop = gr.Button("Stop", variant="stop", size="sm", visible=False)
        facts_shown = gr.HTML(facts_html(facts_of_spec(spec) if spec else []), elem_id="facts")
    outputs = [choice, facts_shown, status, stop]
    fields = [encoder, name, pooling, length, precision]
    encoder.input(
        lambda value: gr.update(visible=value == OTHER),
        encoder,
        name,
        queue=False,
        **PRIVATE,
    )
    changes = [
        encoder.input(events.choose_listed, [encoder, choice], outputs, **TURNS),
        name.submit(events.choose_encoder, [name, choice], outputs, **TURNS),
        pooling.input(events.choose_pooling, [pooling, choice], outputs, **TURNS),
        length.input(events.choose_normalize, [length, choice], outputs, **TURNS),
        precision.input(events.choose_precision, [precision, choice], outputs, **TURNS),
    ]
    changes[0].then(events.fields_unless_other, [encoder, choice], fields, **TURNS)
    changes[1].then(events.fields_unless_refused, [name, choice], fields, **TURNS)
    for change in changes[2:]:
        change.then(events.fields_of, choice, fields, **TURNS)
    fast.click(events.measure_fast, choice, [precision, status, stop], **TURNS)
    stop.click(events.stop, None, None, queue=False, **PRIVATE)
    app.load(events.wait_until_ready, choice, status, **{**PRIVATE, "concurrency_limit": None})
    own.click(lambda: OWN_MODEL, None, model, **PRIVATE)  # queued: else nobody hears it change
    model.change(
        lambda now: (model_line(now), gr.update(visible=bool(now.id))),
        model,
        [model_shown, own],
        queue=False,
        **PRIVATE,
    )
    return WorkingSet(choice, data, line, model)


def data_line(data: WorkingData, document: Mapping[str, Any] | None = None) -> str:
    """Name the working data for the sidebar.

    Args:
        data: Which.
        document: What the doctor wrote of it; None for the corpus.
    """
    what = "topic, sentiment, entities; choose your own under Data"
    if document is not None:
        tasks = ", ".join(document["tasks"])
        what = f"{document['rows']:,} {document['unit']}s: {tasks[:200]}"
    name = "the corpus" if data.is_corpus else data.name[:80]
    return f"<h3>Data</h3><p>{html.escape(name)}</p><p class='soft'>{html.escape(what)}</p>"


def model_line(model: WorkingModel) -> str:
    """Name the working model for the sidebar."""
    name, what = "the page's own", "a run of Freeze or Train can take its place"
    if model.id:
        name = model.name[:120]
        what = "Predict uses it; Compare lays its encoder beside the other"
    return f"<h3>Model</h3><p>{html.escape(name)}</p><p class='soft'>{what}</p>"


def facts(shelf: EncoderShelf, choice: EncoderChoice) -> str:
    """Return what is known of a choice's encoder as HTML; loads it if no catalogue knows it."""
    spec = find_spec(choice.name)
    return facts_html(facts_of_spec(spec) if spec else facts_of_encoder(shelf.get(choice)))


def facts_html(rows: list[tuple[str, str]]) -> str:
    """Lay out facts as a list of terms; addresses of the catalogue become links."""
    return f"<dl class='facts'>{''.join(map(_fact, rows))}</dl>"


def _fact(row: tuple[str, str]) -> str:
    term, value = map(html.escape, row)
    if value.startswith("https://huggingface.co/"):
        shown = value.removeprefix("https://huggingface.co/").replace("/", "/<wbr>")
        value = f'<a href="{value}" rel="noreferrer" target="_blank">{shown}</a>'
    return f"<div><dt>{term}</dt><dd>{value}</dd></div>"
