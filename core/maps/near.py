"""The nearest neighbours of embeddings, exactly, in NumPy alone: what maps are laid out by.

`core.measures.similarity` does the same in torch, which a process that only draws maps need not
load.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from core.config import MAP_METRICS, check_choice
from core.nearness import metric_named

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Asked = Callable[[], bool]
Report = Callable[[float], None]
"""Called with the share of the work that is done, 0 to 1."""

DISTANCES_AT_ONCE = 4_000_000
"""At most this many distances (16 MB) are held at a time."""


class StoppedMapError(Exception):
    """Raised out of the work on a map when its caller asked it to stop."""


def prepared(vectors: Floats, metric: str) -> Floats:
    """Bring vectors into the form that `distances` takes: of length one for cosine.

    Args:
        vectors: (points, dimension).
        metric: One of `MAP_METRICS`.

    Returns:
        The same in fp32, (points, dimension).

    Raises:
        ValueError: If the metric is unknown.
    """
    check_choice("metric", metric, MAP_METRICS)
    return metric_named(metric).prepared(vectors)


def distances(some: Floats, all_of_them: Floats, metric: str) -> Floats:
    """Return the distances of some vectors to all, (some, all); both as `prepared` gives them."""
    return metric_named(metric).distances(some, all_of_them)


def blocks(count: int, width: int) -> Iterator[slice]:
    """Cut rows so that a block of them beside `width` columns stays small."""
    size = max(1, DISTANCES_AT_ONCE // max(1, width))
    for start in range(0, count, size):
        yield slice(start, min(count, start + size))


def nearest(
    vectors: Floats,
    k: int,
    metric: str,
    *,
    queries: Floats | None = None,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> tuple[Integers, Floats]:
    """Find the k nearest of `vectors`, nearest first; of equally near ones the earlier.

    Args:
        vectors: What is searched, (points, dimension).
        k: How many, at most the points.
        metric: One of `MAP_METRICS`.
        queries: What to find neighbours of, (queries, dimension); None is every point itself,
            which then is its own nearest.
        progress: Called after each block.
        cancelled: Asked before each block; True stops.

    Returns:
        Indices and distances, (queries, k) each.

    Raises:
        StoppedMapError: If `cancelled` answered True.
    """
    found = prepared(vectors, metric)
    asked = found if queries is None else prepared(queries, metric)
    indices = np.empty((len(asked), k), dtype=np.int64)
    lengths = np.empty((len(asked), k), dtype=np.float32)
    for rows in blocks(len(asked), len(found)):
        if cancelled is not None and cancelled():
            raise StoppedMapError
        block = distances(asked[rows], found, metric)  # (block, points)
        if queries is None:
            block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = -1  # itself first
        indices[rows], lengths[rows] = _k_least(block, k)
        if progress is not None:
            progress(rows.stop / len(asked))
    return indices, lengths


def _k_least(block: Floats, k: int) -> tuple[Integers, Floats]:
    """Find the k least of each row, (block, points), in order; of equal ones the earlier."""
    some = np.argpartition(block, k - 1, axis=1)[:, :k]  # (block, k)
    some.sort(axis=1)
    near = np.take_along_axis(block, some, axis=1)  # (block, k)
    order = np.argsort(near, axis=1, kind="stable")  # (block, k)
    least = np.maximum(np.take_along_axis(near, order, axis=1), 0)  # (block, k)
    return np.take_along_axis(some, order, axis=1), least
