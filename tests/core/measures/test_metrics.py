import math

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from core.measures.metrics import (
    accuracy,
    bootstrap_interval,
    class_scores,
    cohen_kappa,
    confusion_matrix,
    macro_f1,
    span_scores,
    wilson_interval,
)
from core.task import spans_of

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(rows=LABELS)
def test_sentence_scores_equal_scikit_learn(rows: list[tuple[int, int]]) -> None:
    true, predicted = np.array(rows).T
    confusion = confusion_matrix(true, predicted, 4)
    assert (confusion == sk.confusion_matrix(true, predicted, labels=range(4))).all()
    assert accuracy(confusion) == pytest.approx(sk.accuracy_score(true, predicted))
    assert macro_f1(confusion) == pytest.approx(
        sk.f1_score(true, predicted, average="macro", zero_division=0)
    )
    expected = sk.precision_recall_fscore_support(true, predicted, labels=range(4), zero_division=0)
    for label, score in enumerate(class_scores(confusion)):
        found = (score.precision, score.recall, score.f1, score.rows)
        assert found == pytest.approx(tuple(column[label] for column in expected))


@given(rows=LABELS)
def test_kappa_equals_scikit_learn(rows: list[tuple[int, int]]) -> None:
    first, second = zip(*rows, strict=True)
    expected = sk.cohen_kappa_score(first, second)
    found = cohen_kappa(first, second)
    assert found == pytest.approx(1.0 if math.isnan(expected) else expected)


TAG = st.sampled_from(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"])


@given(
    texts=st.lists(st.lists(st.tuples(TAG, TAG), min_size=1, max_size=8), min_size=1, max_size=6)
)
def test_span_scores_equal_seqeval_in_its_strict_mode(
    texts: list[list[tuple[str, str]]],
) -> None:
    true = [[pair[0] for pair in text] for text in texts]
    predicted = [[pair[1] for pair in text] for text in texts]

    def spans(tags: list[str]) -> list[object]:
        return list(spans_of("x" * len(tags), [(i, i + 1) for i in range(len(tags))], tags))

    found = span_scores([spans(t) for t in true], [spans(p) for p in predicted])
    options = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    assert found.f1 == pytest.approx(f1_score(true, predicted, **options))
    assert found.precision == pytest.approx(precision_score(true, predicted, **options))
    assert found.recall == pytest.approx(recall_score(true, predicted, **options))


@given(rows=st.integers(1, 300), share=st.floats(0, 1))
def test_the_wilson_interval_equals_scipy(rows: int, share: float) -> None:
    right = round(rows * share)
    expected = binomtest(right, rows).proportion_ci(method="wilson")
    found = wilson_interval(right, rows)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert found.low <= found.mean + 1e-12
    assert found.mean <= found.high + 1e-12


def test_a_bootstrap_interval_of_a_share_is_close_to_its_wilson_interval() -> None:
    right = np.arange(200) < 150
    found = bootstrap_interval(lambda rows: float(right[rows].mean()), 200, samples=4000)
    expected = wilson_interval(150, 200)
    assert found.mean == 0.75
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)
    again = bootstrap_interval(lambda rows: float(right[rows].mean()), 200, samples=4000)
    assert again == found, "the same seed gives the same interval"


def test_figures_of_nothing_are_nan_or_refused() -> None:
    nothing = confusion_matrix(np.array([], dtype=int), np.array([], dtype=int), 2)
    assert math.isnan(accuracy(nothing))
    assert math.isnan(macro_f1(nothing))
    assert span_scores([[]], [[]]).f1 == 0.0
    with pytest.raises(ValueError, match="must be some rows"):
        wilson_interval(0, 0)
    with pytest.raises(ValueError, match="there are no rows"):
        bootstrap_interval(lambda _: 0.0, 0)
    with pytest.raises(ValueError, match="must match"):
        cohen_kappa([], [])
    with pytest.raises(ValueError, match="must be 0 to 1"):
        confusion_matrix(np.array([0, 2]), np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="must be of one length"):
        confusion_matrix(np.array([0]), np.array([0, 1]), 2)
