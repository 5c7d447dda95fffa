"""How far apart strategies are on the rows that they have tested, and how sure that is.

Each row has a share in any score (`core.advice.row_shares`), so also in the mean over tasks and in
the difference of two strategies, and the variance of those shares is the variance of the figure.

Three things make a difference uncertain, and each has its term: which rows there are (groups of
near-duplicates count as one row); that a handful of rows tells little about rare mistakes (half a
row each way); and that another seed or fold would have trained another model.

Source:
    Satterthwaite 1946 (degrees of freedom of a sum of variances).
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations

import numpy as np

from core.advice.held_out import HeldOut
from core.advice.row_shares import Places, RowCounts, count_rows, pool_runs, row_shares
from core.config import SCORES, check_choice
from core.measures.metrics import Interval
from core.task import Label, Task


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, its standard error, and how well that error is known.

    Attributes:
        value: The figure.
        error: Its standard error; infinite where there is nothing to judge it by.
        degrees: Degrees of freedom of the error.
        rows: The units it rests on: groups of near-duplicate rows.
    """

    value: float
    error: float
    degrees: float
    rows: int

    def reach(self, chance: float) -> float:
        """Return how far to one side the truth lies with no more than this chance beyond it."""
        if not math.isfinite(self.error):
            return math.inf
        from scipy.special import stdtrit  # when first needed: half a second

        return float(-stdtrit(max(1.0, self.degrees), chance)) * self.error

    def above(self, bound: float, chance: float) -> bool:
        """Tell whether the figure is shown to lie above a bound, one-sided."""
        return self.value - self.reach(chance) > bound

    def below(self, bound: float, chance: float) -> bool:
        """Tell whether the figure is shown to lie below a bound, one-sided."""
        return self.value + self.reach(chance) < bound

    @property
    def interval(self) -> Interval:
        """The figure with its 95 % interval, for a difference."""
        half = self.reach(0.025)
        return Interval(mean=self.value, low=self.value - half, high=self.value + half)

    @property
    def share_interval(self) -> Interval:
        """The figure with its 95 % interval, for a score from 0 to 1, which stays inside.

        Wilson's interval of as many rows as would give this standard error; of ungrouped rows
        tested once it is that of the accuracy itself.
        """
        value = min(1.0, max(0.0, self.value))
        if not math.isfinite(self.error):
            return Interval(mean=value, low=0.0, high=1.0)
        spread = value * (1 - value)
        count = spread / self.error**2 if spread and self.error else float(max(1, self.rows))
        z = self.reach(0.025) / self.error if self.error else 1.96
        scale = 1 + z**2 / count
        middle = (value + z**2 / (2 * count)) / scale
        half = z * math.sqrt(spread / count + z**2 / (4 * count**2)) / scale
        return Interval(mean=value, low=max(0.0, middle - half), high=min(1.0, middle + half))


