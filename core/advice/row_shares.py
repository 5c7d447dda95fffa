"""What each row adds to a score, and its share in it.

Every score here is a mean of ratios of sums over rows: accuracy is right over rows, F1 of a class
2 · right over true and predicted, strict span F1 the same over spans. So one linearisation gives
each row's share in any of them.

Source:
    Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, section 6.1 (the
    infinitesimal jackknife); Agresti & Min 2005, doi:10.1002/sim.1781 (half a row each way).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.advice.held_out import TaskPredictions

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class RowCounts:
    """What one run, or the mean over runs, gives for each labelled row of a task that it tested.

    Attributes:
        places: Of the rows in the data, ascending, (rows,).
        right: What counts for the strategy, (rows, columns).
        total: What it is divided by, summed over rows, (rows, columns).
        step: What one row or span more that is right adds to `right`.
    """

    places: Places
    right: Floats
    total: Floats
    step: float


def count_rows(said: TaskPredictions, places: Places, score: str) -> RowCounts:
    """Count what each labelled row of a task adds to a score.

    Args:
        said: What a run said of the rows that it tested.
        places: Of those rows in the data, in the same order, (tested rows,).
        score: One of `SCORES`; a token task always has strict span F1.
    """
    right, total = _ratios(said, score)
    labelled = np.array([actual is not None for actual in said.actual], dtype=bool)
    kept = np.argsort(places)  # (tested rows,)
    kept = kept[labelled[kept]]  # (rows,)
    return RowCounts(
        places=places[kept],
        right=right[kept],
        total=total[kept],
        step=1.0 if said.task.kind == "sentence" and score == "accuracy" else 2.0,
    )


def _ratios(said: TaskPredictions, score: str) -> tuple[Floats, Floats]:
    """Give each row's numerators and denominators of a score, (rows, columns) each."""
    rows = len(said.actual)
    if said.task.kind == "token":
        right, total = np.zeros((rows, 1)), np.zeros((rows, 1))
        for row, (actual, predicted) in enumerate(zip(said.actual, said.predicted, strict=True)):
            true = set(actual) if isinstance(actual, tuple) else set()
            found = set(predicted) if isinstance(predicted, tuple) else set()
            right[row], total[row] = 2 * len(true & found), len(true) + len(found)
        return right, total
    if score == "accuracy":
        wrong = np.array([bool(each) for each in said.wrong], dtype=np.float64)
        return 1.0 - wrong[:, None], np.ones((rows, 1))
    number = {label: column for column, label in enumerate(said.task.labels)}
    right, total = np.zeros((rows, len(number))), np.zeros((rows, len(number)))
    for row, (actual, predicted) in enumerate(zip(said.actual, said.predicted, strict=True)):
        if isinstance(actual, str) and isinstance(predicted, str):
            total[row, number[actual]] += 1
            total[row, number[predicted]] += 1
            right[row, number[actual]] += 2 * (actual == predicted)
    return right, total


def pool_runs(runs: Iterable[Mapping[str, RowCounts]]) -> dict[str, RowCounts]:
    """Average over runs, row by row.

    Args:
        runs: Each run's counts by task; any may lack any row.

    Returns:
        By task, the mean over the runs that tested a row.
    """
    by_task: dict[str, list[RowCounts]] = {}
    for run in runs:
        for task, each in run.items():
            by_task.setdefault(task, []).append(each)
    pooled = {}
    for task, some in by_task.items():
        places, counts = np.unique(np.concatenate([e.places for e in some]), return_counts=True)
        right = np.zeros((len(places), some[0].right.shape[1]))  # (rows, columns)
        total = np.zeros_like(right)  # (rows, columns)
        for each in some:  # within a run every row is there once
            at = np.searchsorted(places, each.places)  # (the run's rows,)
            right[at] += each.right
            total[at] += each.total
        runs_of = counts[:, None]  # (rows, 1)
        pooled[task] = RowCounts(
            places=places, right=right / runs_of, total=total / runs_of, step=some[0].step
        )
    return pooled


def row_shares(counts: RowCounts, rows: Places) -> tuple[float, Floats, float]:
    """Return a score on some rows, each one's share in it, (rows,), and half a row's variance.

    A column that no row has counts for nothing, as in `core.measures.metrics.macro_f1`.

    Args:
        counts: What all rows add to it.
        rows: Places of some of those, ascending, (rows,).
    """
    at = np.searchsorted(counts.places, rows)  # (rows,)
    right, total = counts.right[at], counts.total[at]  # (rows, columns) each
    sums = total.sum(axis=0)  # (columns,)
    some = sums > 0
    if not some.any():
        return 0.0, np.zeros(len(right)), 1.0
    sums, right, total = sums[some], right[:, some], total[:, some]
    ratios = right.sum(axis=0) / sums  # (columns,)
    columns = len(sums)
    shares = ((right - ratios * total) / sums).sum(axis=1) / columns  # (rows,)
    # One row, or span, that turns from wrong to right adds this much, weighed by where rows are.
    worth = counts.step / sums / columns  # (columns,)
    flip = float((sums / sums.sum() * worth**2).sum())
    return float(ratios.mean()), shares, flip
