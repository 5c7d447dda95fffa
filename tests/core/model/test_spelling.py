import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.encoder.encoder import load_encoder
from core.encoder.tokenizer import Pieces, Tokenizer
from core.model.spelling import FEATURES, spelling_features
from tests.tiny_models import FAMILIES, word_pieces
from tests.tiny_tasks import HOSTILE_TEXTS

TOKENIZER = Tokenizer(word_pieces(), 64)


def pieces_of(*spans: tuple[int, int], special: tuple[bool, ...] = ()) -> Pieces:
    return Pieces(
        ids=tuple(range(len(spans))),
        texts=("",) * len(spans),
        special=special or (False,) * len(spans),
        spans=spans,
        words=(None,) * len(spans),
        word_texts=(),
        truncated=False,
    )


def named(row: torch.Tensor) -> set[str]:
    return {name for name, value in zip(FEATURES, row.tolist(), strict=True) if value == 1}


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_of_every_family_has_a_row_of_shares(
    family: str, text: str, family_folder: Callable[[str], Path]
) -> None:
    pieces = load_encoder(str(family_folder(family))).tokenizer.pieces(text)
    found = spelling_features(text, pieces)
    assert found.shape == (len(pieces.ids), len(FEATURES))
    assert found.dtype == torch.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert not found[torch.tensor(pieces.special, dtype=torch.bool)].any()


@given(st.text(max_size=80))
def test_any_text_gives_a_row_of_shares_for_each_token(text: str) -> None:
    pieces = TOKENIZER.pieces(text)
    found = spelling_features(text, pieces)
    assert found.shape == (len(pieces.ids), len(FEATURES))
    assert ((found >= 0) & (found <= 1)).all()


@given(st.lists(st.sampled_from(["ferry", "boats", "fog", "hall"]), min_size=1, max_size=6))
def test_lower_cased_words_begin_their_words_and_are_nothing_else(words: list[str]) -> None:
    text = " ".join(words)
    rows = spelling_features(text, TOKENIZER.pieces(text))
    assert not rows[:, [i for i, name in enumerate(FEATURES) if name != "begins its word"]].any()
    assert rows[:, FEATURES.index("begins its word")].sum() == len(words)


def test_each_feature_says_how_its_word_is_written() -> None:
    text = "We met @Anna in NYC, near iPhone 4s. Then Bo left"
    words = ["We", "met", "Anna", "in", "NYC", "near", "iPhone", "4s", "Then", "Bo", "left"]
    places = []
    at = 0
    for word in words:
        at = text.index(word, at)
        places.append((at, at + len(word)))
    rows = dict(zip(words, spelling_features(text, pieces_of(*places)), strict=True))
    begins = "begins its word"
    assert named(rows["We"]) == {"capital", begins}, "the first word follows no lower-cased one"
    assert named(rows["met"]) == {begins, "after a capital", "before a capital"}
    assert named(rows["Anna"]) == {
        "capital",
        "capital after a lower-cased word",
        "after @ or #",
        begins,
    }
    assert "all capitals" in named(rows["NYC"])
    assert "capital inside" not in named(rows["NYC"])
    assert named(rows["iPhone"]) == {"capital inside", begins}
    assert named(rows["4s"]) == {"digit", begins, "before a capital"}
    assert "capital after a lower-cased word" not in named(rows["Then"]), "a sentence begins there"
    assert "capital after a lower-cased word" not in named(rows["Bo"])
    rare = FEATURES.index("capital where few words have one")
    assert rows["Anna"][rare] == pytest.approx(1 - 4 / 10)  # by hand: We, NYC, Then, Bo of 10
    assert rows["met"][rare] == 0


def test_pieces_of_one_word_share_its_features_but_for_where_it_begins() -> None:
    rows = spelling_features("saw Annabel", pieces_of((0, 3), (3, 7), (7, 9), (9, 11)))
    begins = FEATURES.index("begins its word")
    assert rows[1:, begins].tolist() == [1, 0, 0], "one begins at the space before, as bytes do"
    kept = [i for i in range(len(FEATURES)) if i != begins]
    assert torch.equal(rows[1][kept], rows[2][kept])
    assert torch.equal(rows[2], rows[3])


def test_no_tokens_give_no_rows() -> None:
    assert spelling_features("Anna", pieces_of()).shape == (0, len(FEATURES))


def test_the_longest_text_allowed_costs_no_more_than_a_second() -> None:
    text = "Ab " * 33_000
    pieces = TOKENIZER.pieces(text)
    assert pieces.truncated
    start = time.perf_counter()
    spelling_features(text, pieces)
    assert time.perf_counter() - start < 1
