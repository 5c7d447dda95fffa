"""How good a model is on labelled rows: its scores by task, and its calibration."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from core.data.dataset import Dataset, shared_tasks
from core.encoder.encoder import Progress
from core.measures.calibration import (
    COLDEST,
    HOTTEST,
    choose_threshold,
    expected_calibration_error,
    fit_temperature,
)
from core.measures.metrics import (
    ClassScores,
    Integers,
    accuracy,
    class_scores,
    confusion_matrix,
    macro_f1,
    span_counts,
    span_scores,
    wilson_interval,
)
from core.measures.scores import main_score
from core.model.heads import head_for
from core.model.model import Calibration, MultiTaskModel
from core.model.prediction import predict
from core.model.reading import ReadText
from core.task import IGNORED, Example, Label, Span, Task


@dataclass(frozen=True, kw_only=True)
class TaskScores:
    """How good a task's predictions are.

    Attributes:
        task: Which task.
        rows: Labelled rows.
        confusion: Of a sentence task, true labels by predicted ones, (labels, labels).
        spans: Of a token task, strict span scores.
        span_labels: The same label by label, with how many spans were predicted.
    """

    task: Task
    rows: int
    confusion: Integers | None = None
    spans: ClassScores | None = None
    span_labels: Mapping[str, Mapping[str, float]] | None = None

    @property
    def main(self) -> float:
        """Accuracy, or strict span F1: what strategies and epochs are compared by."""
        if self.spans is not None:
            return self.spans.f1
        return 0.0 if self.confusion is None or not self.rows else accuracy(self.confusion)

    def document(self) -> dict[str, Any]:
        """The figures as the command line prints them; None where there was no row to score."""
        if self.spans is not None:
            spans = self.spans
            figures = {"precision": spans.precision, "recall": spans.recall, "f1": spans.f1}
            by_label = {label: dict(each) for label, each in (self.span_labels or {}).items()}
            return {"rows": self.rows, **figures, "entities": spans.rows, "per_label": by_label}
        assert self.confusion is not None
        scores = class_scores(self.confusion)
        right = int(np.trace(self.confusion))
        interval = vars(wilson_interval(right, self.rows)).copy() if self.rows else None
        return {
            "rows": self.rows,
            "accuracy": self.main if self.rows else None,
            "accuracy_interval": interval,
            "macro_f1": macro_f1(self.confusion) if self.rows else None,
            "labels": list(self.task.labels),
            "per_label": dict(zip(self.task.labels, (vars(s).copy() for s in scores), strict=True)),
            "confusion": self.confusion.tolist(),
        }


def score_labels(task: Task, true: Sequence[str], predicted: Sequence[str]) -> TaskScores:
    """Score a sentence task's predictions; the sequences match row by row."""
    number = {label: index for index, label in enumerate(task.labels)}
    confusion = confusion_matrix(
        np.array([number[label] for label in true], dtype=np.int64),
        np.array([number[label] for label in predicted], dtype=np.int64),
        len(number),
    )
    return TaskScores(task=task, rows=len(true), confusion=confusion)


def score_spans(
    task: Task, true: Sequence[Sequence[Span]], predicted: Sequence[Sequence[Span]]
) -> TaskScores:
    """Score a token task's predictions, strictly, together and label by label."""
    by_label = {}
    for label in task.labels:
        own = [
            [[span for span in spans if span.label == label] for spans in texts]
            for texts in (true, predicted)
        ]
        count = span_counts(*own)[2]
        by_label[label] = {**vars(span_scores(*own)), "predicted": count}
    spans = span_scores(true, predicted)
    return TaskScores(task=task, rows=len(true), spans=spans, span_labels=by_label)


def score(task: Task, true: Sequence[Label], predicted: Sequence[Label]) -> TaskScores:
    """Score a task's predictions of rows that all have a label."""
    if task.of_kind.one_label:
        return score_labels(task, [str(each) for each in true], [str(each) for each in predicted])
    spans = (
        [label if isinstance(label, tuple) else () for label in rows] for rows in (true, predicted)
    )
    return score_spans(task, *spans)


