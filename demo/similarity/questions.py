"""What the Compare tab asks of the encoders: plain values in, what is drawn out."""

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from core.config import EncoderChoice
from core.nearness import metric_named
from core.sentences import clean
from demo.frame import views as charts
from demo.frame.asking import MOST_IN_A_LINK, Asked, Report
from demo.shelves.encoders import GetEncoder, name_of
from demo.similarity import views as similarity_views

if TYPE_CHECKING:
    from core.encoder.encoder import Encoder

MOST_SENTENCES = 200
MOST_SEARCHED = 10_000
MOST_HITS = 50


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was compared last: all that a click on its answer needs.

    Attributes:
        texts: The sentences.
        metric: One of `core.config.METRICS`.
        choice: The encoder of the working set.
        second: The encoder beside it, or None.
        note: How the sentences were read.
    """

    texts: tuple[str, ...]
    metric: str = "cosine"
    choice: EncoderChoice = field(default_factory=EncoderChoice)
    second: EncoderChoice | None = None
    note: str = ""


def check_count(count: int, *, most: int = MOST_SENTENCES) -> None:
    """Refuse too few or too many sentences, saying what to do.

    Raises:
        ValueError: If there are fewer than two, or more than `most`.
    """
    if count == 0:
        raise ValueError(f"there is no sentence yet: write 2 to {most}, one a line")
    if count == 1:
        raise ValueError(f"there is 1 sentence, must be 2 to {most}: write one a line")
    if count > most:
        raise ValueError(
            f"there are {count:,} sentences, must be 2 to {most}: take some out, or search "
            f"the list below, which takes {MOST_SEARCHED:,}"
        )


def compare(
    get_encoder: GetEncoder,
    question: Question,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> charts.View:
    """Compare sentences with one encoder, or with two side by side.

    Raises:
        ValueError: If there are too few, too many or too long sentences, or no such encoder.
        CancelledError: If `cancelled` answered True.
    """
    from core.model.documents import similarity_document

    def document(encoder: "Encoder") -> dict[str, Any]:
        return similarity_document(
            encoder, question.texts, metric=question.metric, progress=progress, cancelled=cancelled
        )

    check_count(len(question.texts))
    encoder = get_encoder(question.choice)
    start = time.perf_counter()
    found = document(encoder)
    view = similarity_views.compare_view(
        found,
        label=name_of(question.choice),
        seconds=time.perf_counter() - start,
        notes=[question.note] if question.note else [],
    )
    if question.second is None:
        return view
    beside = get_encoder(question.second)
    alike = encoder.normalized and beside.normalized
    return similarity_views.beside_view(
        view,
        document(beside),
        label=name_of(question.second),
        comparable=metric_named(question.metric).by_direction or alike,
    )


def explain(
    get_encoder: GetEncoder, question: Question, a: int, b: int, *, second: bool = False
) -> charts.View:
    """Show which words make the similarity of two of the compared sentences.

    Args:
        get_encoder: Gives the encoder of a choice.
        question: What was compared.
        a: One sentence, from 0.
        b: Another.
        second: Whether to ask the encoder beside.

    Raises:
        ValueError: If there is no such pair.
    """
    from core.encoder.token_table import token_table

    count = len(question.texts)
    if not (0 <= a < count and 0 <= b < count and a != b):
        raise ValueError(f"there is no pair {a + 1} and {b + 1}: pick two of the {count} sentences")
    choice = question.second if second and question.second is not None else question.choice
    texts = (question.texts[a], question.texts[b])
    table = token_table(get_encoder(choice), *texts, question.metric)
    view = similarity_views.token_view(table, texts, (a, b))
    if question.second is not None:
        view["notes"] = [f"With {name_of(choice)}.", *view["notes"]]
    return view


def search(
    get_encoder: GetEncoder,
    query: str,
    question: Question,
    *,
    top: int = 10,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> tuple[charts.View, dict[str, Any]]:
    """Search the sentences of a question for those most like a query.

    Returns:
        What is drawn, and the document to download.

    Raises:
        ValueError: If the query or the list is empty, or the list is too long.
    """
    from core.model.documents import search_document

    count = len(question.texts)
    _check_search(count, top)
    encoder = get_encoder(question.choice)
    start = time.perf_counter()
    found = search_document(
        encoder,
        clean(query),
        question.texts,
        top=top,
        metric=question.metric,
        progress=progress,
        cancelled=cancelled,
    )
    seconds = time.perf_counter() - start
    return similarity_views.search_view(found, searched=count, seconds=seconds), found


def _check_search(count: int, top: int) -> None:
    if count > MOST_SEARCHED:
        raise ValueError(
            f"there are {count:,} sentences, must be at most {MOST_SEARCHED:,}: use "
            "python -m core search with --file"
        )
    if not 1 <= top <= MOST_HITS:
        raise ValueError(f"top is {top}, must be 1 to {MOST_HITS}")
    if count == 0:
        raise ValueError("there is no sentence to search: write some above, one a line")


def document_of(get_encoder: GetEncoder, question: Question) -> dict[str, Any]:
    """Return the command line's document of what was compared, for download."""
    from core.model.documents import similarity_document

    check_count(len(question.texts))
    return similarity_document(get_encoder(question.choice), question.texts, metric=question.metric)


def link_of(question: Question) -> dict[str, str]:
    """Return what a link to a question holds; too much for an address gives an empty dict."""
    joined = "\n".join(question.texts)
    return {"s": joined, "metric": question.metric} if len(joined) <= MOST_IN_A_LINK else {}


def with_choice(question: Question, choice: EncoderChoice) -> Question:
    """Ask the same of another encoder."""
    second = question.second
    if second is not None and second.name == question.choice.name and second.pooling:
        second = replace(choice, pooling=second.pooling)  # “the same encoder, other pooling”
    return replace(question, choice=choice, second=second)
