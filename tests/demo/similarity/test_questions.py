import pytest

from core.config import EncoderChoice
from core.encoder.encoder import Encoder
from demo.frame.asking import MOST_IN_A_LINK
from demo.similarity.questions import (
    Question,
    compare,
    document_of,
    explain,
    link_of,
    search,
    with_choice,
)

TEXTS = ("The ferry left late.", "The boat was delayed.", "Snow.")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ((), "there is no sentence yet: write 2 to 200"),
        (("one",), "there is 1 sentence, must be 2 to 200"),
        (("x",) * 201, "there are 201 sentences, must be 2 to 200"),
    ],
    ids=["none", "one", "too many"],
)
def test_a_wrong_number_of_sentences_is_told(
    tiny_encoder: Encoder, texts: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        compare(lambda _: tiny_encoder, Question(texts=texts))


def test_two_poolings_stand_side_by_side(tiny_encoder: Encoder) -> None:
    question = Question(texts=TEXTS, second=EncoderChoice(pooling="max"))
    view = compare(lambda choice: tiny_encoder.with_pooling(choice.pooling), question)
    second = view["second"]
    assert second["label"] == "MiniLM, max pooling"
    for i, row in enumerate(second["difference"]):
        for j, change in enumerate(row):
            assert change == pytest.approx(second["matrix"][i][j] - view["matrix"][i][j], abs=2e-6)
    assert "Side by side" in view["answer"]["notes"][0]


def test_the_same_encoder_beside_itself_changes_nothing(tiny_encoder: Encoder) -> None:
    question = Question(texts=TEXTS, second=EncoderChoice())
    view = compare(lambda _: tiny_encoder, question)
    assert "the two give the same scores" in view["answer"]["notes"][0]


@pytest.mark.parametrize("pair", [(0, 0), (0, 3), (-1, 1)])
def test_a_pair_that_is_not_there_is_refused(tiny_encoder: Encoder, pair: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="there is no pair"):
        explain(lambda _: tiny_encoder, Question(texts=TEXTS), *pair)


def test_search_finds_the_sentence_itself_first(tiny_encoder: Encoder) -> None:
    view, document = search(lambda _: tiny_encoder, "Snow.", Question(texts=TEXTS), top=2)
    assert document["hits"][0]["index"] == 2
    assert view["lead"] == "Closest: sentence 3 (1.00)."


@pytest.mark.parametrize(
    ("query", "texts", "top", "message"),
    [
        ("", TEXTS, 5, "the query is empty"),
        ("a", (), 5, "there is no sentence to search"),
        ("a", TEXTS, 0, "top is 0, must be 1 to 50"),
        ("a", ("x",) * 10_001, 5, "must be at most 10,000"),
    ],
    ids=["no query", "no list", "no hits", "too long a list"],
)
def test_a_search_that_cannot_be_made_is_told(
    tiny_encoder: Encoder, query: str, texts: tuple[str, ...], top: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        search(lambda _: tiny_encoder, query, Question(texts=texts), top=top)


def test_what_is_downloaded_is_what_was_compared(tiny_encoder: Encoder) -> None:
    question = Question(texts=TEXTS, metric="dot")
    document = document_of(lambda _: tiny_encoder, question)
    shown = compare(lambda _: tiny_encoder, question)["matrix"]
    assert document["matrix"][0] == pytest.approx(shown[0], abs=1e-6)


def test_the_pooling_beside_follows_the_encoder_of_the_sidebar() -> None:
    question = Question(texts=TEXTS, second=EncoderChoice(pooling="max"))
    moved = with_choice(question, EncoderChoice(name="mpnet"))
    assert moved.second == EncoderChoice(name="mpnet", pooling="max")


def test_a_link_that_would_be_too_long_holds_nothing() -> None:
    assert link_of(Question(texts=TEXTS))["s"] == "\n".join(TEXTS)
    assert link_of(Question(texts=("x" * (MOST_IN_A_LINK + 1),))) == {}
