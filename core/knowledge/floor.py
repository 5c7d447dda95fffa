"""What can be had without any network: the floor that every head and strategy has to clear.

The majority class costs nothing, and a lexical model knows words but no meaning. Both are scored
on the very rows that the heads are scored on.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from core.measures.metrics import Interval
from core.measures.scores import main_score
from core.system.machine import one_thread
from core.task import OUTSIDE, Example, Span, Task, spans_of, tags_of

INVERSE_PENALTY = 10.0
"""scikit-learn's C. Its default is worse on the corpus, and more gains nothing there; a floor that
is easy to clear would say nothing."""

LEAST_STEP = 1e-4
MOST_STEPS = 1000

_CJK = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+|[^\w\s]")

Fold = tuple[Sequence[int], Sequence[int]]
"""The rows to learn from, and the rows held out."""


@dataclass(frozen=True, kw_only=True)
class Floor:
    """What a task's rows give without a network; `dataclasses.asdict` is its JSON.

    Attributes:
        majority: Accuracy of always saying the commonest label; None for a token task.
        lexical: Accuracy of `lexical_floor`, or strict span F1 of `word_form_floor`.
    """

    majority: float | None
    lexical: Interval


def score_floor(examples: Sequence[Example], task: Task, folds: Sequence[Fold]) -> Floor:
    """Score the floor of a task on held-out rows, all folds' together.

    Args:
        examples: Labelled sentences; rows without this task's label take no part.
        task: What to predict.
        folds: Those to learn from and those held out, by fold; a row is held out once at most.

    Raises:
        ValueError: If a row is held out twice, none that is held out has the label, or none to
            learn from has it.
    """
    held_out = [row for _, rows in folds for row in rows]
    if len(set(held_out)) < len(held_out):
        raise ValueError("a row is held out twice: score each repetition on its own")
    dealt = [(_labelled(examples, task, a), _labelled(examples, task, b)) for a, b in folds]
    dealt = [(train, test) for train, test in dealt if test]
    if not dealt:
        raise ValueError(f"no held-out row has a label of task {task.name}: nothing to score")
    with one_thread():
        return (_score_spans if task.of_kind.by_token else _score_labels)(dealt, task)


def majority_floor(train: Sequence[Example], test: Sequence[Example], task: Task) -> list[str]:
    """Predict the commonest training label for every row; of equally common ones the first.

    Raises:
        ValueError: If no training row has a label, or the task is a token task.
    """
    counts = Counter(_sentence_labels(train, task))
    commonest = max(task.labels, key=lambda label: counts[label])
    return [commonest] * len(test)


def lexical_floor(train: Sequence[Example], test: Sequence[Example], task: Task) -> list[str]:
    """Predict by logistic regression on weighted words and pairs of words.

    Where there is nothing to learn (one label alone, or no word in any text) it is the majority.

    Raises:
        ValueError: If no training row has a label, or the task is a token task.

    Source:
        Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, sections 6.2.2
        and 6.4.1 (sublinear scaling); Wang & Manning 2012 (P12-2018) for how strong this is.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    labels = _sentence_labels(train, task)
    texts = [each.text for each in train if each.labels.get(task.name) is not None]
    if len(set(labels)) < 2 or not any(re.search(r"\w", text) for text in texts) or not test:
        return majority_floor(train, test, task)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\b\w+\b")
    model = LogisticRegression(C=INVERSE_PENALTY, tol=LEAST_STEP, max_iter=MOST_STEPS)
    names = sorted(set(labels))
    number = {name: index for index, name in enumerate(names)}  # numpy cuts a NUL off a string
    model.fit(words.fit_transform(texts), [number[label] for label in labels])
    found = model.predict(words.transform([each.text for each in test]))
    return [names[index] for index in found]


def word_form_floor(
    train: Sequence[Example], test: Sequence[Example], task: Task
) -> list[tuple[Span, ...]]:
    """Tag each word as its form is most often tagged in training; a form not seen is outside.

    Forms are told apart by case. Of equally common tags the first in `task.classes` counts, and
    an I- that continues nothing starts no span.

    Raises:
        ValueError: If no training row has labels, or the task is a sentence task.

    Source:
        In the manner of CoNLL-2003's baseline, which looks up whole names instead of words:
        Tjong Kim Sang & De Meulder 2003 (cs/0306050).
    """
    seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, spans in _token_labels(train, task):
        places = [match.span() for match in _WORD.finditer(text)]
        for (start, end), tag in zip(places, tags_of(places, spans), strict=True):
            seen[text[start:end]][tag] += 1
    commonest = {
        form: max(task.classes, key=lambda tag: counts[tag]) for form, counts in seen.items()
    }
    found = []
    for text in (each.text for each in test):
        places = [match.span() for match in _WORD.finditer(text)]
        tags = [commonest.get(text[start:end], OUTSIDE) for start, end in places]
        found.append(tuple(spans_of(text, places, tags)))
    return found


def _score_labels(dealt: Sequence[tuple[list[Example], list[Example]]], task: Task) -> Floor:
    true: list[str] = []
    usual: list[str] = []
    lexical: list[str] = []
    for train, test in dealt:
        true += _sentence_labels(test, task)
        usual += majority_floor(train, test, task)
        lexical += lexical_floor(train, test, task)
    score = main_score(task.of_kind)
    return Floor(
        majority=score.interval(true, usual, task.labels).mean,
        lexical=score.interval(true, lexical, task.labels),
    )


def _score_spans(dealt: Sequence[tuple[list[Example], list[Example]]], task: Task) -> Floor:
    true: list[tuple[Span, ...]] = []
    found: list[tuple[Span, ...]] = []
    for train, test in dealt:
        true += [spans for _, spans in _token_labels(test, task)]
        found += word_form_floor(train, test, task)
    return Floor(majority=None, lexical=main_score(task.of_kind).interval(true, found, task.labels))


def _labelled(examples: Sequence[Example], task: Task, rows: Sequence[int]) -> list[Example]:
    return [examples[row] for row in rows if examples[row].labels.get(task.name) is not None]


def _sentence_labels(examples: Sequence[Example], task: Task) -> list[str]:
    labels = [each.labels.get(task.name) for each in examples]
    some = [label for label in labels if isinstance(label, str)]
    if not some:
        raise ValueError(f"no row has a label of sentence task {task.name}: give labelled rows")
    return some


def _token_labels(examples: Sequence[Example], task: Task) -> list[tuple[str, tuple[Span, ...]]]:
    labels = [(each.text, each.labels.get(task.name)) for each in examples]
    some = [(text, label) for text, label in labels if isinstance(label, tuple)]
    if not some:
        raise ValueError(f"no row has labels of token task {task.name}: give labelled rows")
    return some
