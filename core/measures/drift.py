"""How far one set of embeddings is from another of the same texts: arrays in, numbers out.

Drift needs no labels and is no loss: an embedding may move far and serve as well. What is lost is
measured in `core.knowledge.forgetting`.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NEIGHBOURS = 10


def linear_cka(one: Floats, other: Floats) -> float:
    """Return how alike two representations are, whatever their rotation, shift and scale.

    Args:
        one: (texts, dimension).
        other: Of the same texts, (texts, another dimension).

    Returns:
        0 to 1; 1 of two that are equal up to rotation, shift and scale. Where one of them says
        the same of all texts, 1 if both do, else 0.

    Raises:
        ValueError: If they are not of the same texts.

    Source:
        Kornblith et al. 2019, section 3 (arXiv:1905.00414).
    """
    one, other = _matched(one, other)
    sizes = [float(np.linalg.norm(each)) for each in (one, other)]
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)  # (texts, dimension) each
    scales = [float(np.linalg.norm(each)) for each in (one, other)]
    # A column of equal numbers keeps the rounding of its mean: that is no spread.
    flat = [scale <= 1e-12 * size for scale, size in zip(scales, sizes, strict=True)]
    if any(flat):
        return float(all(flat))
    one, other = one / scales[0], other / scales[1]  # large numbers would overflow when squared
    shared = float(np.square(other.T @ one).sum())
    alone = float(np.linalg.norm(one.T @ one) * np.linalg.norm(other.T @ other))
    return min(1.0, shared / alone)


def rank_agreement(one: Floats, other: Floats) -> float:
    """Return Spearman's correlation between two embeddings' cosines of all pairs of texts.

    Args:
        one: (texts, dimension).
        other: Of the same texts, (texts, another dimension).

    Raises:
        ValueError: If they are not of the same texts, or of fewer than three.
    """
    one, other = _matched(one, other, least=3)
    pairs = np.triu_indices(len(one), 1)
    return spearman(_cosines(one)[pairs], _cosines(other)[pairs])


def neighbours_kept(one: Floats, other: Floats, k: int = NEIGHBOURS) -> float:
    """Return how many of a text's k nearest neighbours by cosine stay its neighbours, on average.

    Args:
        one: (texts, dimension).
        other: Of the same texts, (texts, another dimension).
        k: How many; of fewer texts as many as there are besides it.

    Returns:
        0 to k.

    Raises:
        ValueError: If they are not of the same texts, or of fewer than two.
    """
    one, other = _matched(one, other, least=2)
    k = min(k, len(one) - 1)
    kept = 0
    nearest = [_nearest(_cosines(each), k) for each in (one, other)]
    for before, after in zip(*nearest, strict=True):
        kept += len(set(before.tolist()) & set(after.tolist()))
    return kept / len(one)


def spearman(one: Floats, other: Floats) -> float:
    """Return the correlation of two lists' ranks, equal values sharing the mean of theirs.

    Args:
        one: Values, (values,).
        other: Values, (values,).

    Returns:
        -1 to 1; 0 where one of them says the same of all.

    Raises:
        ValueError: If the lengths differ, or there are fewer than two.

    Source:
        Spearman 1904; ties as in Kendall 1948, Rank Correlation Methods, section 3.
    """
    if one.shape != other.shape or one.ndim != 1 or len(one) < 2:
        raise ValueError(f"lists are {one.shape} and {other.shape}, must be of one length from 2")
    weights = np.ones((1, len(one)))
    return float(weighted_spearman(one, other, weights)[0])


def weighted_spearman(one: Floats, other: Floats, weights: Floats) -> Floats:
    """Return Spearman's correlation for samples that hold each value so many times.

    Args:
        one: Values, (values,).
        other: Values, (values,).
        weights: How often each pair of values counts, whole numbers, (samples, values).

    Returns:
        (samples,); 0 where all values of a sample are equal.
    """
    ranks = [_weighted_ranks(each, weights) for each in (one, other)]  # (samples, values) each
    total = weights.sum(axis=1)  # (samples,)
    spreads = [each - ((weights * each).sum(axis=1) / total)[:, None] for each in ranks]
    shared = (weights * spreads[0] * spreads[1]).sum(axis=1)  # (samples,)
    alone = np.sqrt(
        (weights * spreads[0] ** 2).sum(axis=1) * (weights * spreads[1] ** 2).sum(axis=1)
    )  # (samples,)
    return np.divide(shared, alone, out=np.zeros_like(shared), where=alone > 0)


def _weighted_ranks(values: Floats, weights: Floats) -> Floats:
    """Rank values of which some occur several times, from 1, (samples, values)."""
    distinct, group = np.unique(values, return_inverse=True)  # (groups,), (values,)
    order = np.argsort(group, kind="stable")  # (values,)
    starts = np.searchsorted(group[order], np.arange(len(distinct)))  # (groups,)
    counts = np.add.reduceat(weights[:, order], starts, axis=1)  # (samples, groups)
    ends = counts.cumsum(axis=1)  # (samples, groups)
    return (ends - (counts - 1) / 2)[:, group]  # (samples, values): the mean of first and last


def _cosines(vectors: Floats) -> Floats:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)  # (texts, 1)
    unit = vectors / np.where(norms > 0, norms, 1)  # (texts, dimension)
    return unit @ unit.T  # (texts, texts)


def _nearest(cosines: Floats, k: int) -> NDArray[np.int64]:
    """Return each text's k nearest others, of equally near ones the earlier, (texts, k)."""
    cosines = cosines.copy()
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def _matched(one: Floats, other: Floats, least: int = 1) -> tuple[Floats, Floats]:
    if one.ndim != 2 or other.ndim != 2 or len(one) != len(other) or len(one) < least:
        given = f"{one.shape} and {other.shape}"
        raise ValueError(f"embeddings are {given}, must be of the same texts, {least} at least")
    return one.astype(np.float64), other.astype(np.float64)


def lost_in_words(mean: float, low: float, high: float) -> str:
    """Say what an encoder has lost of its sense of similarity, with its interval.

    Args:
        mean: Spearman's correlation with people's grades of pairs, pretrained less tuned.
        low: Of its 95 % interval.
        high: The same.
    """
    told, least, most = (f"{each:.3f}".replace("-", "−") for each in (mean, low, high))
    return f"{told} of the probe's Spearman correlation ({least} to {most})"
