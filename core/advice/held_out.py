"""What one run predicted for the rows it was tested on: what the advice is judged by.

A record holds places, label names and scores, no text and no weights, so that it stays small and
can be kept, sent and read back.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from core.task import Label, Span, Task, labels_in

MAX_NAME = 200
MAX_PLACE = 2**40
"""Rows, seeds and characters are counted from 0; no file holds more than this many."""


@dataclass(frozen=True, kw_only=True)
class TaskPredictions:
    """What a run said of one task, row by row, beside what is true.

    Attributes:
        task: Its name, kind and labels.
        actual: Each row's label, or its spans; None where the row has no label of this task.
        predicted: The same as the model has it; None only where `actual` is.
        scores: Of a sentence task, what the head says of each label before the softmax, so that
            a temperature can be fitted, (rows, labels); None where they were not kept.

    Raises:
        ValueError: If the rows do not match, or a label is none of the task's.
    """

    task: Task
    actual: tuple[Label, ...]
    predicted: tuple[Label, ...]
    scores: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        name, rows = self.task.name, len(self.actual)
        if len(self.predicted) != rows:
            raise ValueError(
                f"held-out predictions of {name} are {len(self.predicted)} for {rows} rows, must "
                "be one a row"
            )
        for actual, predicted in zip(self.actual, self.predicted, strict=True):
            self._check(actual)
            self._check(predicted)
            if actual is not None and predicted is None:
                raise ValueError(
                    f"held-out predictions of {name} lack one for a row that has a label"
                )
        if self.scores is not None and not self.task.of_kind.one_label:
            raise ValueError(
                f"{name} is a {self.task.kind} task, its held-out scores must be left out"
            )
        if (
            self.scores is not None
            and [len(each) for each in self.scores] != [len(self.task.labels)] * rows
        ):
            raise ValueError(
                f"held-out scores of {name} must be one number for each of its "
                f"{len(self.task.labels)} labels, row by row"
            )
        if self.scores is not None and not all(
            math.isfinite(score) for row in self.scores for score in row
        ):
            raise ValueError(f"held-out scores of {name} hold a value that is no finite number")

    def _check(self, label: Label) -> None:
        if label is None:
            return
        kind = self.task.of_kind
        if not kind.holds(label):
            raise ValueError(f"a held-out label of {self.task.name} must be {kind.holds_what}")
        unknown = next((each for each in labels_in(label) if each not in self.task.labels), None)
        if unknown is not None:
            raise ValueError(
                f"a held-out label of {self.task.name} is {unknown[:40]!r}, must be one of: "
                f"{', '.join(self.task.labels)[:200]}"
            )

    @property
    def wrong(self) -> tuple[bool | None, ...]:
        """Whether each row is predicted wrong, spans strictly and all; None without a label."""
        return tuple(
            None if actual is None else _alike(actual) != _alike(predicted)
            for actual, predicted in zip(self.actual, self.predicted, strict=True)
        )


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """The held-out predictions of one run.

    Attributes:
        strategy: Its name, as a person types it.
        seed: The run's.
        fold: Which fold it tested; None where the data has a test split of its own.
        repetition: Which deal of the folds; 0 with a test split.
        rows: The places of the tested rows in the data, from 0, each once.
        tasks: By task's name, what was predicted for these rows.

    Raises:
        ValueError: If the rows repeat, or a task does not have one prediction a row.
    """

    strategy: str
    seed: int
    fold: int | None
    repetition: int
    rows: tuple[int, ...]
    tasks: Mapping[str, TaskPredictions]

    def __post_init__(self) -> None:
        numbers = {"seed": self.seed, "repetition": self.repetition, "fold": self.fold or 0}
        for name, number in numbers.items():
            if not 0 <= number < MAX_PLACE:
                raise ValueError(f"a run's {name} is {number}, must be 0 or more")
        if not 0 < len(self.strategy) <= MAX_NAME:
            raise ValueError(
                f"a strategy's name has {len(self.strategy)} characters, must have 1 to {MAX_NAME}"
            )
        if len(set(self.rows)) != len(self.rows):
            raise ValueError(f"held-out rows of {self.strategy}, seed {self.seed}, repeat")
        if self.rows and not 0 <= min(self.rows) <= max(self.rows) < MAX_PLACE:
            raise ValueError(f"held-out rows of {self.strategy} are counted from 0")
        for name, each in self.tasks.items():
            if name != each.task.name or len(each.actual) != len(self.rows):
                raise ValueError(
                    f"held-out predictions of {name} are {len(each.actual)} rows of "
                    f"{each.task.name}, must be {len(self.rows)} of {name}"
                )

    def document(self) -> dict[str, Any]:
        """Describe the record as JSON; `held_out_from` reads it back."""
        return {
            "strategy": self.strategy,
            "seed": self.seed,
            "fold": self.fold,
            "repetition": self.repetition,
            "rows": list(self.rows),
            "tasks": {
                name: {
                    "kind": each.task.kind,
                    "labels": list(each.task.labels),
                    "actual": [_label_document(label) for label in each.actual],
                    "predicted": [_label_document(label) for label in each.predicted],
                    "scores": None if each.scores is None else [list(row) for row in each.scores],
                }
                for name, each in self.tasks.items()
            },
        }


def always_wrong(records: Sequence[HeldOut]) -> dict[str, list[int]]:
    """Find the rows that every run which tested them got wrong: worth a second look.

    Args:
        records: Of at least two strategies, so that no single one's weakness is taken for a row's.

    Returns:
        By task, places in the data, ascending; a row counts where at least two strategies have
        tested it.
    """
    tested: dict[str, dict[int, dict[str, bool]]] = {}
    for record in records:
        for name, each in record.tasks.items():
            for row, wrong in zip(record.rows, each.wrong, strict=True):
                if wrong is not None:
                    by = tested.setdefault(name, {}).setdefault(row, {})
                    by[record.strategy] = by.get(record.strategy, True) and wrong
    return {
        name: sorted(row for row, by in rows.items() if len(by) > 1 and all(by.values()))
        for name, rows in tested.items()
    }


def held_out_from(document: object) -> HeldOut:
    """Read a record back from its JSON.

    Args:
        document: What `HeldOut.document` gave, or anything a file may hold.

    Raises:
        ValueError: If it is of another shape, naming what is wrong.
    """
    if not isinstance(document, dict):
        raise ValueError("held-out predictions must be an object for each run")
    tasks = document.get("tasks")
    if not isinstance(tasks, dict):
        raise ValueError("held-out predictions must hold tasks by name")
    fold = document.get("fold")
    return HeldOut(
        strategy=_text(document.get("strategy"), "a strategy's name"),
        seed=_number(document.get("seed"), "a run's seed"),
        fold=None if fold is None else _number(fold, "a run's fold"),
        repetition=_number(document.get("repetition"), "a run's repetition"),
        rows=tuple(_number(each, "a row") for each in _list(document.get("rows"), "rows")),
        tasks={name: _predictions_from(name, each) for name, each in tasks.items()},
    )


def _predictions_from(name: str, document: object) -> TaskPredictions:
    if not isinstance(document, dict):
        raise ValueError(f"held-out predictions of {name[:40]!r} must be an object")
    labels = _list(document.get("labels"), f"labels of {name[:40]!r}")
    task = Task(
        name=name,
        kind=_text(document.get("kind"), "a task's kind"),
        labels=tuple(_text(each, "a label") for each in labels),
    )
    scores = document.get("scores")
    return TaskPredictions(
        task=task,
        actual=tuple(_labels_from(document.get("actual"), "actual labels")),
        predicted=tuple(_labels_from(document.get("predicted"), "predicted labels")),
        scores=None if scores is None else tuple(_scores_from(scores)),
    )


def _scores_from(value: object) -> Iterator[tuple[float, ...]]:
    for row in _list(value, "scores"):
        numbers = _list(row, "a row's scores")
        if not all(_is_number(each) and abs(each) < 1e30 for each in numbers):
            raise ValueError("a row's held-out scores must be finite numbers")
        yield tuple(float(each) for each in numbers)


def _labels_from(value: object, what: str) -> Iterator[Label]:
    for label in _list(value, what):
        if label is None or isinstance(label, str):
            yield label
            continue
        spans = []
        for span in _list(label, what):
            if not isinstance(span, dict):
                raise ValueError(f"a span among {what} must be an object")
            start, end = (_number(span.get(key), f"a span's {key}") for key in ("start", "end"))
            spans.append(Span(start, end, _text(span.get("label"), "a span's label")))
        yield tuple(spans)


def _alike(label: Label) -> object:
    return frozenset(label) if isinstance(label, tuple) else label


def _label_document(label: Label) -> object:
    return [span._asdict() for span in label] if isinstance(label, tuple) else label


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"held-out {what} must be a list")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} in held-out predictions must be text")
    return value


def _number(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MAX_PLACE:
        raise ValueError(f"{what} in held-out predictions must be a whole number from 0 on")
    return value


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
