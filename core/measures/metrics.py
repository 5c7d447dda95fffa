"""How good predictions are: arrays in, numbers out, each with an interval where it has one."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.task import Span

Integers = NDArray[np.int64]
Z95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A figure with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ClassScores:
    """One label's precision, recall and F1, and how many rows truly have it."""

    precision: float
    recall: float
    f1: float
    rows: int


def confusion_matrix(true: Integers, predicted: Integers, classes: int) -> Integers:
    """Count true labels by predicted ones, (classes, classes).

    Raises:
        ValueError: If the lengths differ or a label is not in 0 … classes - 1.
    """
    if true.shape != predicted.shape or true.ndim != 1:
        raise ValueError(f"labels are {true.shape} and {predicted.shape}, must be of one length")
    both = np.concatenate([true, predicted])
    if both.size and not (both.min() >= 0 and both.max() < classes):
        raise ValueError(
            f"labels run from {both.min()} to {both.max()}, must be 0 to {classes - 1}"
        )
    counts = np.bincount(true * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)  # (classes, classes)


def accuracy(confusion: Integers) -> float:
    """Return the share of rows predicted right; NaN of no rows."""
    return float(np.trace(confusion) / confusion.sum()) if confusion.sum() else math.nan


def class_scores(confusion: Integers) -> list[ClassScores]:
    """Return each label's precision, recall and F1; a ratio of nothing counts as 0."""
    scores = []
    for label in range(len(confusion)):
        right = int(confusion[label, label])
        predicted, true = int(confusion[:, label].sum()), int(confusion[label].sum())
        precision = right / predicted if predicted else 0.0
        recall = right / true if true else 0.0
        f1 = f1_score(right, predicted, true)
        scores.append(ClassScores(precision=precision, recall=recall, f1=f1, rows=true))
    return scores


def f1_score(right: float, predicted: float, true: float) -> float:
    """Return F1 by how many are right, predicted and true; 0 where there is nothing at all."""
    return 2 * right / (predicted + true) if predicted + true else 0.0


def macro_f1(confusion: Integers) -> float:
    """Average F1 over the labels that occur, truly or as a prediction; NaN where none does."""
    scores = class_scores(confusion)
    occur = [s.f1 for i, s in enumerate(scores) if s.rows or confusion[:, i].sum()]
    return sum(occur) / len(occur) if occur else math.nan


def span_counts(
    true: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> tuple[int, int, int]:
    """Count spans over all texts: those predicted right (start, end and label), true, predicted.

    Raises:
        ValueError: If the lengths differ.
    """
    right = wanted = found = 0
    for these, those in zip(true, predicted, strict=True):
        right += len(set(these) & set(those))
        wanted += len(set(these))
        found += len(set(those))
    return right, wanted, found


def span_scores(true: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]) -> ClassScores:
    """Score predicted spans strictly: the same start, end and label, or it is wrong.

    Returns:
        Precision, recall and F1 over all texts together (micro), and how many spans there are.

    Raises:
        ValueError: If the lengths differ.

    Source:
        Tjong Kim Sang & De Meulder 2003, section 2 (CoNLL-2003, cs/0306050).
    """
    right, wanted, found = span_counts(true, predicted)
    return ClassScores(
        precision=right / found if found else 0.0,
        recall=right / wanted if wanted else 0.0,
        f1=f1_score(right, found, wanted),
        rows=wanted,
    )


def wilson_interval(right: int, rows: int) -> Interval:
    """Return a share with its 95 % interval, which stays inside 0 to 1.

    Raises:
        ValueError: If there are no rows, or more right ones than rows.

    Source:
        Wilson 1927, "Probable inference", p. 209, equation 1.
    """
    if not 0 <= right <= rows or rows == 0:
        raise ValueError(
            f"{right} of {rows} rows: must be some rows, and at most all of them right"
        )
    share = right / rows
    scale = 1 + Z95**2 / rows
    middle = (share + Z95**2 / (2 * rows)) / scale
    half = Z95 * math.sqrt(share * (1 - share) / rows + Z95**2 / (4 * rows**2)) / scale
    return Interval(mean=share, low=max(0.0, middle - half), high=min(1.0, middle + half))


def bootstrap_interval(
    score: Callable[[Integers], float], rows: int, *, samples: int = 1000, seed: int = 0
) -> Interval:
    """Return any score with its 95 % percentile interval over rows drawn again.

    Args:
        score: Takes the indices of some rows, with repetitions, and gives their score.
        rows: How many rows there are.
        samples: How often to draw.
        seed: Makes the draws repeatable.

    Raises:
        ValueError: If there are no rows.

    Source:
        Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.
    """
    if rows < 1:
        raise ValueError("there are no rows, must be at least one")
    generator = np.random.default_rng(seed)
    draws = [score(generator.integers(0, rows, rows)) for _ in range(samples)]
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return Interval(mean=score(np.arange(rows)), low=float(low), high=float(high))


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float:
    """Return how far two labellings agree beyond chance: 1 fully, 0 as chance would.

    Raises:
        ValueError: If they are empty or of different lengths.

    Source:
        Cohen 1960, "A coefficient of agreement for nominal scales", equation 1.
    """
    if len(first) != len(second) or not first:
        raise ValueError(f"labellings have {len(first)} and {len(second)} rows, must match")
    labels = sorted(set(first) | set(second), key=str)
    number = {label: index for index, label in enumerate(labels)}
    table = confusion_matrix(
        np.array([number[each] for each in first]),
        np.array([number[each] for each in second]),
        len(labels),
    )
    agreed = accuracy(table)
    chance = float((table.sum(axis=1) * table.sum(axis=0)).sum() / table.sum() ** 2)
    return 1.0 if chance == 1.0 else (agreed - chance) / (1 - chance)
