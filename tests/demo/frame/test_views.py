import json

import numpy as np
import pytest

from core.encoder.encoder import Encoder
from core.encoder.token_table import by_word, token_table
from core.model.documents import similarity_document
from demo.frame import views as charts
from demo.similarity import views as similarity_views

TEXTS = ["The ferry left late.", "The unbelievably boat was delayed.", "Snow."]


def test_the_answer_names_the_most_and_the_least_alike(default_encoder: Encoder) -> None:
    document = similarity_document(default_encoder, TEXTS)
    answer = similarity_views.answer_in_words(document)
    assert answer["lead"].startswith("Most alike: 1 and 2 (0.")
    assert answer["rest"].startswith("Least alike: ")


def test_a_view_is_plain_json_with_numbers_and_text_only(tiny_encoder: Encoder) -> None:
    document = similarity_document(tiny_encoder, ["<b>a</b>", "b"])
    view = similarity_views.compare_view(document, label="tiny", seconds=0.01)
    assert json.loads(json.dumps(view, allow_nan=False)) == view
    assert view["sentences"] == ["<b>a</b>", "b"], "drawn as text, so never escaped twice"


def test_the_difference_names_the_pair_that_changed_most() -> None:
    first, second = np.eye(3), np.eye(3)
    second[0, 2] = second[2, 0] = -0.5
    said = similarity_views.difference_in_words(first, second, comparable=True)
    assert said.startswith("Side by side: 1 and 3 change most, from 0.00 to −0.50")
    assert "different scales" in similarity_views.difference_in_words(
        first, second, comparable=False
    )
    assert "the same scores" in similarity_views.difference_in_words(first, first, comparable=True)


def test_the_word_table_keeps_the_sum_and_names_the_marks(default_encoder: Encoder) -> None:
    table = token_table(default_encoder, TEXTS[0], TEXTS[1])
    view = similarity_views.token_view(table, (TEXTS[0], TEXTS[1]), (0, 1))
    assert np.sum(view["table"]) == pytest.approx(table.score, abs=1e-4)
    assert [view["a"][0]["text"], view["a"][-1]["text"]] == ["start", "end"]
    assert [word["special"] for word in view["b"]].count(True) == 2
    assert len(view["b"]) == len(by_word(table).b)
    assert f"add up to {table.score:.3f} exactly" in view["sum"]


def test_where_nothing_adds_up_the_reason_is_said(default_encoder: Encoder) -> None:
    table = token_table(default_encoder.with_pooling("max"), TEXTS[0], TEXTS[1])
    view = similarity_views.token_view(table, (TEXTS[0], TEXTS[1]), (0, 1))
    assert view["sum"].startswith("These cells do not add up: max pooling")


def test_a_minus_is_a_minus_and_zero_has_none() -> None:
    assert [charts.signed(value) for value in (-0.5, -0.001, 0.001)] == ["−0.50", "0.00", "0.00"]


def test_truncated_sentences_are_named_up_to_ten() -> None:
    assert charts.truncation_notes([False, True]) == [
        "Sentence 2 is longer than the encoder reads; its end was left out."
    ]
    assert "and 5 more" in charts.truncation_notes([True] * 15)[0]
