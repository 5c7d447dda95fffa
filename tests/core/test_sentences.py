import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import MAX_SENTENCE_CHARACTERS
from core.sentences import (
    CHUNK_CHARACTERS,
    CHUNK_SENTENCES,
    check_lengths,
    check_sentences,
    check_top,
    chunks,
    clean,
    split_sentences,
)


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("  A cat.\r\n", "A cat."),
        ("a\tb\u2028c", "a b c"),
        ("\x1b[31mred\x1b[0m\x00\x07", "[31mred[0m"),
        ("\x9b31m", "31m"),
        ("\udce9t\ud83d", "t"),
        ("\ufeff\u200b \u2060", ""),
        ("👩‍👩‍👧 naïve 日本 العربية", "👩‍👩‍👧 naïve 日本 العربية"),
        ("\xa0 \u3000", ""),
    ],
)
def test_control_characters_and_blank_ends_are_dropped_and_all_else_is_kept(
    given: str, cleaned: str
) -> None:
    assert clean(given) == cleaned


@given(st.text())
def test_nothing_that_a_terminal_obeys_survives_cleaning(text: str) -> None:
    cleaned = clean(text)
    assert not {unicodedata.category(c) for c in cleaned} & {"Cc", "Cs"}
    assert clean(cleaned) == cleaned


def test_lines_are_split_and_blank_ones_are_left_out() -> None:
    assert split_sentences("A cat.\n\n  \nA dog.") == ["A cat.", "A dog."]
    assert split_sentences([" A cat. ", ""]) == ["A cat."]


def test_something_else_than_text_in_a_list_is_refused_by_its_number() -> None:
    with pytest.raises(ValueError, match=r"sentence 2 is a int, must be text"):
        split_sentences(["a", 3])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "there is no sentence, must be at least 2 sentences"),
        (["a"], "there is one sentence, must be at least 2 sentences"),
        (["a"] * 4, "there are 4 sentences, must be at most 3"),
        (["a", "x" * 100_001], "sentence 2 has 100,001 characters, must be at most 100,000"),
    ],
)
def test_too_few_too_many_and_too_long_sentences_are_refused(
    texts: list[str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check_sentences(texts, at_least=2, at_most=3)


def test_the_longest_sentence_allowed_is_allowed() -> None:
    check_lengths(["x" * MAX_SENTENCE_CHARACTERS])


def test_a_sentence_in_a_later_chunk_is_named_by_its_place_in_the_whole() -> None:
    with pytest.raises(ValueError, match="sentence 2,050 has"):
        check_lengths(["a", "x" * 100_001], first=2_048)


def test_no_hits_are_refused() -> None:
    with pytest.raises(ValueError, match="top is 0, must be at least 1"):
        check_top(0)


@given(st.lists(st.text(max_size=5), max_size=50))
def test_chunks_hold_every_sentence_in_order(texts: list[str]) -> None:
    assert [text for chunk in chunks(texts) for text in chunk] == texts


def test_a_chunk_ends_at_its_number_of_sentences_or_characters() -> None:
    short = [len(chunk) for chunk in chunks(["a"] * (CHUNK_SENTENCES + 1))]
    assert short == [CHUNK_SENTENCES, 1]
    long = [len(chunk) for chunk in chunks(["x" * (CHUNK_CHARACTERS // 2)] * 3)]
    assert long == [2, 1]
