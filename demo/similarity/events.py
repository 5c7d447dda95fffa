"""What the events of the Compare tab do: plain values in, plain values out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from core.config import METRICS, EncoderChoice
from demo.frame.asking import Asked, Report, whole_number
from demo.frame.files import as_csv, as_json
from demo.frame.sentences import read_sentences
from demo.frame.toasts import as_toast
from demo.frame.widgets import SKIP, Updates, answered, followed, given_by, hidden
from demo.frame.work import RunningWork, Waiting, Work
from demo.shelves.encoders import EncoderShelf, name_of, with_second
from demo.similarity import questions
from demo.similarity.examples import EXAMPLES, Example, load_example
from demo.similarity.questions import Question

Document = dict[str, Any]

SEARCH_AGAIN = {"empty": "Press Search to search the sentences as they are now."}


@dataclass(frozen=True, kw_only=True)
class Box:
    """What stands in the tab's fields.

    Attributes:
        text: Sentences, one a line, or cells of a sheet.
        metric: One of `core.config.METRICS`.
        second: What to lay beside, as `demo.shelves.encoders.with_second` reads it.
        choice: The working set's encoder.
    """

    text: str
    metric: str
    second: str
    choice: EncoderChoice

    def question(self) -> Question:
        """Read the sentences. Raises ValueError for what cannot be read."""
        read = read_sentences(self.text or "")
        return Question(
            texts=read.texts,
            metric=self.metric,
            choice=self.choice,
            second=with_second(self.choice, self.second or ""),
            note=read.note,
        )


class CompareEvents:
    """The callbacks.

    Args:
        shelf: Where encoders come from.
    """

    def __init__(self, shelf: EncoderShelf) -> None:
        self.shelf = shelf
        self._running = RunningWork()
        self.stop = self._running.stop

    def compare(
        self, text: str, metric: str, second: str, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Compare the sentences in the box: yields result, tokens, question, status, Stop, hits."""
        box = Box(text=text, metric=metric, second=second, choice=choice)
        yield from self._compare(choice, box.question, request)

    def again(
        self, question: Question, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Compare the same sentences with the encoder that was just chosen; yields as `compare`."""
        moved = questions.with_choice
        yield from self._compare(choice, lambda: moved(question, choice), request)

    def example(self, example: Example) -> Callable[..., Iterator[Updates]]:
        """Return the callback of an example's button."""

        # Gradio reads what to pass from the annotations, which a functools.partial has not.
        def show(choice: EncoderChoice, request: gr.Request) -> Iterator[Updates]:
            yield from self._example(example, choice, request)

        return show

    def _example(
        self, example: Example, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Show an example: as `compare`, then the document of its hits.

        While the built-in encoder is still loading, the results that ship with it are shown.
        """
        question = Question(texts=example.sentences, choice=choice, note=example.notice)
        if choice == EncoderChoice() and not self.shelf.is_ready(choice):
            shipped = load_example(example)
            views = shipped["similarity"], shipped["tokens"]
            yield *views, question, "", hidden(), shipped["search"], shipped["found"]
            return
        for updates in self._compare(choice, lambda: question, request, example.pick):
            yield *updates, SKIP
        found = Work(lambda *_: questions.search(self.shelf.get, example.query, question, top=5))
        yield *[SKIP] * 5, *found.result()

    def explain(self, question: Question, pair: gr.EventData) -> Document:
        """Show the words of the pair that was picked in the matrix or the list."""
        picked = given_by(pair)
        second = picked.get("side") == "second"
        with as_toast():
            a, b = whole_number(picked.get("a")), whole_number(picked.get("b"))
        return answered(lambda: questions.explain(self.shelf.get, question, a, b, second=second))

    def search(
        self,
        query: str,
        text: str,
        top: int,
        metric: str,
        choice: EncoderChoice,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Search the sentences in the box: yields hits, their document, status, Stop."""
        box = Box(text=text, metric=metric, second="", choice=choice)

        def task(progress: Report, cancelled: Asked) -> Updates:
            return questions.search(
                self.shelf.get,
                query or "",
                box.question(),
                top=whole_number(top),
                progress=progress,
                cancelled=cancelled,
            )

        found = yield from followed(
            self._running, Work(task), request, self._says(choice), around=(2, 0)
        )
        if found is not None:
            yield *found, "", hidden()

    def open_link(self, choice: EncoderChoice, request: gr.Request) -> Iterator[Updates]:
        """Compare what a shared link holds: yields text and metric, then as `compare`."""
        given = request.query_params
        text, metric = str(given.get("s", "")), str(given.get("metric", ""))
        if not text and self.shelf.default != EncoderChoice():
            text = EXAMPLES[0].text  # what ships with the page is another encoder's
        if not text:
            yield (SKIP,) * 8
            return
        metric = metric if metric in METRICS else "cosine"
        yield text, metric, *[SKIP] * 6
        for updates in self.compare(text, metric, "", choice, request):
            yield SKIP, SKIP, *updates

    def save_similarity(self, question: Question, kind: str) -> str:
        """Write what was compared as `csv` or `json`; the JSON is the command line's document."""
        document = answered(lambda: questions.document_of(self.shelf.get, question))
        return (similarity_csv if kind == "csv" else as_json)(document)

    def save_search(self, found: Document | None, kind: str) -> str:
        """Write what was found as `csv` or `json`."""
        with as_toast():
            if not found:
                raise ValueError("nothing was searched for yet: write a query and press Search")
            return (search_csv if kind == "csv" else as_json)(found)

    def _compare(
        self,
        choice: EncoderChoice,
        ask: Callable[[], Question],
        request: gr.Request,
        pick: tuple[int, int] | None = None,
    ) -> Iterator[Updates]:
        def task(progress: Report, cancelled: Asked) -> tuple[Question, Document]:
            question = ask()
            return question, questions.compare(self.shelf.get, question, progress, cancelled)

        compared = yield from followed(
            self._running, Work(task), request, self._says(choice), around=(3, 1)
        )
        if compared is None:
            return
        question, view = compared
        a, b = pick or view["pick"]
        drawn = {**view, "pick": [a, b], "share": questions.link_of(question)}
        yield drawn, SKIP, question, "", hidden(), SEARCH_AGAIN
        words = answered(lambda: questions.explain(self.shelf.get, question, a, b))
        yield SKIP, words, *[SKIP] * 4

    def _says(self, choice: EncoderChoice) -> Callable[[Waiting], str]:
        """Say how far reading is, or what it waits for."""

        def say(step: Waiting) -> str:
            if step.total:
                return f"{step.done:,} of {step.total:,} sentences"
            ready = self.shelf.is_ready(choice)
            return "Reading the sentences…" if ready else f"Loading {name_of(choice)}…"

        return say


def similarity_csv(document: dict[str, Any]) -> str:
    """Write the ranked pairs of a similarity document, best first."""
    texts = document["sentences"]
    rows = (
        (rank, pair["a"] + 1, pair["b"] + 1, pair["score"], texts[pair["a"]], texts[pair["b"]])
        for rank, pair in enumerate(document["pairs"], start=1)
    )
    return as_csv(("rank", "a", "b", document["metric"], "sentence_a", "sentence_b"), rows)


def search_csv(document: dict[str, Any]) -> str:
    """Write the hits of a search document, best first."""
    rows = (
        (rank, hit["index"] + 1, hit["score"], hit["text"])
        for rank, hit in enumerate(document["hits"], start=1)
    )
    return as_csv(("rank", "line", document["metric"], "text"), rows)
