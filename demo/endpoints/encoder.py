"""The endpoints for scripts: the command line's JSON documents over HTTP."""

from collections.abc import Callable
from typing import Any

from gradio.events import api

from core.config import EncoderChoice
from core.sentences import clean
from demo.frame.asking import Asked, Report, number, read_within, whole_number
from demo.frame.spoken import as_script_says
from demo.frame.toasts import as_toast
from demo.frame.work import Work
from demo.shelves.encoders import EncoderShelf
from demo.shelves.models import ModelShelf
from demo.shelves.shelves import Shelves
from demo.similarity.questions import MOST_HITS, MOST_SEARCHED, MOST_SENTENCES

MOST_EMBEDDED = 1_000
MOST_ANSWERED = 1_000
"""Sentences that `/predict` takes: with explanations a document of more would be too large."""


class Endpoints:
    """What `/embed`, `/similarity`, `/search` and `/predict` answer.

    A direct call skips the page's queue, so every limit is checked here.

    Args:
        shelf: Where encoders come from.
        models: Where the model comes from.
    """

    def __init__(self, shelf: EncoderShelf, models: ModelShelf) -> None:
        self.shelf = shelf
        self.models = models

    def embed(
        self, sentences: list[str] | str, encoder: str = "", pooling: str = ""
    ) -> dict[str, Any]:
        """Embed sentences.

        Answers {model, pooling, dimension, normalized, sentences: [{text, embedding, truncated}]}.

        Args:
            sentences: One sentence a line, or a list; 1 to 1,000.
            encoder: A name of the catalogue or the hub; empty for the page's default.
            pooling: As `--pooling` takes it, such as mean or cls; empty for the encoder's own.
        """

        def task(texts: list[str], choice: EncoderChoice) -> dict[str, Any]:
            from core.model.documents import embed_document

            return embed_document(self.shelf.get(choice), texts)

        return self._answer(task, sentences, (encoder, pooling), MOST_EMBEDDED)

    def similarity(
        self,
        sentences: list[str] | str,
        metric: str = "cosine",
        tokens: bool = False,
        encoder: str = "",
        pooling: str = "",
    ) -> dict[str, Any]:
        """Compare sentences.

        Answers {metric, sentences, matrix, pairs: [{a, b, score}], tokens?}, pairs best first.

        Args:
            sentences: One sentence a line, or a list; 2 to 200.
            metric: As `--metric` takes it, such as cosine or dot; distances are negated.
            tokens: Add the token by token table of the first two sentences.
            encoder: A name of the catalogue or the hub; empty for the page's default.
            pooling: As `--pooling` takes it, such as mean or cls; empty for the encoder's own.
        """

        def task(texts: list[str], choice: EncoderChoice) -> dict[str, Any]:
            from core.model.documents import similarity_document

            return similarity_document(
                self.shelf.get(choice), texts, metric=metric, tokens=bool(tokens)
            )

        return self._answer(task, sentences, (encoder, pooling), MOST_SENTENCES)

    def search(
        self,
        query: str,
        sentences: list[str] | str,
        top: int = 10,
        metric: str = "cosine",
        encoder: str = "",
        pooling: str = "",
    ) -> dict[str, Any]:
        """Search a list.

        Answers {query, metric, hits: [{index, text, score}]}, best first.

        Args:
            query: What to look for.
            sentences: The list, one sentence a line, or a list; up to 10,000.
            top: How many hits to return, 1 to 50.
            metric: As `--metric` takes it, such as cosine or dot; distances are negated.
            encoder: A name of the catalogue or the hub; empty for the page's default.
            pooling: As `--pooling` takes it, such as mean or cls; empty for the encoder's own.
        """

        def task(texts: list[str], choice: EncoderChoice) -> dict[str, Any]:
            from core.model.documents import search_document

            if not isinstance(query, str):
                raise ValueError(f"the query is a {type(query).__name__}, must be text")
            if not 1 <= whole_number(top) <= MOST_HITS:
                raise ValueError(f"top is {top}, must be 1 to {MOST_HITS}")
            found = self.shelf.get(choice)
            return search_document(found, clean(query), texts, top=int(top), metric=metric)

        return self._answer(task, sentences, (encoder, pooling), MOST_SEARCHED)

    def predict(
        self,
        sentences: list[str] | str,
        explain: bool = False,
        threshold: float | None = None,
    ) -> list[dict[str, Any]]:
        """Predict every task of the page's model.

        Answers a list of {text, TASK: {label, confidence, unsure, scores}, …}; the key of a token
        task holds its entities, [{text, label, start, end, confidence, unsure}].

        Args:
            sentences: One sentence a line, or a list; 1 to 1,000.
            explain: Add what each word adds to each label's score.
            threshold: Below this confidence, 0 to 1, a prediction is unsure; null for each
                task's own.
        """

        def run(_: Report, cancelled: Asked) -> list[dict[str, Any]]:
            from core.model.documents import predict_document

            texts = read_within(sentences, MOST_ANSWERED)
            below = None if threshold is None else number("threshold", threshold)
            return predict_document(
                self.models.get(),
                texts,
                explain=bool(explain),
                threshold=below,
                cancelled=cancelled,
            )

        with as_toast(as_script_says):
            return Work(run).result()

    def _answer(
        self,
        task: Callable[[list[str], EncoderChoice], dict[str, Any]],
        sentences: list[str] | str,
        asked: tuple[str, str],
        most: int,
    ) -> dict[str, Any]:
        def run(_: Report, __: Asked) -> dict[str, Any]:
            texts = read_within(sentences, most)
            return task(texts, choice_of(self.shelf, *asked))

        with as_toast(as_script_says):
            return Work(run).result()


def choice_of(shelf: EncoderShelf, name: str, pooling: str) -> EncoderChoice:
    """Return the encoder that a caller names; nothing is the page's own, pooled as it is there."""
    default = shelf.default
    return EncoderChoice(
        name=name or default.name,
        pooling=pooling or (None if name else default.pooling),
        normalize=None if name else default.normalize,
    )


def build_endpoints(shelves: Shelves) -> None:
    """Add the endpoints to the page; call inside `gr.Blocks`."""
    answers = Endpoints(shelves.encoders, shelves.models)
    api(answers.embed, api_name="embed", concurrency_limit=4)
    api(answers.similarity, api_name="similarity", concurrency_limit=4)
    api(answers.search, api_name="search", concurrency_limit=4)
    api(answers.predict, api_name="predict", concurrency_limit=4)
