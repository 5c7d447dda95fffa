"""The JSON documents that the command line prints and the page's endpoints return.

One function each, so that a script gets the same answer either way.
"""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from core.config import MAX_SENTENCE_CHARACTERS, METRICS, check_choice
from core.encoder import Encoder, Encoding, Progress
from core.similarity import ranked_pairs, similarity_matrix, top_k
from core.token_table import token_table

MAX_MATRIX_SENTENCES = 2_000
"""A matrix of more than this is 4 million numbers of JSON, which nobody reads."""


def split_sentences(given: str | Sequence[str]) -> list[str]:
    """Take sentences one a line, or a list of them; blank ones are left out.

    Raises:
        ValueError: If something in the list is not text.
    """
    lines = given.splitlines() if isinstance(given, str) else list(given)
    for index, line in enumerate(lines):
        if not isinstance(line, str):
            raise ValueError(f"sentence {index + 1} is a {type(line).__name__}, must be text")
    return [clean(line) for line in lines if clean(line)]


def clean(text: str) -> str:
    """Drop surrounding space and control characters, which no encoder reads and terminals obey."""
    kept = (" " if c in "\t\r\n\v\f\x85\u2028\u2029" else c for c in text)
    readable = "".join(c for c in kept if unicodedata.category(c) not in ("Cc", "Cs"))
    return readable.strip()


def check_sentences(texts: Sequence[str], *, at_least: int, at_most: int) -> None:
    """Refuse too few, too many or too long sentences.

    Raises:
        ValueError: Saying what was given and what is allowed.
    """
    if len(texts) < at_least:
        need = "one sentence" if at_least == 1 else f"{at_least} sentences"
        raise ValueError(f"there are {len(texts)} sentences, must be at least {need}")
    if len(texts) > at_most:
        raise ValueError(f"there are {len(texts):,} sentences, must be at most {at_most:,}")
    for index, text in enumerate(texts):
        if len(text) > MAX_SENTENCE_CHARACTERS:
            raise ValueError(
                f"sentence {index + 1} has {len(text):,} characters, must be at most "
                f"{MAX_SENTENCE_CHARACTERS:,}: split it"
            )


def embed_document(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Embed sentences: `{model, pooling, dimension, normalized, sentences: [...]}`.

    Raises:
        ValueError: If there is no sentence, or one is too long.
    """
    check_sentences(texts, at_least=1, at_most=1_000_000)
    encoding = encoder.encode(texts, progress=progress, cancelled=cancelled)
    return {**embedding_header(encoder), "sentences": embedded_sentences(texts, encoding)}


def embedding_header(encoder: Encoder) -> dict[str, Any]:
    """Say what made the embeddings of a document."""
    return {
        "model": encoder.name,
        "pooling": encoder.pooling,
        "dimension": encoder.dimension,
        "normalized": encoder.normalized,
    }


def embedded_sentences(texts: Sequence[str], encoding: Encoding) -> list[dict[str, Any]]:
    """List each sentence with its embedding and whether it was truncated."""
    listed = zip(texts, encoding.vectors.tolist(), encoding.truncated, strict=True)
    return [{"text": t, "embedding": vector, "truncated": cut} for t, vector, cut in listed]


def similarity_document(
    encoder: Encoder,
    texts: Sequence[str],
    *,
    metric: str = "cosine",
    tokens: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Compare sentences: `{metric, sentences, matrix, pairs, tokens?}`, pairs best first.

    Args:
        encoder: What embeds them.
        texts: Two sentences or more.
        metric: One of `METRICS`.
        tokens: Whether to add the token table of the first two sentences.
        progress: Called after each batch.
        cancelled: Asked before each batch; True stops.

    Raises:
        ValueError: If there are fewer than two sentences or too many, or the metric is unknown.
    """
    check_choice("metric", metric, METRICS)
    check_sentences(texts, at_least=2, at_most=MAX_MATRIX_SENTENCES)
    encoding = encoder.encode(texts, progress=progress, cancelled=cancelled)
    matrix = similarity_matrix(encoding.vectors, metric=metric)  # (sentences, sentences)
    document: dict[str, Any] = {
        "metric": metric,
        "model": encoder.name,
        "pooling": encoder.pooling,
        "sentences": list(texts),
        "truncated": list(encoding.truncated),
        "matrix": matrix.tolist(),
        "pairs": [pair._asdict() for pair in ranked_pairs(matrix)],
    }
    if tokens:
        document["tokens"] = token_document(encoder, texts[0], texts[1], metric)
    return document


def token_document(encoder: Encoder, a: str, b: str, metric: str = "cosine") -> dict[str, Any]:
    """Split the similarity of two sentences: `{a, b, table, exact, score, reason}`."""
    found = token_table(encoder, a, b, metric)
    return {
        "a": list(found.a),
        "b": list(found.b),
        "table": found.table.tolist(),
        "exact": found.exact,
        "score": found.score,
        "reason": found.reason,
    }


def search_document(
    encoder: Encoder,
    query: str,
    texts: Sequence[str],
    *,
    top: int = 10,
    metric: str = "cosine",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Search a list: `{query, metric, hits: [{index, text, score}]}`, best first.

    The query gets the encoder's query prompt, where it has one; the list gets none.

    Raises:
        ValueError: If the query or the list is empty, or top or the metric is not allowed.
    """
    check_choice("metric", metric, METRICS)
    if not top > 0:
        raise ValueError(f"top is {top}, must be at least 1: how many hits to return")
    if not query:
        raise ValueError("the query is empty: write what to look for")
    check_sentences([query], at_least=1, at_most=1)
    check_sentences(texts, at_least=1, at_most=1_000_000)
    asked = encoder.encode(query, prompt=encoder.prompts.get("query", "")).vectors
    listed = encoder.encode(texts, progress=progress, cancelled=cancelled).vectors
    hits = top_k(asked, listed, top, metric)[0]
    return {
        "query": query,
        "metric": metric,
        "model": encoder.name,
        "hits": [{"index": i, "text": texts[i], "score": score} for i, score in hits],
    }
