import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.encoder.encoder import Encoder
from core.encoder.tokenizer import load_tokenizer


def test_padding_and_truncation_that_a_file_brings_along_are_dropped(
    family_folder: Callable[[str], Path],
) -> None:
    folder = family_folder("minilm")
    brought = json.loads((folder / "tokenizer.json").read_text())
    assert brought["padding"] is not None, "needs a file that pads"
    assert brought["truncation"]["max_length"] < 32, "and truncates earlier"
    tokenizer = load_tokenizer(folder, 32)
    short, long = tokenizer.encode(["it works", "man " * 100])
    assert len(short.ids) < 10
    assert not short.truncated
    assert len(long.ids) == 32
    assert long.truncated


def test_the_smaller_of_the_declared_limits_holds(family_folder: Callable[[str], Path]) -> None:
    assert load_tokenizer(family_folder("bert-base"), 16).max_tokens == 16
    assert load_tokenizer(family_folder("bert-base"), 500).max_tokens == 64
    assert load_tokenizer(family_folder("bert-base"), None).max_tokens == 64


def test_an_end_token_is_added_where_the_configuration_asks_for_one(
    family_folder: Callable[[str], Path],
) -> None:
    tokenizer = load_tokenizer(family_folder("stella-1.5b"), 64)
    end = tokenizer.backend.token_to_id("<|endoftext|>")
    assert tokenizer.encode(["snow", ""])[0].ids[-1] == end
    assert tokenizer.encode(["", ""])[0].ids == [end]


def test_lower_casing_is_done_where_an_older_folder_asks(
    family_folder: Callable[[str], Path],
) -> None:
    plain = load_tokenizer(family_folder("roberta-base"), 64)
    lower = load_tokenizer(family_folder("roberta-base"), 64, lower_case=True)
    assert plain.encode(["FERRY"]) != plain.encode(["ferry"])
    assert lower.encode(["FERRY"]) == plain.encode(["ferry"])


def test_a_folder_with_a_word_list_only_gets_a_tokenizer_all_the_same(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(family_folder("bert-base"), tmp_path / "older"))
    words = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join(sorted(words, key=words.__getitem__)) + "\n")
    text = ["It does not work, naïve ferry!"]
    expected = load_tokenizer(family_folder("bert-base"), 64).encode(text)
    assert load_tokenizer(folder, 64).encode(text) == expected


@pytest.mark.parametrize("content", ["", "{}", "not json", '{"version": "1.0"}'])
def test_a_broken_tokenizer_file_is_one_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ValueError, match="is not a tokenizer that can be read"):
        load_tokenizer(tmp_path, 16)


def test_pieces_know_their_words_and_their_place(default_encoder: Encoder) -> None:
    text = "Don't eat sushi, 東京!"
    pieces = default_encoder.tokenizer.pieces(text)
    assert pieces.word_texts == ("Don't", "eat", "sushi", ",", "東", "京", "!")
    assert pieces.texts[0] == "[CLS]"
    assert pieces.special[0]
    assert pieces.words[0] is None
    assert "##shi" in pieces.texts
    for (start, end), word in zip(pieces.spans, pieces.words, strict=True):
        if word is not None:
            assert text[start:end] in pieces.word_texts[word]


@pytest.mark.parametrize("family", ["minilm", "roberta-base", "multilingual-minilm", "stella-1.5b"])
@given(text=st.text(max_size=60))
def test_pieces_agree_with_encode_on_any_text(
    family: str, text: str, family_folder: Callable[[str], Path]
) -> None:
    tokenizer = load_tokenizer(family_folder(family), 32)
    pieces, tokens = tokenizer.pieces(text), tokenizer.encode([text])[0]
    assert list(pieces.ids) == tokens.ids
    assert pieces.truncated == tokens.truncated
    assert len(pieces.texts) == len(pieces.words) == len(pieces.ids)
    seen = [word for word in pieces.words if word is not None]
    assert all(0 <= word < len(pieces.word_texts) for word in seen)


def test_byte_level_pieces_are_shown_as_text(family_folder: Callable[[str], Path]) -> None:
    pieces = load_tokenizer(family_folder("roberta-base"), 64).pieces("The ferry left")
    assert "".join(pieces.texts[1:-1]) == "The ferry left"
    assert pieces.word_texts == ("The", "ferry", "left")


@pytest.mark.parametrize(("family", "folds"), [("minilm", True), ("roberta-base", False)])
def test_a_tokenizer_says_whether_it_hides_capitals(
    family_folder: Callable[[str], Path], family: str, folds: bool
) -> None:
    assert load_tokenizer(family_folder(family), 32).folds_case is folds