class Outcomes:
    """What strategies got right, row by row, ready to be compared.

    Args:
        records: The held-out predictions of some runs; any strategy may lack any seed.
        groups: A number for each row of the data; rows of one number count as one unit.
        score: One of `SCORES`.

    Raises:
        ValueError: If the score is unknown, a row has no group, or a run is given twice.
    """

    def __init__(
        self, records: Sequence[HeldOut], groups: Sequence[int], score: str = "accuracy"
    ) -> None:
        check_choice("score", score, SCORES)
        self.score = score
        numbers: dict[Hashable, int] = {}
        found = [numbers.setdefault(group, len(numbers)) for group in groups]
        self._groups = np.array(found, dtype=np.int64)  # (rows,)
        self._unit_count = len(numbers)
        self.tasks: dict[str, Task] = {}
        self._runs: dict[str, dict[int, dict[str, RowCounts]]] = {}
        self._folds: dict[str, set[tuple[int, int | None]]] = {}
        self._labels: dict[str, dict[int, tuple[str, ...]]] = {}
        self._training_variances: dict[str | None, tuple[float, float]] = {}
        for record in records:
            self._add(record)
        self._pooled = {name: pool_runs(runs.values()) for name, runs in self._runs.items()}

    @property
    def strategies(self) -> tuple[str, ...]:
        """Those with at least one run, in the order their records came."""
        return tuple(self._runs)

    def seeds(self, strategy: str) -> tuple[int, ...]:
        """List the seeds that a strategy has run, ascending."""
        return tuple(sorted(self._runs.get(strategy, {})))

    def _add(self, record: HeldOut) -> None:
        runs = self._runs.setdefault(record.strategy, {})
        if record.seed in runs:
            raise ValueError(f"{record.strategy} has seed {record.seed} twice among its records")
        if record.rows and max(record.rows) >= len(self._groups):
            raise ValueError(
                f"{record.strategy} was tested on row {max(record.rows)}, the data has "
                f"{len(self._groups)} rows"
            )
        places = np.array(record.rows, dtype=np.int64)
        counts = {}
        for name, each in record.tasks.items():
            known = self.tasks.setdefault(name, each.task)
            if known != each.task:
                raise ValueError(f"task {name} has other labels in some of the records")
            counts[name] = count_rows(each, places, self.score)
            there = self._labels.setdefault(name, {})
            there.update(zip(record.rows, map(_names, each.actual), strict=True))
        runs[record.seed] = counts
        self._folds.setdefault(record.strategy, set()).add((record.repetition, record.fold))

    def complete(self, strategy: str, folds: int) -> bool:
        """Tell whether a strategy has tested every fold of a repetition, or a split of its own.

        Folds of different repetitions are cut anew: together they may leave rows untested.
        """
        tested = self._folds.get(strategy, set())
        cut = Counter(repetition for repetition, _ in tested)
        return any(fold is None for _, fold in tested) or max(cut.values(), default=0) >= folds

    def mean(self, strategy: str, task: str | None = None, beside: Iterable[str] = ()) -> Estimate:
        """Return a strategy's score on the rows it has tested.

        Args:
            strategy: Which.
            task: Of which task; None is the unweighted mean over all.
            beside: Only rows that these have tested too.
        """
        return self._estimate([(strategy, 1.0)], task, {strategy, *beside})

    def difference(self, one: str, other: str, task: str | None = None) -> Estimate:
        """Return how much better `one` is than `other`, paired on the rows both have tested."""
        return self._estimate([(one, 1.0), (other, -1.0)], task, {one, other})

    def doubtful_labels(self, one: str, other: str, task: str) -> dict[str, float]:
        """Say rows of which labels make a difference uncertain, as shares of its variance.

        A row of a token task counts for each label among its entities.
        """
        counts = [self._pooled[name][task] for name in (one, other)]
        common = np.intersect1d(counts[0].places, counts[1].places)  # (rows,)
        if not len(common):
            return {}
        shares = row_shares(counts[0], common)[1] - row_shares(counts[1], common)[1]
        found: dict[str, float] = {}
        for row, share in zip(common.tolist(), shares.tolist(), strict=True):
            for label in self._labels[task].get(row, ()):
                found[label] = found.get(label, 0.0) + share**2
        whole = sum(found.values())
        return {label: share / whole for label, share in found.items()} if whole else {}

    def _estimate(
        self, weights: Sequence[tuple[str, float]], task: str | None, tested: Iterable[str]
    ) -> Estimate:
        """Weigh strategies' scores, on the rows that all of some have tested."""
        counts = [(self._pooled[name], weight) for name, weight in weights]
        common = {
            each: reduce(np.intersect1d, [self._pooled[name][each].places for name in tested])
            for each in self._asked(task)
        }
        value, variance, units = self._linearised(counts, common)
        runs = min(self._run_count(name, common) for name, _ in weights)
        seeds, degrees = self._training_variance(task)
        seeds = seeds / 2 * sum(weight**2 for _, weight in weights) / max(1.0, runs)
        both = variance + seeds
        if not math.isfinite(both) or units < 2:
            return Estimate(value=value, error=math.inf, degrees=1.0, rows=units)
        parts = variance**2 / (units - 1) + (seeds**2 / degrees if degrees else 0.0)
        free = both**2 / parts if parts else float(units - 1)
        return Estimate(value=value, error=math.sqrt(both), degrees=free, rows=units)

    def _asked(self, task: str | None) -> tuple[str, ...]:
        return tuple(self.tasks) if task is None else (task,)

    def _run_count(self, strategy: str, common: Mapping[str, Places]) -> int:
        """Count the trainings that a figure is the mean of."""
        return sum(
            any(np.isin(rows, run[task].places).any() for task, rows in common.items())
            for run in self._runs[strategy].values()
        )

    def _linearised(
        self, counts: Sequence[tuple[Mapping[str, RowCounts], float]], common: Mapping[str, Places]
    ) -> tuple[float, float, int]:
        """Return a weighted sum of scores, its variance over rows, and the units behind it."""
        shares = np.zeros(self._unit_count)  # (units,)
        there = np.zeros(self._unit_count, dtype=bool)  # (units,)
        value = flips = 0.0
        for task, rows in common.items():
            if not len(rows):
                return math.nan, math.inf, 0
            units = self._groups[rows]  # (rows,)
            there[units] = True
            for by_task, weight in counts:
                score, own, flip = row_shares(by_task[task], rows)
                value += weight * score / len(common)
                flips += weight**2 * flip / len(common) ** 2 / len(counts)
                own *= weight / len(common)
                shares += np.bincount(units, weights=own, minlength=self._unit_count)
        count = int(there.sum())
        if count < 2:
            return value, math.inf, count
        return value, float((shares**2).sum()) * count / (count - 1) + flips, count

    def _training_variance(self, task: str | None) -> tuple[float, float]:
        """Return the variance of a difference between single runs beyond its rows', and its df."""
        if task not in self._training_variances:
            self._training_variances[task] = self._pooled_training_variance(task)
        return self._training_variances[task]

    def _pooled_training_variance(self, task: str | None) -> tuple[float, float]:
        """Pool, over all pairs, how much more their difference varies by run than by row.

        Source: the analysis of variance's method of moments (Searle et al. 1992, section 3.6).
        """
        excess, degrees = 0.0, 0
        for one, other in combinations(self._runs, 2):
            found = [
                self._between(one, other, seed, task)
                for seed in set(self._runs[one]) & set(self._runs[other])
            ]
            values = np.array([each for each in found if math.isfinite(each[1])])
            if len(values) < 2:
                continue
            freedom = len(values) - 1
            excess += freedom * float(values[:, 0].var(ddof=1) - values[:, 1].mean())
            degrees += freedom
        if not degrees:
            return 0.0, 0.0
        # Pairs share strategies: only (strategies - 1) of them are free.
        free = 2 * degrees / len(self._runs)
        return max(0.0, excess / degrees), free

    def _between(self, one: str, other: str, seed: int, task: str | None) -> tuple[float, float]:
        runs = self._runs[one][seed], self._runs[other][seed]
        common = {
            each: np.intersect1d(runs[0][each].places, runs[1][each].places)
            for each in self._asked(task)
        }
        value, variance, _ = self._linearised([(runs[0], 1.0), (runs[1], -1.0)], common)
        return value, variance


def _names(label: Label) -> tuple[str, ...]:
    """Name the labels of a row, each once."""
    if isinstance(label, str):
        return (label,)
    return tuple(sorted({span.label for span in label})) if label else ()
