"""How far a map can be believed: trustworthiness and continuity."""

from dataclasses import dataclass

import numpy as np

from core.maps.near import Asked, Floats, Integers, StoppedMapError, blocks, distances, prepared
from core.measures.metrics import Z95, Interval

MOST_MEASURED = 1_000
"""Points whose neighbourhoods are measured; of more a sample of so many, drawn by the seed."""


@dataclass(frozen=True, kw_only=True)
class MapQuality:
    """What a map keeps of the neighbourhoods among embeddings.

    Attributes:
        trustworthiness: 1 where all neighbours on the map are neighbours among embeddings.
        continuity: 1 where all neighbours among embeddings are neighbours on the map.
        neighbours: How many neighbours of each point were looked at.
        measured: Of how many points; of fewer than all, the intervals say what that leaves open.
        points: How many there are.
    """

    trustworthiness: Interval
    continuity: Interval
    neighbours: int
    measured: int
    points: int


def map_quality(
    vectors: Floats,
    places: Floats,
    metric: str,
    neighbours: int,
    *,
    seed: int = 0,
    most: int = MOST_MEASURED,
    cancelled: Asked | None = None,
) -> MapQuality:
    """Measure a map.

    Args:
        vectors: The embeddings, (points, dimension).
        places: Where the map shows them, (points, 2 or 3).
        metric: What near means among embeddings, one of `MAP_METRICS`.
        neighbours: How many of each point's neighbours to look at; fewer where there are too few
            points for so many.
        seed: Draws the points measured, where there are more than `most`.
        most: Measure at most so many points, against all.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If there are fewer than three points.
        StoppedMapError: If `cancelled` answered True.

    Source:
        Venna & Kaski 2001, Neighborhood preservation in nonlinear projection methods, equations
        1 and 2. Of equally near points none counts as nearer than the others.
    """
    points = len(vectors)
    if points < 3:
        raise ValueError(f"there are {points} points, must be at least 3 to measure a map of them")
    k = max(1, min(neighbours, (points - 1) // 2))
    rows = np.arange(points)
    if points > most:
        rows = np.sort(np.random.default_rng(seed).choice(points, most, replace=False))
    high, low = prepared(vectors, metric), prepared(places, "euclidean")
    untrue, missed = np.empty(len(rows)), np.empty(len(rows))
    for some in blocks(len(rows), points):
        if cancelled is not None and cancelled():
            raise StoppedMapError
        here = rows[some]
        far = distances(high[here], high, metric)  # (block, points)
        drawn = distances(low[here], low, "euclidean")  # (block, points)
        untrue[some] = _penalties(far, drawn, here, k)
        missed[some] = _penalties(drawn, far, here, k)
    scale = 2 * points / (points * k * (2 * points - 3 * k - 1))
    return MapQuality(
        trustworthiness=_interval(1 - scale * untrue, points),
        continuity=_interval(1 - scale * missed, points),
        neighbours=k,
        measured=len(rows),
        points=points,
    )


def _penalties(ranked: Floats, chosen: Floats, rows: Integers, k: int) -> "np.ndarray":
    """Sum up by how many ranks the k nearest of one space miss the k nearest of another, (rows,).

    Args:
        ranked: Distances in the space whose ranks count, (rows, points).
        chosen: Distances in the space whose neighbours are taken, (rows, points).
        rows: Which point each row is, (rows,).
        k: How many neighbours.
    """
    own = np.arange(len(rows))
    ranked[own, rows], chosen[own, rows] = -1.0, np.inf  # a point is no neighbour of itself
    near = np.argpartition(chosen, k - 1, axis=1)[:, :k]  # (rows, k)
    ordered = np.sort(ranked, axis=1)  # (rows, points), the point itself first
    sums = np.empty(len(rows))
    for row in own:  # how many are nearer, which counts the point itself: the rank from 1
        ranks = np.searchsorted(ordered[row], ranked[row, near[row]], side="left")  # (k,)
        sums[row] = np.maximum(ranks - k, 0).sum()
    ranked[own, rows], chosen[own, rows] = 0.0, 0.0
    return sums


def _interval(scores: "np.ndarray", points: int) -> Interval:
    """Average over the measured points; the interval is of the sample, and none of all points."""
    mean, measured = float(scores.mean()), len(scores)
    if measured == points:
        return Interval(mean=mean, low=mean, high=mean)
    left = (points - measured) / (points - 1)  # a sample without replacement
    half = Z95 * float(scores.std(ddof=1)) * (left / measured) ** 0.5
    return Interval(mean=mean, low=mean - half, high=min(1.0, mean + half))
