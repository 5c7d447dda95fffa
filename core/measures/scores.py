"""The scores of a task: each with its name, its title, and how it comes out of rows.

Every score is a mean over columns of ratios of sums over rows: accuracy is right over rows, F1 of a
class 2 · right over true and predicted, strict span F1 the same over spans.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.measures.metrics import (
    Integers,
    Interval,
    bootstrap_interval,
    confusion_matrix,
    macro_f1,
    wilson_interval,
)
from core.task import KINDS, Kind, Label

Floats = NDArray[np.float64]


class Score:
    """A score of a task. A new one is a subclass, in `SCORES`, and a key of the kinds it is for.

    Attributes:
        key: What documents call it.
        title: What people call it.
        short: The same where there is little room.
        chosen: What chooses it under `--score`; empty where nothing does, as it is the only one.
        step: What one row or span more that is right adds to a numerator.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    short: ClassVar[str]
    chosen: ClassVar[str]
    step: ClassVar[float] = 2.0

    def ratios(
        self, actual: Sequence[Label], predicted: Sequence[Label], labels: Sequence[str]
    ) -> tuple[Floats, Floats]:
        """Give each row's numerators and denominators, (rows, columns) each.

        Args:
            actual: Each row's label; one without any adds nothing, or whatever is left out later.
            predicted: What was said of each.
            labels: Those of the task.
        """
        raise NotImplementedError

    def interval(
        self, actual: Sequence[Label], predicted: Sequence[Label], labels: Sequence[str]
    ) -> Interval:
        """Give the score of some rows, which all have a label, with its 95 % interval.

        Raises:
            ValueError: If there are no rows.
        """
        raise NotImplementedError


class Accuracy(Score):
    """The share of rows that are right."""

    key = "accuracy"
    title = "accuracy"
    short = "accuracy"
    chosen = "accuracy"
    step = 1.0

    def ratios(
        self,
        actual: Sequence[Label],
        predicted: Sequence[Label],
        labels: Sequence[str],  # noqa: ARG002 (what is right needs no list of them)
    ) -> tuple[Floats, Floats]:
        pairs = zip(actual, predicted, strict=True)
        wrong = np.array([a is not None and a != b for a, b in pairs], dtype=np.float64)  # (rows,)
        return 1.0 - wrong[:, None], np.ones((len(wrong), 1))

    def interval(
        self,
        actual: Sequence[Label],
        predicted: Sequence[Label],
        labels: Sequence[str],  # noqa: ARG002 (as above)
    ) -> Interval:
        right = sum(a == b for a, b in zip(actual, predicted, strict=True))
        return wilson_interval(right, len(actual))


class MacroF1(Score):
    """F1 averaged over the labels that occur, truly or as a prediction."""

    key = "macro_f1"
    title = "macro-F1"
    short = "macro-F1"
    chosen = "macro-f1"

    def ratios(
        self, actual: Sequence[Label], predicted: Sequence[Label], labels: Sequence[str]
    ) -> tuple[Floats, Floats]:
        number = {label: column for column, label in enumerate(labels)}
        right, total = np.zeros((2, len(actual), len(number)))  # (rows, labels) each
        for row, (true, said) in enumerate(zip(actual, predicted, strict=True)):
            if isinstance(true, str) and isinstance(said, str):
                total[row, number[true]] += 1
                total[row, number[said]] += 1
                right[row, number[true]] += 2 * (true == said)
        return right, total

    def interval(
        self, actual: Sequence[Label], predicted: Sequence[Label], labels: Sequence[str]
    ) -> Interval:
        number = {label: place for place, label in enumerate(labels)}
        true, said = (
            np.array([number[str(each)] for each in rows]) for rows in (actual, predicted)
        )
        return bootstrap_interval(
            lambda some: macro_f1(confusion_matrix(true[some], said[some], len(number))),
            len(true),
            samples=200,
        )


class StrictF1(Score):
    """F1 of spans over all texts: the same start, end and label, or it is wrong."""

    key = "f1"
    title = "strict F1"
    short = "F1"
    chosen = ""

    def ratios(
        self,
        actual: Sequence[Label],
        predicted: Sequence[Label],
        labels: Sequence[str],  # noqa: ARG002 (spans are counted together)
    ) -> tuple[Floats, Floats]:
        right, total = np.zeros((2, len(actual), 1))  # (rows, 1) each
        for row, (true, said) in enumerate(zip(actual, predicted, strict=True)):
            spans, found = (set(e) if isinstance(e, tuple) else set() for e in (true, said))
            right[row], total[row] = 2 * len(spans & found), len(spans) + len(found)
        return right, total

    def interval(
        self, actual: Sequence[Label], predicted: Sequence[Label], labels: Sequence[str]
    ) -> Interval:
        right, total = self.ratios(actual, predicted, labels)  # (rows, 1) each

        def f1(some: Integers) -> float:
            return float(right[some].sum() / total[some].sum()) if total[some].sum() else 0.0

        return bootstrap_interval(f1, len(right), samples=500)


SCORES: tuple[Score, ...] = (Accuracy(), MacroF1(), StrictF1())
"""Every score; where a document holds several, the main one stands first."""


FURTHER = tuple(score for score in SCORES if all(score.key != kind.scores[0] for kind in KINDS))
"""Scores that are told beside a main one, and are none of any kind."""


def scores_of(kind: Kind) -> tuple[Score, ...]:
    """List the scores of a kind of task, the main one first."""
    return tuple(score for score in SCORES if score.key in kind.scores)


def main_score(kind: Kind, chosen: str = Accuracy.chosen) -> Score:
    """Give the score that counts of a kind of task.

    Args:
        kind: Which.
        chosen: Which of several, one of `core.config.SCORES`; a task with one has that.
    """
    return next(score for score in scores_of(kind) if score.chosen in ("", chosen))


def score_in(figures: Mapping[str, Any], chosen: str = Accuracy.chosen) -> Score:
    """Tell which score counts among a document's figures of a task.

    Raises:
        LookupError: If it holds none.
    """
    for score in SCORES:
        if score.key in figures and score.chosen in ("", chosen):
            return score
    raise LookupError(f"there is no score among {', '.join(map(str, figures))[:200]}")


def main_figure(figures: Mapping[str, Any], chosen: str = Accuracy.chosen) -> Any:  # noqa: ANN401 (a number, an interval's fields, or None)
    """Give the figure that counts in a document's figures of a task."""
    return figures[score_in(figures, chosen).key]
