"""A strategy's figures over all rows that it was tested on, with intervals and paired differences.

Rows are drawn again, not predictions: a row that several seeds tested counts once as a unit. All
figures come from the same draws, so that a difference between two strategies is paired row by row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.held_out import HeldOut
from core.metrics import Interval
from core.task import Label, Task

SAMPLES = 1000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What a strategy's runs got right of one task, row by row, over all runs that tested a row.

    Attributes:
        task: Which.
        counts: Of a sentence task each row's true label by its predicted one, flattened,
            (rows, labels * labels); of a token task spans that are right, and spans there and
            predicted together, (rows, 2).
    """

    task: Task
    counts: Floats

    def figures(self, weights: Floats) -> dict[str, Floats]:
        """Score rows that count so often each.

        Args:
            weights: (draws, rows).

        Returns:
            By metric, (draws,); NaN where a draw holds no labelled row.
        """
        sums = weights @ self.counts  # (draws, cells)
        with np.errstate(invalid="ignore", divide="ignore"):
            if self.task.kind == "token":
                right, total = sums[:, 0], sums[:, 1]  # (draws,) each
                return {"f1": np.where(total > 0, 2 * right / total, 0.0)}
            labels = len(self.task.labels)
            confusion = sums.reshape(len(sums), labels, labels)  # (draws, labels, labels)
            right = np.diagonal(confusion, axis1=1, axis2=2)  # (draws, labels)
            either = confusion.sum(axis=1) + confusion.sum(axis=2)  # (draws, labels)
            occur = either > 0  # (draws, labels)
            f1 = np.where(occur, 2 * right / either, 0.0)  # (draws, labels)
            return {
                "accuracy": right.sum(axis=1) / confusion.sum(axis=(1, 2)),
                "macro_f1": f1.sum(axis=1) / occur.sum(axis=1),
            }


class Scored:
    """The figures of some strategies' runs, all from the same draws of the same rows.

    Args:
        held_out: The runs, of any strategies.
        rows: How many rows the data has.
        score: `accuracy` or `macro-f1`: what counts of a sentence task.
    """

    def __init__(self, held_out: Sequence[HeldOut], rows: int, score: str = "accuracy") -> None:
        self._records = list(held_out)
        self._rows = rows
        self._score = score.replace("-", "_")
        tested = sorted({row for each in held_out for row in each.rows})
        generator = np.random.default_rng(0)
        draws = generator.multinomial(len(tested), [1 / max(1, len(tested))] * len(tested), SAMPLES)
        self._weights = np.zeros((SAMPLES + 1, rows))  # the first draw is the rows themselves
        self._weights[0, tested] = 1
        self._weights[1:, tested] = draws
        self._kept: dict[tuple[str, frozenset[int] | None], dict[str, dict[str, Floats]]] = {}

    def seeds(self, strategy: str) -> frozenset[int]:
        """Say which seeds of a strategy have run."""
        return frozenset(each.seed for each in self._records if each.strategy == strategy)

    def figures(self, strategy: str) -> dict[str, dict[str, Interval | None]]:
        """Score a strategy on all rows it has tested: by task and metric; None where none has."""
        return {
            task: {metric: _interval(draws) for metric, draws in by.items()}
            for task, by in self._draws(strategy).items()
        }

    def mean(self, strategy: str) -> Interval | None:
        """Score a strategy over its tasks, unweighted; None where no tested row has a label."""
        return _interval(_mean(self._main(strategy, None)))

    def difference(
        self, strategy: str, other: str
    ) -> tuple[Interval | None, dict[str, Interval | None]] | None:
        """Compare two strategies on the rows that both have tested, row by row.

        Returns:
            The difference of their means, and of each task; None where no seed has run of both.
        """
        common = self.seeds(strategy) & self.seeds(other)
        if not common:
            return None
        one, two = self._main(strategy, common), self._main(other, common)
        shared = [task for task in one if task in two]
        by_task = {task: _interval(one[task] - two[task]) for task in shared}
        both = _mean({t: one[t] for t in shared}) - _mean({t: two[t] for t in shared})
        return _interval(both), by_task

    def _main(self, strategy: str, seeds: frozenset[int] | None) -> dict[str, Floats]:
        found = self._draws(strategy, seeds)
        return {task: by["f1" if "f1" in by else self._score] for task, by in found.items()}

    def _draws(
        self, strategy: str, seeds: frozenset[int] | None = None
    ) -> dict[str, dict[str, Floats]]:
        key = (strategy, seeds)
        if key not in self._kept:
            own = [
                each
                for each in self._records
                if each.strategy == strategy and (seeds is None or each.seed in seeds)
            ]
            counted = count(own, self._rows)
            self._kept[key] = {task: each.figures(self._weights) for task, each in counted.items()}
        return self._kept[key]


def count(records: Sequence[HeldOut], rows: int) -> dict[str, Counted]:
    """Count what some runs got right, by task and row.

    Args:
        records: Runs of one strategy.
        rows: How many rows the data has.
    """
    tasks = {name: each.task for record in records for name, each in record.tasks.items()}
    found = {}
    for name, task in tasks.items():
        number = {label: place for place, label in enumerate(task.labels)}
        cells = len(number) ** 2 if task.kind == "sentence" else 2
        counts = np.zeros((rows, cells))
        for record in records:
            said = record.tasks[name]
            for row, true, predicted in zip(record.rows, said.actual, said.predicted, strict=True):
                _count(counts[row], number, true, predicted)
        found[name] = Counted(task=task, counts=counts)
    return found


def _count(cells: Floats, number: Mapping[str, int], true: Label, predicted: Label) -> None:
    if isinstance(true, str) and isinstance(predicted, str):
        cells[number[true] * len(number) + number[predicted]] += 1
    elif isinstance(true, tuple) and isinstance(predicted, tuple):
        cells[0] += len(set(true) & set(predicted))
        cells[1] += len(set(true)) + len(set(predicted))


def _mean(by_task: Mapping[str, Floats]) -> Floats:
    """Average over the tasks that some row of theirs was tested of, (draws,)."""
    some = [each for each in by_task.values() if np.isfinite(each[0])]
    return np.mean(some, axis=0) if some else np.full(SAMPLES + 1, np.nan)  # (draws,)


def _interval(draws: Floats) -> Interval | None:
    """Take the first draw for the figure, and the middle 95 % of the others for its interval."""
    if not np.isfinite(draws[0]):
        return None
    some = draws[1:][np.isfinite(draws[1:])]
    low, high = np.percentile(some, [2.5, 97.5]) if len(some) else (draws[0], draws[0])
    return Interval(mean=float(draws[0]), low=float(low), high=float(high))
