import random
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline

from core.data.corpus import load_corpus
from core.knowledge.floor import (
    Floor,
    Fold,
    lexical_floor,
    majority_floor,
    score_floor,
    word_form_floor,
)
from core.knowledge.layer_profile import deal_folds
from core.measures.metrics import span_scores, wilson_interval
from core.task import ENTITIES, SENTIMENT, TOPIC, Example, Span, Task, check_spans

COLOUR = Task(name="colour", kind="sentence", labels=("red", "blue", "green"))
PLACES = Task(name="places", kind="token", labels=("LOC", "PER"))


def said(text: str, label: str | None = None) -> Example:
    return Example(text=text, labels={} if label is None else {"colour": label})


def named(text: str, *surfaces: tuple[str, str]) -> Example:
    spans = [(text.index(s), text.index(s) + len(s), label) for s, label in surfaces]
    return Example(text=text, labels={"places": tuple(Span(*span) for span in spans)})


@given(labels=st.lists(st.sampled_from(COLOUR.labels), min_size=1, max_size=20))
def test_the_majority_equals_scikit_learns_most_frequent_class(labels: list[str]) -> None:
    train = [said("x", label) for label in labels]
    found = majority_floor([*train, said("not labelled")], [said("a"), said("b")], COLOUR)
    most = max(labels.count(label) for label in COLOUR.labels)
    if sum(labels.count(label) == most for label in COLOUR.labels) == 1:
        expected = DummyClassifier(strategy="most_frequent").fit([[0]] * len(labels), labels)
        assert found == list(expected.predict([[0]] * 2))
    assert found == [next(c for c in COLOUR.labels if labels.count(c) == most)] * 2


def test_the_lexical_floor_knows_words_and_pairs_of_words() -> None:
    train = [said(f"{a} and {b} {i}", "red") for i in range(9) for a, b in (("a", "b"), ("c", "d"))]
    train += [
        said(f"{a} and {b} {i}", "blue") for i in range(9) for a, b in (("b", "a"), ("d", "c"))
    ]
    assert lexical_floor(train, [said("a and b"), said("d AND c")], COLOUR) == ["red", "blue"]


@pytest.mark.parametrize(
    "train",
    [
        [said("snow", "red"), said("lava", "red"), said("moss")],
        [said("…", "red"), said("?!", "red"), said("", "blue")],
        [said("lava", "red")],
    ],
    ids=["one label", "no word", "one row"],
)
def test_where_there_is_nothing_to_learn_the_lexical_floor_is_the_majority(
    train: list[Example],
) -> None:
    test = [said("snow lava"), said("")]
    assert lexical_floor(train, test, COLOUR) == majority_floor(train, test, COLOUR) == ["red"] * 2
    assert lexical_floor(train, [], COLOUR) == []


def test_a_text_of_words_never_seen_gets_some_label() -> None:
    train = [said("lava glows", "red"), said("ice melts", "blue")]
    for text in ("", "東京", "\x00<b>", "never seen"):
        assert lexical_floor(train, [said(text)], COLOUR)[0] in ("red", "blue")


def test_labels_of_odd_characters_come_back_as_they_are() -> None:
    labels = ("a\x00", "a", " <b>")
    task = Task(name="colour", kind="sentence", labels=labels)
    train = [said(word, label) for word, label in zip(("x", "y", "z"), labels, strict=True)]
    assert lexical_floor(train, train, task) == list(labels)


def test_each_word_form_gets_its_commonest_tag() -> None:
    train = [
        named("Paris is in France.", ("Paris", "LOC"), ("France", "LOC")),
        named("Paris Hilton left Paris.", ("Paris Hilton", "PER")),
        named("Ms Hilton saw New York", ("New York", "LOC"), ("Hilton", "PER")),
    ]
    # By hand: Paris is B-LOC once, B-PER once, O once (the last Paris was left out): O of equals.
    # Hilton is I-PER once and B-PER once: B-PER is first in the order of the classes.
    (found,) = word_form_floor(train, [named("Paris, Hilton's New York. york, France")], PLACES)
    assert found == (Span(7, 13, "PER"), Span(16, 24, "LOC"), Span(32, 38, "LOC"))


def test_an_inside_tag_alone_starts_no_span() -> None:
    train = [named("in New York", ("New York", "LOC"))]
    assert word_form_floor(train, [named("York is old")], PLACES) == [()]


def test_words_of_writing_without_spaces_are_looked_up_one_by_one() -> None:
    train = [named("東京です", ("東京", "LOC"))]
    assert word_form_floor(train, [named("私は東京へ")], PLACES) == [(Span(2, 4, "LOC"),)]


