"""Probabilities that mean what they say: a temperature, its error, and when to say "unsure".

Everything here is fitted and measured on rows that the head did not train on.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.task import IGNORED

COLDEST, HOTTEST = 0.05, 20.0
"""The range of temperatures: a head that is never wrong would ask for 0, and so for certainty."""

LEAST_ROWS = 10
"""With fewer labelled rows a temperature would be noise, and a threshold rest on a few of them."""

KEPT_SHARE = 0.2
"""A threshold that keeps less of the rows than this is judged by too few to be believed."""

KEPT_SHARE_BELOW = 0.5
"""What to keep at least where no threshold reaches the accuracy asked for."""

CURVE_POINTS = 100


@dataclass(frozen=True, kw_only=True)
class CoveragePoint:
    """What is left, and how good it is, when less confident predictions are called unsure.

    Attributes:
        threshold: The least confidence that is kept.
        coverage: The share of rows kept.
        accuracy: The share of the kept rows that are right.
    """

    threshold: float
    coverage: float
    accuracy: float


def fit_temperature(scores: Tensor, labels: Tensor) -> float:
    """Find the T for which the softmax of `scores / T` costs held-out labels least.

    The mean cross-entropy is convex in 1 / T, so its slope crosses zero once at most: bisection
    always finds the place, and the same one every time. No prediction changes, as dividing by T
    keeps the order of the classes.

    Args:
        scores: What the head says, before the softmax, (rows, classes).
        labels: Class numbers; rows of `IGNORED` count for nothing, (rows,).

    Returns:
        T between `COLDEST` and `HOTTEST`; above 1 the head was too sure of itself. 1.0, which
        changes nothing, where the labels cannot tell: fewer than `LEAST_ROWS` of them, or all of
        one class, or scores that say the same of every class.

    Raises:
        ValueError: If the shapes differ, a label is out of range or a score is not finite.

    Source:
        Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4.2
        (arXiv:1706.04599).
    """
    scores, labels = _labelled(scores, labels, "scores")
    if len(labels) < LEAST_ROWS or len(labels.unique()) < 2:
        return 1.0
    scores = scores - scores.gather(1, labels[:, None])  # (rows, classes); the true class is 0
    if not bool(scores.any()):
        return 1.0

    def slope(log_inverse: float) -> float:
        """Give the cost's derivative in 1 / T: how far the expected score is above the true one."""
        shares = F.softmax(scores * math.exp(log_inverse), dim=1)  # (rows, classes)
        return float((shares * scores).sum(dim=1).mean())

    low, high = -math.log(HOTTEST), -math.log(COLDEST)
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    for _ in range(60):  # halves log(1 / T)'s range to below fp64's own precision
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return math.exp(-(low + high) / 2)


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = 15) -> float:
    """Measure how far confidence lies from accuracy: 0 where 80 % sure is right 80 % of the time.

    Predictions are put into bins of equal width by the probability of the best class. Each bin
    counts by its rows, with the distance of its mean confidence from its accuracy.

    Args:
        probabilities: Of each class, (rows, classes).
        labels: Class numbers; rows of `IGNORED` count for nothing, (rows,).
        bins: How many; bin m holds confidences above (m - 1) / bins, up to m / bins.

    Returns:
        The error as a share, 0 to 1; NaN of no rows.

    Raises:
        ValueError: If the shapes differ, a label or probability is out of range, or `bins` is
            not positive.

    Source:
        Guo et al. 2017, equation 3 (arXiv:1706.04599); Naeini et al. 2015.
    """
    if not bins > 0:
        raise ValueError(f"bins is {bins}, must be at least 1")
    probabilities, labels = _labelled(probabilities, labels, "probabilities")
    if len(labels) == 0:
        return math.nan
    if not bool(((probabilities >= 0) & (probabilities <= 1 + 1e-6)).all()):
        raise ValueError("a probability is not between 0 and 1: give the softmax of the scores")
    confidence, best = probabilities.max(dim=1)  # (rows,) each
    edges = torch.arange(1, bins, dtype=confidence.dtype) / bins  # (bins - 1,)
    places = torch.bucketize(confidence, edges)  # (rows,)
    gaps = confidence - (best == labels).to(confidence.dtype)  # (rows,)
    sums = torch.zeros(bins, dtype=gaps.dtype).index_add(0, places, gaps)  # (bins,)
    return float(sums.abs().sum() / len(labels))


