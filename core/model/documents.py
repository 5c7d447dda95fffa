"""The JSON documents that the command line prints and the page's endpoints return.

One function each, so that a script gets the same answer either way.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from core.config import MAX_MATRIX_SENTENCES, METRICS, check_choice
from core.encoder.encoder import Encoder, Encoding, Progress
from core.encoder.token_table import token_table
from core.measures.similarity import Hit, ranked_pairs, similarity_matrix, top_k
from core.model.model import MultiTaskModel
from core.model.prediction import LabelPrediction, Prediction, predict
from core.sentences import check_lengths, check_sentences, check_top, chunks
from core.sentences import clean as clean  # the page takes text in by the same rules
from core.sentences import split_sentences as split_sentences
from core.task import Task


def encode_in_chunks(
    encoder: Encoder,
    texts: Iterable[str],
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[tuple[list[str], Encoding]]:
    """Embed sentences as they are read, holding only some of them at a time.

    Args:
        encoder: What embeds them.
        texts: Any number of sentences.
        progress: Called after each batch with how many are done, and how many there are; of a
            stream, how many are read so far.
        cancelled: Asked before each batch; True stops.

    Yields:
        Some sentences and their embeddings, in the order of `texts`.

    Raises:
        ValueError: If a sentence is too long.
        RuntimeError: If the encoder gives something else than numbers.
        CancelledError: If `cancelled` answered True.
    """
    total = len(texts) if isinstance(texts, Sequence) else None
    done = 0
    for some in chunks(texts):
        check_lengths(some, first=done)
        report = _shifted(progress, done, total or done + len(some))
        yield some, finite(encoder.encode(some, progress=report, cancelled=cancelled))
        done += len(some)


def _shifted(progress: Progress | None, before: int, total: int) -> Progress | None:
    if progress is None:
        return None
    return lambda done, _: progress(before + done, total)


def finite(encoding: Encoding) -> Encoding:
    """Pass embeddings on, if they are numbers.

    Raises:
        RuntimeError: If one is infinite or not a number, which JSON could not hold either.
    """
    if not torch.isfinite(encoding.vectors).all():
        raise RuntimeError(
            "the encoder gave embeddings that are not finite numbers: its weights are broken, or "
            "the fast precision is too coarse for them"
        )
    return encoding


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
    encoding = finite(encoder.encode(texts, progress=progress, cancelled=cancelled))
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
    encoding = finite(encoder.encode(texts, progress=progress, cancelled=cancelled))
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
    texts: Iterable[str],
    *,
    top: int = 10,
    metric: str = "cosine",
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Search a list: `{query, metric, hits: [{index, text, score}]}`, best first.

    The query gets the encoder's query prompt, where it has one; the list gets none. The list is
    embedded as it is read and only the best hits are kept.

    Args:
        encoder: What embeds them.
        query: What to look for.
        texts: What to search, of any length.
        top: How many hits to return at most.
        metric: One of `METRICS`.
        progress: Called after each batch with how many are done, and how many there are; of a
            stream, how many are read so far.
        cancelled: Asked before each batch; True stops.

    Raises:
        ValueError: If the query or the list is empty, or top or the metric is not allowed.
    """
    check_choice("metric", metric, METRICS)
    check_top(top)
    if not query:
        raise ValueError("the query is empty: write what to look for")
    check_lengths([query])
    asked = finite(encoder.encode(query, prompt=encoder.prompts.get("query", "")))
    best: list[tuple[Hit, str]] = []
    read = truncated = 0
    for some, encoding in encode_in_chunks(encoder, texts, progress=progress, cancelled=cancelled):
        found = top_k(asked.vectors, encoding.vectors, top, metric)[0]
        best += [(Hit(read + index, score), some[index]) for index, score in found]
        # Python's sort is stable, so that of two equal scores the earlier sentence wins.
        best = sorted(best, key=lambda pair: -pair[0].score)[:top]
        read, truncated = read + len(some), truncated + sum(encoding.truncated)
    if read == 0:
        raise ValueError("there is no sentence to search, must be at least one sentence")
    return {
        "query": query,
        "metric": metric,
        "model": encoder.name,
        "pooling": encoder.pooling,
        "searched": read,
        "truncated": truncated,
        "hits": [{"index": hit.position, "text": text, "score": hit.score} for hit, text in best],
    }


def predict_document(
    model: MultiTaskModel,
    texts: Sequence[str],
    *,
    explain: bool = False,
    threshold: float | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[dict[str, Any]]:
    """Predict: a row a sentence, `{text, TASK: {label, confidence, unsure, scores}, …}`.

    A token task's key holds its entities, `[{text, label, start, end, confidence, unsure}]`. With
    `explain`, a sentence task adds `words`, `special`, `bias`, `exact` and `reason`: what adds up
    to each label's score before calibration.

    Args:
        model: What predicts.
        texts: Any number of sentences.
        explain: Whether to split the scores over the words.
        threshold: Below this confidence a prediction is unsure; None is each task's own.
        progress: Called after each batch.
        cancelled: Asked before each batch; True stops.

    Raises:
        ValueError: If a sentence is too long, or the threshold is not a probability.
        RuntimeError: If the model gives something else than numbers.
        CancelledError: If `cancelled` answered True.
    """
    check_lengths(texts)
    found = predict(
        model,
        texts,
        explain=explain,
        threshold=threshold,
        progress=progress,
        cancelled=cancelled,
    )
    return [_prediction_row(each, model.tasks, explain) for each in found]


def predict_in_chunks(
    model: MultiTaskModel,
    texts: Iterable[str],
    *,
    explain: bool = False,
    threshold: float | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Predict sentences as they are read, holding only some of them at a time.

    For the arguments and what is raised see `predict_document`, for `progress` see
    `encode_in_chunks`.

    Yields:
        The rows of some sentences, in the order of `texts`.
    """
    total = len(texts) if isinstance(texts, Sequence) else None
    done = 0
    for some in chunks(texts):
        check_lengths(some, first=done)
        report = _shifted(progress, done, total or done + len(some))
        yield predict_document(
            model, some, explain=explain, threshold=threshold, progress=report, cancelled=cancelled
        )
        done += len(some)


def _prediction_row(prediction: Prediction, tasks: Sequence[Task], explain: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"text": prediction.text}
    for task in tasks:
        if task.name in prediction.labels:
            said = prediction.labels[task.name]
            row[task.name] = {
                "label": said.label,
                "confidence": said.confidence,
                "unsure": said.unsure,
                "scores": said.scores,
                **(_explanation(said, task) if explain else {}),
            }
        else:
            row[task.name] = [
                {
                    "text": prediction.text[each.span.start : each.span.end],
                    "label": each.span.label,
                    "start": each.span.start,
                    "end": each.span.end,
                    "confidence": each.confidence,
                    "unsure": each.unsure,
                }
                for each in prediction.entities[task.name]
            ]
    notes = {"truncated": prediction.truncated, "unreadable": prediction.unreadable}
    return row | {name: True for name, told in notes.items() if told}


def _explanation(said: LabelPrediction, task: Task) -> dict[str, Any]:
    if said.words is None:
        return {"words": [], "exact": False, "reason": said.reason}

    def by_label(values: Tensor) -> dict[str, float]:
        return dict(zip(task.labels, values.tolist(), strict=True))

    pairs = zip(said.words.words, said.words.contributions, strict=True)
    return {
        "words": [
            {"text": w.text, "start": w.start, "end": w.end, "contributions": by_label(adds)}
            for w, adds in pairs
        ],
        "special": by_label(said.words.special),
        "bias": by_label(said.words.bias),
        "exact": True,
        "reason": "",
    }