@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_whatever_is_found_in_any_text_is_a_valid_span(texts: list[str]) -> None:
    train = [named(f"{t} Rome {t}", ("Rome", "LOC")) for t in texts]
    for each, spans in zip(train, word_form_floor(train, train, PLACES), strict=True):
        check_spans(each.text, spans, PLACES)


def in_turn(folds: list[list[int]]) -> list[Fold]:
    """Hold each fold out once, and learn from all the others, as a comparison does."""
    return [
        ([row for other in folds if other is not fold for row in other], fold) for fold in folds
    ]


def some_of_the_corpus(count: int) -> list[Example]:
    rows = load_corpus()
    random.Random(0).shuffle(rows)
    return [row.example for row in rows[:count]]


@pytest.mark.parametrize("task", [TOPIC, SENTIMENT], ids=lambda task: task.name)
def test_the_floor_of_sentences_equals_scikit_learn_fold_by_fold(task: Task) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    examples = some_of_the_corpus(300)
    folds = in_turn(deal_folds(examples, task, 0))
    right = usual = 0.0
    for train, test in folds:
        vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\b\w+\b")
        model = make_pipeline(vectors, LogisticRegression(C=10, max_iter=1000))
        texts, labels = zip(*((e.text, e.labels[task.name]) for e in examples), strict=True)
        true = [labels[i] for i in test]
        model.fit([texts[i] for i in train], [labels[i] for i in train])
        right += accuracy_score(true, model.predict([texts[i] for i in test]), normalize=False)
        dummy = DummyClassifier().fit([[0]] * len(train), [labels[i] for i in train])
        usual += accuracy_score(true, dummy.predict([[0]] * len(test)), normalize=False)
    expected = wilson_interval(int(right), 300)
    found = score_floor(examples, task, folds)
    assert found.lexical == expected
    assert found.majority == pytest.approx(usual / 300, abs=0.02), "ties go to other labels"
    assert found == score_floor(examples, task, folds), "the same data gives the same floor"


def test_the_floor_of_tokens_is_strict_span_f1_over_all_folds() -> None:
    examples = some_of_the_corpus(300)
    folds = in_turn(deal_folds(examples, ENTITIES, 0))
    true, predicted = [], []
    for train, test in folds:
        predicted += word_form_floor(
            [examples[i] for i in train], [examples[i] for i in test], ENTITIES
        )
        true += [examples[i].labels["entities"] for i in test]
    found = score_floor(examples, ENTITIES, folds)
    assert found.majority is None
    assert found.lexical.mean == pytest.approx(span_scores(true, predicted).f1)
    assert 0 < found.lexical.low < found.lexical.mean < found.lexical.high < 1


def test_a_floor_in_json_has_the_shape_that_scripts_read() -> None:
    examples = [named("in Rome", ("Rome", "LOC"))] * 4
    found = asdict(score_floor(examples, PLACES, [((0, 1), (2, 3))]))
    assert found == {"majority": None, "lexical": {"mean": 1.0, "low": 1.0, "high": 1.0}}


def test_rows_without_the_label_take_no_part() -> None:
    examples = [said("lava glows", "red"), said("ice melts", "blue")] * 6
    folds = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    more = [*examples, said("lava"), said("ice"), Example(text="x", labels={"colour": None})]
    plain = score_floor(examples, COLOUR, in_turn(folds))
    assert plain == Floor(majority=0.5, lexical=wilson_interval(12, 12))
    with_more = [[*folds[0], 12, 14], [*folds[1], 13], folds[2]]
    assert score_floor(more, COLOUR, in_turn(with_more)) == plain


def test_folds_that_overlap_or_hold_no_label_are_refused() -> None:
    examples = [said("lava", "red"), said("ice", "blue"), said("no label")]
    with pytest.raises(ValueError, match="held out twice"):
        score_floor(examples, COLOUR, [([0], [1]), ([0], [1])])
    with pytest.raises(ValueError, match="no held-out row has a label of task colour"):
        score_floor(examples, COLOUR, [([0, 1], [2])])
    with pytest.raises(ValueError, match="no row has a label of sentence task colour"):
        score_floor(examples, COLOUR, [([2], [0])])
    with pytest.raises(ValueError, match="no row has labels of token task places"):
        word_form_floor(examples, examples, PLACES)
    with pytest.raises(ValueError, match="no row has a label of sentence task places"):
        majority_floor([named("Rome", ("Rome", "LOC"))], [], PLACES)