def coverage_curve(confidence: Tensor, right: Tensor) -> list[CoveragePoint]:
    """Follow accuracy as ever fewer, ever surer predictions are kept.

    Args:
        confidence: The probability of each row's predicted class, (rows,).
        right: Whether the prediction is right, (rows,).

    Returns:
        At most `CURVE_POINTS` points by rising threshold, even in coverage: the first keeps all
        rows, the last the surest. Rows of one confidence are kept together. Empty of no rows.

    Raises:
        ValueError: If the shapes differ or a confidence is not between 0 and 1.
    """
    every = _all_thresholds(confidence, right)
    if len(every) <= CURVE_POINTS:
        return every
    points, last = [], -1
    for point in every:
        step = int((1 - point.coverage) * (CURVE_POINTS - 1))  # 0 to CURVE_POINTS - 2
        if step > last or point is every[-1]:
            points.append(point)
            last = step
    return points


def choose_threshold(confidence: Tensor, right: Tensor, *, accuracy: float = 0.9) -> float:
    """Choose below which confidence a prediction is called unsure.

    The rule: the lowest threshold at which the rows kept reach `accuracy`, among those that keep
    at least `KEPT_SHARE` of the rows and `LEAST_ROWS` of them, so that a handful of sure rows
    at the end of the curve cannot win by luck. Where none reaches it: the most accurate threshold
    that keeps at least `KEPT_SHARE_BELOW`, and of equally accurate ones the lowest.

    Args:
        confidence: The probability of each row's predicted class, (rows,).
        right: Whether the prediction is right, (rows,).
        accuracy: What the rows kept should reach, a share.

    Returns:
        A confidence to compare with `>=`, midway to the next lower one seen, so that rounding
        moves no row over it; 0.0 where all rows reach the accuracy, or there are too few rows to
        leave any out.

    Raises:
        ValueError: If the shapes differ, or a confidence or `accuracy` is not between 0 and 1.
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy is {accuracy}, must be a share from 0 to 1")
    points = _all_thresholds(confidence, right)
    least = LEAST_ROWS / max(1, len(confidence))
    some = [p for p in points if p.coverage >= max(KEPT_SHARE, least)]
    reached = [p for p in some if p.accuracy >= accuracy]
    many = [p for p in points if p.coverage >= max(KEPT_SHARE_BELOW, least)]
    best = reached[0] if reached else max(many, key=lambda p: p.accuracy, default=None)
    if best is None or best is points[0]:
        return 0.0
    below = points[points.index(best) - 1]
    return (best.threshold + below.threshold) / 2


def _all_thresholds(confidence: Tensor, right: Tensor) -> list[CoveragePoint]:
    """Give one point for every confidence that occurs, by rising threshold."""
    if confidence.ndim != 1 or confidence.shape != right.shape:
        given = f"{tuple(confidence.shape)} and {tuple(right.shape)}"
        raise ValueError(f"confidence and right are {given}, must both be (rows,)")
    if len(confidence) == 0:
        return []
    confidence = confidence.detach().cpu().double()  # (rows,)
    if not bool(((confidence >= 0) & (confidence <= 1 + 1e-6)).all()):
        raise ValueError("a confidence is not between 0 and 1: give probabilities")
    thresholds, places = confidence.unique(return_inverse=True)  # (thresholds,), (rows,)
    rows = torch.bincount(places)  # (thresholds,)
    good = torch.bincount(places, weights=right.detach().cpu().double())  # (thresholds,)
    kept = rows.flip(0).cumsum(dim=0).flip(0)  # (thresholds,)
    correct = good.flip(0).cumsum(dim=0).flip(0)  # (thresholds,)
    return [
        CoveragePoint(threshold=threshold, coverage=count / len(confidence), accuracy=hits / count)
        for threshold, count, hits in zip(
            thresholds.tolist(), kept.tolist(), correct.tolist(), strict=True
        )
    ]


def _labelled(values: Tensor, labels: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Check one value per class and one label a row; return the labelled rows in fp64."""
    if values.ndim != 2 or labels.shape != values.shape[:1]:
        given = f"{tuple(values.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"{name} and labels are {given}, must be (rows, classes) and (rows,)")
    labels = labels.detach().cpu()  # (rows,)
    kept = labels != IGNORED  # (rows,)
    values, labels = values.detach().cpu()[kept].double(), labels[kept].long()  # the labelled rows
    if not bool(values.isfinite().all()):
        raise ValueError(f"{name} hold a value that is no finite number: the head has diverged")
    if len(labels) and not (int(labels.min()) >= 0 and int(labels.max()) < values.shape[1]):
        wrong = f"{int(labels.min())} to {int(labels.max())}"
        raise ValueError(f"labels run from {wrong}, must be 0 to {values.shape[1] - 1}")
    return values, labels
