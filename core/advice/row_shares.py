"""What each row adds to a score, and its share in it.

Every score is a mean of ratios of sums over rows. So one linearisation gives each row's share in
any of them.

Source:
    Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans, section 6.1 (the
    infinitesimal jackknife); Agresti & Min 2005, doi:10.1002/sim.1781 (half a row each way).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.advice.held_out import TaskPredictions
from core.measures.scores import Floats, main_score

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
    own = main_score(said.task.of_kind, score)
    right, total = own.ratios(said.actual, said.predicted, said.task.labels)
    labelled = np.array([actual is not None for actual in said.actual], dtype=bool)
    kept = np.argsort(places)  # (tested rows,)
    kept = kept[labelled[kept]]  # (rows,)
    return RowCounts(
        places=places[kept],
        right=right[kept],
        total=total[kept],
        step=own.step,
    )


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
