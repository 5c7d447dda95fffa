import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from core.config import SCORES as CHOSEN
from core.measures.metrics import confusion_matrix, macro_f1, span_scores
from core.measures.scores import (
    FURTHER,
    SCORES,
    Score,
    main_figure,
    main_score,
    score_in,
    scores_of,
)
from core.task import ENTITIES, KINDS, SENTIMENT, Label, Span

LABELS = SENTIMENT.labels
Rows = Sequence[Label]
ROWS = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=1)


def total(score: Score, actual: Rows, predicted: Rows, labels: Sequence[str]) -> float:
    right, under = score.ratios(actual, predicted, labels)
    sums = under.sum(axis=0)
    return float((right.sum(axis=0)[sums > 0] / sums[sums > 0]).mean())


@given(rows=ROWS)
def test_a_sentence_tasks_scores_are_scikit_learns(rows: list[tuple[str, str]]) -> None:
    true, said = zip(*rows, strict=True)
    accuracy, macro = scores_of(SENTIMENT.of_kind)
    assert total(accuracy, true, said, LABELS) == pytest.approx(accuracy_score(true, said))
    there = sorted({*true, *said})
    expected = f1_score(true, said, average="macro", labels=there)
    assert total(macro, true, said, LABELS) == pytest.approx(expected)
    number = {label: place for place, label in enumerate(LABELS)}
    table = confusion_matrix(*(np.array([number[x] for x in y]) for y in (true, said)), len(LABELS))
    assert macro.interval(true, said, LABELS).mean == pytest.approx(macro_f1(table))


def test_strict_f1_counts_whole_spans_over_all_texts() -> None:
    true = [(Span(0, 3, "PER"), Span(5, 8, "LOC")), (), (Span(1, 2, "ORG"),)]
    said = [(Span(0, 3, "PER"), Span(5, 9, "LOC")), (Span(0, 1, "PER"),), ()]
    (score,) = scores_of(ENTITIES.of_kind)
    # By hand: 1 right of 3 true and 3 said, 2 * 1 / 6.
    assert score.interval(true, said, ENTITIES.labels).mean == pytest.approx(1 / 3)
    assert total(score, true, said, ENTITIES.labels) == pytest.approx(1 / 3)
    assert span_scores(true, said).f1 == pytest.approx(1 / 3)
    empty = score.interval([()], [()], ENTITIES.labels)
    assert empty.mean == 0


def test_a_row_without_a_label_adds_nothing_to_an_f1() -> None:
    _, macro = scores_of(SENTIMENT.of_kind)
    right, under = macro.ratios([None, "neutral"], ["neutral", "neutral"], LABELS)
    assert right[0].sum() == under[0].sum() == 0


def test_every_kind_names_scores_that_there_are_and_one_counts() -> None:
    known = {score.key: score for score in SCORES}
    for kind in KINDS:
        assert set(kind.scores) <= set(known)
        assert known[kind.scores[0]] not in FURTHER
    assert [score.chosen for score in SCORES if score.chosen] == list(CHOSEN)
    assert len({score.title for score in SCORES}) == len(SCORES)


def test_what_is_chosen_counts_where_there_is_a_choice() -> None:
    assert [main_score(SENTIMENT.of_kind, each).key for each in CHOSEN] == ["accuracy", "macro_f1"]
    assert {main_score(ENTITIES.of_kind, each).key for each in CHOSEN} == {"f1"}


def test_the_score_that_counts_is_found_in_a_document() -> None:
    figures = {"rows": 3, "macro_f1": 0.25, "accuracy": 0.5}
    assert main_figure(figures) == 0.5
    assert main_figure(figures, "macro-f1") == 0.25
    assert main_figure({"f1": 0.75, "recall": 1.0}, "macro-f1") == 0.75
    assert main_figure({"accuracy": None}) is None
    assert not math.isnan(main_figure(figures))
    with pytest.raises(LookupError, match="no score among rows, recall"):
        score_in({"rows": 1, "recall": 0.5})
