"""How alike embeddings are: matrices, ranked pairs and search.

A score is higher for what is more alike; distances are negated, as sentence-transformers does.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from core.config import METRICS, check_choice
from core.nearness import metric_named

SCORES_AT_ONCE = 4_000_000
"""Search holds at most this many scores (16 MB) at a time, whatever the length of the list."""


class Pair(NamedTuple):
    """Two sentences, by index, and how alike they are."""

    a: int
    b: int
    score: float


class Hit(NamedTuple):
    """A sentence of the searched list, by position, and its score."""

    position: int
    score: float


def similarity_matrix(a: Tensor, b: Tensor | None = None, metric: str = "cosine") -> Tensor:
    """Score every row of `a` against every row of `b`.

    Args:
        a: Embeddings, (sentences, dimension).
        b: Other embeddings, (others, dimension); `a` again if None.
        metric: One of `METRICS`; a distance comes back negated.

    Returns:
        Scores, (sentences, others). The cosine of a zero vector with anything is 0.

    Raises:
        ValueError: If the metric is unknown or the dimensions differ.
    """
    check_choice("metric", metric, METRICS)
    b = a if b is None else b
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        given = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"embeddings are {given}, must be two matrices of one dimension")
    return metric_named(metric).scores(a, b)  # (sentences, others)


def ranked_pairs(matrix: Tensor) -> list[Pair]:
    """List every pair of different sentences, the most alike first; ties in reading order.

    Args:
        matrix: Scores of a list against itself, (sentences, sentences).

    Raises:
        ValueError: If the matrix is not square.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            f"matrix is {tuple(matrix.shape)}, must be square: one list against itself"
        )
    rows, columns = torch.triu_indices(len(matrix), len(matrix), offset=1)  # (pairs,) each
    scores = matrix[rows, columns]  # (pairs,)
    order = torch.argsort(scores, descending=True, stable=True)  # (pairs,)
    listed = zip(rows[order].tolist(), columns[order].tolist(), scores[order].tolist(), strict=True)
    return [Pair(a, b, score) for a, b, score in listed]


def top_k(queries: Tensor, corpus: Tensor, k: int, metric: str = "cosine") -> list[list[Hit]]:
    """Find the k rows of a list that are most like each query, best first.

    The list is scored in blocks and only the best so far are kept, so that 100,000 queries
    against 100,000 sentences never need the whole matrix.

    Args:
        queries: Embeddings, (queries, dimension).
        corpus: Embeddings to search, (sentences, dimension).
        k: How many to return; fewer come back from a shorter list.
        metric: One of `METRICS`.

    Returns:
        For each query its hits, best first; ties go to the earlier sentence.

    Raises:
        ValueError: If k is not positive, the metric is unknown or the dimensions differ.
    """
    if not k > 0:
        raise ValueError(f"k is {k}, must be at least 1: how many hits to return")
    hits: list[list[Hit]] = []
    for some in torch.split(queries, 1024):
        indices, scores = _best_of(some, corpus, min(k, len(corpus)), metric)
        for row, row_scores in zip(indices.tolist(), scores.tolist(), strict=True):
            hits.append([Hit(i, s) for i, s in zip(row, row_scores, strict=True)])
    return hits


def _best_of(queries: Tensor, corpus: Tensor, k: int, metric: str) -> tuple[Tensor, Tensor]:
    """Return the indices and scores of each query's best k, (queries, k) each."""
    indices = torch.empty(len(queries), 0, dtype=torch.int64, device=queries.device)
    scores = queries.new_empty(len(queries), 0)
    for start, block in _blocks(corpus, SCORES_AT_ONCE // max(1, len(queries))):
        found = similarity_matrix(queries, block, metric)  # (queries, block)
        places = _highest(found, min(k, found.shape[1]))  # (queries, some)
        scores = torch.cat([scores, found.gather(1, places)], dim=1)  # (queries, kept + some)
        indices = torch.cat([indices, places + start], dim=1)  # (queries, kept + some)
        # Stable, and earlier blocks stand first: of equal scores the earlier sentence wins.
        best = torch.argsort(scores, dim=1, descending=True, stable=True)[:, :k]  # (queries, k)
        scores, indices = scores.gather(1, best), indices.gather(1, best)  # (queries, k) each
    return indices, scores


def _highest(scores: Tensor, k: int) -> Tensor:
    """Return where each row's k highest scores are, best first; of equal ones the earlier.

    `topk` alone is many times faster than a stable sort, but promises nothing about ties: the
    rows where a tie decides who is in are sorted.
    """
    values, places = scores.topk(k, dim=1)  # (queries, k) each
    tied = (scores >= values[:, -1:]).sum(dim=1) > k  # (queries,)
    if tied.any():
        order = torch.argsort(scores[tied], dim=1, descending=True, stable=True)
        places[tied] = order[:, :k]
    places = places.sort(dim=1).values  # (queries, k), in reading order, for the stable sort
    order = torch.argsort(scores.gather(1, places), dim=1, descending=True, stable=True)
    return places.gather(1, order)  # (queries, k)


def _blocks(rows: Tensor, size: int) -> Iterator[tuple[int, Tensor]]:
    size = max(1, size)
    for start in range(0, len(rows), size):
        yield start, rows[start : start + size]  # (block, dimension)
