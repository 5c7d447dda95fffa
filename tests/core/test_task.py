import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.encoder.encoder import Encoder
from core.task import (
    ENTITIES,
    KINDS,
    SENTIMENT,
    SHIPPED_TASKS,
    Span,
    Task,
    check_spans,
    kind_of,
    labels_in,
    relabelled,
    spans_of,
    tags_of,
)

TEXT = "Ada Lovelace left Lima."
PIECES = [(0, 0), (0, 3), (4, 8), (8, 12), (13, 17), (18, 22), (22, 23), (0, 0)]
SPANS = [Span(0, 12, "PER"), Span(18, 22, "LOC")]
TAGS = ["O", "B-PER", "I-PER", "I-PER", "O", "B-LOC", "O", "O"]


def test_tokens_get_the_tags_of_the_span_they_lie_in_and_back() -> None:
    assert tags_of(PIECES, SPANS) == TAGS
    assert spans_of(TEXT, PIECES, TAGS) == SPANS


def test_an_inside_tag_never_starts_a_span() -> None:
    tags = ["O", "I-PER", "O", "B-LOC", "I-PER", "I-LOC", "O", "O"]
    assert spans_of(TEXT, PIECES, tags) == [Span(8, 12, "LOC")]


def test_two_spans_that_touch_stay_two() -> None:
    tags = ["O", "B-PER", "B-PER", "I-PER", "O", "O", "O", "O"]
    assert spans_of(TEXT, PIECES, tags) == [Span(0, 3, "PER"), Span(4, 12, "PER")]


def test_tokens_that_start_with_a_space_give_spans_without_it() -> None:
    pieces = [(0, 3), (3, 12), (12, 17), (17, 22), (22, 23)]  # byte-level: " Lovelace", " Lima"
    assert tags_of(pieces, SPANS) == ["B-PER", "I-PER", "O", "B-LOC", "O"]
    assert spans_of(TEXT, pieces, tags_of(pieces, SPANS)) == SPANS


@given(data=st.data())
def test_any_spans_over_whole_tokens_survive_the_way_to_tags_and_back(
    data: st.DataObject, default_encoder: Encoder
) -> None:
    text = "Okra & Sons hires Temitope in Jos, then Nguyễn Thị Hoa in São Paulo."
    pieces = default_encoder.tokenizer.pieces(text)
    words = sorted({span for span in pieces.spans if span[0] < span[1]})
    starts = data.draw(
        st.lists(st.integers(0, len(words) - 1), unique=True, max_size=6).map(sorted)
    )
    spans = []
    for place, start in enumerate(starts):
        most = starts[place + 1] if place + 1 < len(starts) else len(words)
        end = data.draw(st.integers(start + 1, most))
        label = data.draw(st.sampled_from(ENTITIES.labels))
        spans.append(Span(words[start][0], words[end - 1][1], label))
    assert spans_of(text, pieces.spans, tags_of(pieces.spans, spans)) == spans


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (Span(5, 5, "PER"), "does not lie in the"),
        (Span(0, 99, "PER"), "does not lie in the"),
        (Span(0, 3, "MISC"), "labelled 'MISC', must be one of: PER, LOC, ORG"),
        (Span(0, 4, "PER"), "begins or ends with a space"),
    ],
)
def test_a_span_that_cannot_be_is_refused(span: Span, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_spans(TEXT, [span], ENTITIES)


def test_spans_that_overlap_are_refused() -> None:
    with pytest.raises(ValueError, match="overlaps the one before it"):
        check_spans(TEXT, [Span(4, 12, "PER"), Span(0, 8, "LOC")], ENTITIES)


def test_the_classes_of_a_token_task_are_outside_and_two_for_each_label() -> None:
    assert ENTITIES.classes == ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG")
    assert SENTIMENT.classes == SENTIMENT.labels
    assert [task.name for task in SHIPPED_TASKS] == ["topic", "sentiment", "entities"]


@pytest.mark.parametrize(
    ("name", "kind", "labels", "said"),
    [
        ("a b", "sentence", ("x", "y"), "must be letters, digits"),
        ("a", "word", ("x", "y"), "must be sentence or token"),
        ("a", "sentence", ("x",), "has 1 labels, needs 2"),
        ("a", "sentence", ("x", "x"), "empty or repeated"),
        ("a", "token", (), "has 0 labels, needs 1"),
    ],
)
def test_a_task_is_checked_when_it_is_made(
    name: str, kind: str, labels: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Task(name=name, kind=kind, labels=labels)


def test_the_bytes_of_one_character_give_one_span_not_one_over_another() -> None:
    text, pieces = "a 🎉 b", [(0, 1), (1, 3), (2, 3), (2, 3), (3, 5)]
    tags = ["O", "B-PER", "B-LOC", "B-PER", "B-LOC"]
    assert spans_of(text, pieces, tags) == [Span(2, 3, "PER"), Span(4, 5, "LOC")]


@given(
    starts=st.lists(st.integers(0, 9), max_size=8),
    lengths=st.lists(st.integers(0, 4), min_size=8, max_size=8),
    tags=st.lists(st.sampled_from(ENTITIES.classes), min_size=8, max_size=8),
)
def test_spans_never_share_a_character_whatever_the_tokens_do(
    starts: list[int], lengths: list[int], tags: list[str]
) -> None:
    text = "abcdefghijklmn"
    pieces = sorted((start, start + length) for start, length in zip(starts, lengths, strict=False))
    check_spans(text, spans_of(text, pieces, tags[: len(pieces)]), ENTITIES)


def test_a_task_is_never_called_as_a_prediction_s_own_fields_are() -> None:
    with pytest.raises(ValueError, match="cannot be called 'text'"):
        Task(name="text", kind="sentence", labels=("a", "b"))


def test_a_rows_label_says_which_kind_of_task_it_makes() -> None:
    spans = (Span(0, 3, "PER"), Span(4, 7, "PER"))
    assert [kind_of(rows).word for rows in ([None, "news"], [spans, None], [()], [None])] == [
        "sentence",
        "token",
        "token",
        "sentence",
    ]
    assert [kind.word for kind in KINDS if kind.holds(None)] == []


def test_the_labels_in_a_rows_label_are_listed_and_renamed() -> None:
    spans = (Span(0, 3, "PER"), Span(4, 7, "LOC"), Span(8, 9, "PER"))
    assert [labels_in(label) for label in (None, "news", (), spans)] == [
        [],
        ["news"],
        [],
        ["PER", "LOC", "PER"],
    ]
    changes = {"PER": "person", "LOC": None, "news": None}
    assert relabelled(spans, changes) == (Span(0, 3, "person"), Span(8, 9, "person"))
    assert relabelled("news", changes) is None
    assert relabelled("sports", changes) == "sports"
    assert relabelled(None, changes) is None
