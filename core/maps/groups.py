"""Groups of sentences that nobody named: by k-means of embeddings, by density of a map."""

from collections import Counter

import numpy as np

from core.maps.near import Floats, Integers, prepared

NO_GROUP = -1
SHARE_OF_A_GROUP = 0.01
"""A dense group has at least this share of the points, and at least five of them."""


def k_means_groups(
    vectors: Floats, groups: int, *, metric: str = "cosine", seed: int = 0
) -> Integers:
    """Part embeddings into groups of what is near each other; the largest is group 0.

    Args:
        vectors: One embedding a point, (points, dimension).
        groups: How many, at least 2.
        metric: One of `MAP_METRICS`; k-means measures the Euclidean distance, for cosine that of
            embeddings of length one.
        seed: Draws where it starts.

    Returns:
        Each point's group, (points,).

    Raises:
        ValueError: If there are fewer points than groups, or fewer than two groups are asked for.
    """
    if not 2 <= groups <= len(vectors):
        raise ValueError(
            f"groups is {groups}, must be 2 to {len(vectors):,}: there are as many points"
        )
    from sklearn.cluster import KMeans

    given = prepared(vectors, metric)
    different = len(np.unique(given, axis=0))
    found = KMeans(n_clusters=min(groups, different), n_init=3, random_state=seed).fit(given)
    return by_size(np.asarray(found.labels_, dtype=np.int64))


def dense_groups(places: Floats) -> Integers:
    """Find the groups that a map shows, as dense regions; the largest is group 0.

    Args:
        places: Where the map shows each point, (points, 2 or 3).

    Returns:
        Each point's group, `NO_GROUP` for one that stands apart, (points,).

    Source:
        HDBSCAN: Campello, Moulavi & Sander 2013.
    """
    least = max(5, round(SHARE_OF_A_GROUP * len(places)))
    if len(places) < 2 * least:
        return np.full(len(places), NO_GROUP, dtype=np.int64)
    from sklearn.cluster import HDBSCAN

    found = HDBSCAN(min_cluster_size=least, min_samples=5, copy=True).fit(places)
    return by_size(np.asarray(found.labels_, dtype=np.int64))


def by_size(labels: Integers) -> Integers:
    """Number groups anew, the largest first; what is in no group stays so."""
    counts = Counter(label for label in labels.tolist() if label >= 0)
    order = {old: new for new, (old, _) in enumerate(counts.most_common())}
    return np.array([order.get(label, NO_GROUP) for label in labels.tolist()], dtype=np.int64)