def evaluate_scores(
    tasks: Sequence[Task],
    texts: Sequence[ReadText],
    examples: Sequence[Example],
    scores: Mapping[str, Sequence[Tensor]],
) -> dict[str, TaskScores]:
    """Score what heads say of labelled texts.

    Args:
        tasks: What they predict.
        texts: The texts as the model read them.
        examples: Their labels; any may lack any.
        scores: By task, each text's own scores, (1, labels) or (tokens, classes).
    """
    found = {}
    for task in tasks:
        rows = [i for i, each in enumerate(examples) if each.labels.get(task.name) is not None]
        own = scores[task.name]
        labels = [examples[i].labels[task.name] for i in rows]
        said = [head_for(task).said(task, texts[i], own[i]) for i in rows]
        found[task.name] = score(task, labels, said)
    return found


def calibrate(task: Task, scores: Tensor, labels: Tensor) -> Calibration:
    """Fit the temperature on rows the head did not train on, and choose when to be unsure.

    A token task is judged by its tokens for the temperature, and for the threshold by those that
    it takes for a part of an entity.

    Args:
        task: What the head predicts.
        scores: (rows, classes).
        labels: Class numbers, `IGNORED` where there is none, (rows,).
    """
    some = labels != IGNORED  # (rows,)
    scores, labels = scores[some].float(), labels[some]
    if not len(labels):
        return Calibration()
    temperature = fit_temperature(scores, labels)
    if temperature < 1 and bool((scores.argmax(dim=1) == labels).all()):
        temperature = _never_wrong_temperature(scores)
    likely = (scores / temperature).softmax(dim=1)  # (rows, classes)
    confidence, best = likely.max(dim=1)  # (rows,) each
    named = head_for(task).claims(best)  # (rows,)
    return Calibration(
        temperature=temperature,
        threshold=choose_threshold(confidence[named], (best == labels)[named]),
        error=expected_calibration_error(likely, labels),
    )


def _never_wrong_temperature(scores: Tensor) -> float:
    """Find the T for a head that was right on every row, which has no best one: less is better.

    On average it is made as sure as having been right n times of n allows, (n + 1) / (n + 2).

    Args:
        scores: (rows, classes).

    Source:
        Laplace's rule of succession, 1814, Essai philosophique sur les probabilités.
    """
    allowed = (len(scores) + 1) / (len(scores) + 2)
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(60):
        middle = (low + high) / 2
        sure = float((scores / math.exp(middle)).softmax(dim=1).amax(dim=1).mean())
        low, high = (middle, high) if sure > allowed else (low, middle)
    return math.exp((low + high) / 2)


def evaluate_document(
    model: MultiTaskModel,
    dataset: Dataset,
    *,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Score a model on labelled rows: `{rows, tasks: {TASK: {...}}}`.

    Raises:
        ValueError: If the data has no task of the model's, or a label that the model has not.
        CancelledError: If `cancelled` answered True.
    """
    dataset = dataset.usable()
    shared = shared_tasks(model.tasks, dataset)
    texts = [example.text for example in dataset.examples]
    found = predict(model, texts, progress=progress, cancelled=cancelled)
    tasks = {}
    for task in shared:
        rows = [
            i
            for i, example in enumerate(dataset.examples)
            if example.labels.get(task.name) is not None
        ]
        labels = [dataset.examples[i].labels[task.name] for i in rows]
        said = [found[i].said(task.name) for i in rows]
        scores, main = score(task, labels, said).document(), main_score(task.of_kind)
        if f"{main.key}_interval" not in scores:
            interval = main.interval(labels, said, task.labels)
            scores[f"{main.key}_interval"] = vars(interval).copy()
        tasks[task.name] = scores
    return {"model": model.name, "data": dataset.name, "rows": len(texts), "tasks": tasks}
