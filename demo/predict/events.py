"""What the events of the Predict tab do: plain values in, plain values out."""

from collections.abc import Callable, Iterator

import gradio as gr

from demo.frame.asking import MOST_IN_A_LINK, Asked, Report, whole_number
from demo.frame.files import Uploads
from demo.frame.sentences import read_sentences
from demo.frame.toasts import as_toast
from demo.frame.views import View
from demo.frame.widgets import SKIP, Updates, answered, followed, given_by, hidden
from demo.frame.work import RunningWork, Waiting, Work
from demo.predict.examples import EXAMPLES, PredictExample, shipped_example
from demo.predict.predictions import (
    Given,
    Predicted,
    predict_many,
    predict_one,
    predictions_as,
    read_file,
)
from demo.shelves.models import OWN_MODEL, ModelShelf, WorkingModel

Answer = tuple[View, View, Predicted]

NO_TABLE: View = {"rows": []}

OWN, ONE = "each task's own", "one for all"
"""Which threshold makes a prediction unsure."""


class PredictEvents:
    """The callbacks.

    Args:
        models: Where the model comes from.
    """

    def __init__(self, models: ModelShelf) -> None:
        self.models = models
        self.uploads = Uploads()
        self._running = RunningWork()
        self.stop = self._running.stop

    def predict(
        self, text: str, request: gr.Request, model: WorkingModel = OWN_MODEL
    ) -> Iterator[Updates]:
        """Predict what stands in the box: yields one, many, predicted, status, Stop."""

        def read() -> Given:
            sentences = read_sentences(text or "")
            if not sentences.texts:
                raise ValueError("there is no sentence yet: write one, or several, one a line")
            notes = (sentences.note,) if sentences.note else ()
            return Given(texts=sentences.texts, notes=notes)

        yield from self._predict(read, request, model)

    def upload(
        self,
        path: str | None,
        column: str,
        request: gr.Request,
        model: WorkingModel = OWN_MODEL,
    ) -> Iterator[Updates]:
        """Predict an uploaded file; yields as `predict`. A file taken away is removed."""
        if path is None:
            self.uploads.remove(request)
            yield (SKIP,) * 5
            return
        self.uploads.keep(path, request)
        yield from self._predict(lambda: read_file(path, column or ""), request, model)

    def close(self, request: gr.Request) -> None:
        """Remove what the visitor of a page that was closed left behind."""
        self.uploads.remove(request)

    def example(self, example: PredictExample) -> Callable[..., Iterator[Updates]]:
        """Return the callback of an example's button; it yields as `predict`."""

        # Gradio reads what to pass from the annotations, which a functools.partial has not.
        def show(request: gr.Request, model: WorkingModel = OWN_MODEL) -> Iterator[Updates]:
            ready = bool(model.id) or self.models.is_ready()
            if self.models.folder is None and not ready:
                view, row = shipped_example(example)
                yield view, NO_TABLE, Predicted.of([row]), "", hidden()
                return
            given = Given(texts=(example.text,), notes=(example.notice,))
            yield from self._predict(lambda: given, request, model)

        return show

    def open_link(self, request: gr.Request) -> Iterator[Updates]:
        """Predict what a shared link holds: yields tabs and box, then as `predict`.

        Without one the tab keeps its worked example, which is predicted now if the page was
        started with another model than the one that made it.
        """
        text = str(request.query_params.get("predict", ""))
        if text:
            yield gr.Tabs(selected="predict"), text, *[SKIP] * 5
        elif self.models.folder is not None:
            text = EXAMPLES[0].text
        if not text:
            yield (SKIP,) * 7
            return
        for updates in self.predict(text, request):
            yield SKIP, SKIP, *updates

    def again(
        self, predicted: Predicted, request: gr.Request, model: WorkingModel
    ) -> Iterator[Updates]:
        """Predict the same sentences with another model."""
        given = Given(texts=tuple(predicted.texts), notes=())
        yield from self._predict(lambda: given, request, model)

    def open_row(
        self, predicted: Predicted, picked: gr.EventData, model: WorkingModel = OWN_MODEL
    ) -> View:
        """Show all of the row that was picked in the table."""
        with as_toast():
            number = whole_number(given_by(picked).get("row"))
            if not 0 <= number < len(predicted.texts):
                raise ValueError(f"there is no row {number + 1:,}, must be of the table")
            text = predicted.texts[number]
        view, _ = answered(lambda: predict_one(self.models.get(model), text))
        return {**view, "title": f"Sentence {number + 1:,}", "opened": True}

    def save(
        self,
        predicted: Predicted,
        how: str,
        percent: float,
        model: WorkingModel = OWN_MODEL,
        *,
        kind: str,
    ) -> str:
        """Write the predictions as `csv` or `jsonl`, unsure as the page shows it."""
        below = percent / 100 if how == ONE else None
        return answered(lambda: predictions_as(self.models.get(model), predicted, kind, below))

    def _predict(
        self, read: Callable[[], Given], request: gr.Request, model: WorkingModel
    ) -> Iterator[Updates]:
        work = Work(lambda progress, cancelled: self._answer(read(), model, progress, cancelled))

        def say(step: Waiting) -> str:
            if step.total:
                return f"{step.done:,} of {step.total:,} sentences"
            return "Reading the sentences…" if self.models.is_ready(model) else "Loading the model…"

        answer = yield from followed(self._running, work, request, say, around=(3, 0))
        if answer is not None:
            yield *answer, "", hidden()

    def _answer(
        self, given: Given, which: WorkingModel, progress: Report, cancelled: Asked
    ) -> Answer:
        model = self.models.get(which)
        if len(given.texts) == 1:
            view, row = predict_one(model, given.texts[0], notes=given.notes)
            return {**view, "share": link_of(given)}, NO_TABLE, Predicted.of([row])
        table, predicted = predict_many(model, given, progress, cancelled)
        first, _ = predict_one(model, given.texts[0])
        return (
            {**first, "title": "Sentence 1"},
            {**table, "share": link_of(given)},
            predicted,
        )


def link_of(given: Given) -> dict[str, str]:
    """Return what a link to sentences holds; too much, or a file's, gives an empty dict."""
    joined = "\n".join(given.texts)
    return {"predict": joined} if given.shared and len(joined) <= MOST_IN_A_LINK else {}
