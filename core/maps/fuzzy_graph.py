"""UMAP's graph of who is near whom, in NumPy: umap-learn's own needs seconds of compiling first.

Source:
    McInnes, Healy & Melville 2018, UMAP, algorithms 2 and 3 (arXiv:1802.03426).
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from core.maps.near import Floats, Integers

if TYPE_CHECKING:
    from scipy.sparse import coo_matrix

BISECTIONS = 64
SMALLEST_SCALE = 1e-3
"""A neighbourhood's scale is at least this share of its mean distance."""


def membership(lengths: Floats, *, connected: bool) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Say how far each neighbour belongs to a point's neighbourhood, 0 to 1.

    Args:
        lengths: Distances of the k nearest, nearest first, (points, k).
        connected: Whether the nearest that is not the same always belongs wholly.

    Returns:
        Weights, (points, k), which add up to log2 k without the first.

    Source:
        Algorithm 3; umap-learn 0.5's `smooth_knn_dist`, whose numbers these are.
    """
    far = lengths.astype(np.float64)  # (points, k)
    apart = np.where(far > 0, far, np.inf).min(axis=1)  # (points,)
    offset = np.where(connected & np.isfinite(apart), apart, 0.0)  # (points,)
    beyond = np.maximum(far - offset[:, None], 0)  # (points, k)
    low, high = np.zeros(len(far)), np.full(len(far), np.inf)
    scale = np.ones(len(far))
    target = np.log2(far.shape[1])
    for _ in range(BISECTIONS):
        total = np.exp(-beyond[:, 1:] / scale[:, None]).sum(axis=1)  # (points,)
        above = total > target
        high, low = np.where(above, scale, high), np.where(above, low, scale)
        scale = np.where(np.isinf(high), scale * 2, (low + high) / 2)
        scale = np.clip(scale, 1e-300, 1e300)  # neighbours as near as can be need no scale
    least = np.where(offset > 0, far.mean(axis=1), far.mean()) * SMALLEST_SCALE
    scale = np.maximum(scale, least)
    return np.exp(-beyond / np.where(scale == 0, 1, scale)[:, None])  # (points, k)


def fuzzy_graph(indices: Integers, lengths: Floats) -> "coo_matrix":
    """Join the neighbourhoods of all points into one graph.

    Args:
        indices: Each point's k nearest, itself first, (points, k).
        lengths: Their distances, (points, k).

    Returns:
        Weights of edges, 0 to 1, symmetric, (points, points).

    Source:
        Algorithm 1, line 5: the probability that at least one direction of an edge exists.
    """
    from scipy.sparse import coo_matrix

    points, k = indices.shape
    weights = membership(lengths, connected=True)
    weights[indices == np.arange(points)[:, None]] = 0  # nobody is near itself
    rows = np.repeat(np.arange(points), k)  # (points · k,)
    one_way = coo_matrix((weights.ravel(), (rows, indices.ravel())), shape=(points, points))
    one_way = one_way.tocsr()
    one_way.eliminate_zeros()
    back = one_way.T.tocsr()
    both = (one_way + back - one_way.multiply(back)).tocoo()
    both.sum_duplicates()
    return both
