import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.encoder.encoder import Encoder, load_encoder
from core.encoder.token_table import by_word, token_table
from core.measures.similarity import similarity_matrix
from core.pooling import EVERY
from tests.tiny_models import write_modules

A, B = "The ferry doesn't serve sushi.", "Boats are delayed again"
IDENTITY, TANH = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Tanh"


@given(a=st.text(max_size=80), b=st.text(max_size=80))
@settings(max_examples=30)
def test_with_mean_pooling_the_cells_add_up_to_the_cosine(
    a: str, b: str, default_encoder: Encoder
) -> None:
    table = token_table(default_encoder, a, b)
    expected = similarity_matrix(default_encoder.embed([a, b]).double())[0, 1].item()
    assert table.exact
    assert table.reason == ""
    assert table.table.sum().item() == pytest.approx(expected, abs=1e-6)
    assert table.table.shape == (len(table.a), len(table.b))
    words = by_word(table)
    assert words.table.shape == (len(words.a), len(words.b))
    assert words.table.sum().item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@pytest.mark.parametrize("pooling", [each.name for each in EVERY if not each.why_no_sum])
@pytest.mark.parametrize("family", ["bert-base", "roberta-base", "mpnet", "stella-1.5b"])
def test_the_table_is_exact_for_every_linear_way_to_an_embedding(
    family: str, pooling: str, metric: str, family_folder: Callable[[str], Path]
) -> None:
    encoder = load_encoder(str(family_folder(family))).with_pooling(pooling)
    table = token_table(encoder, A, B, metric)
    vectors = encoder.embed([A, B]).double()
    expected = similarity_matrix(vectors, metric=metric)[0, 1].item()
    assert table.exact
    assert table.score == pytest.approx(expected, rel=1e-6)
    assert table.table.sum().item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    ("pooling", "said"), [("cls", "reads one token"), ("last", "one token"), ("max", "max pooling")]
)
def test_where_pooling_makes_a_sum_impossible_the_table_says_why(
    pooling: str, said: str, tiny_encoder: Encoder
) -> None:
    table = token_table(tiny_encoder.with_pooling(pooling), A, B)
    assert not table.exact
    assert said in table.reason
    assert table.table.abs().max() <= 1 + 1e-6


def test_a_dense_layer_that_bends_makes_a_sum_impossible_and_a_linear_one_does_not(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:

    for activation, exact in ((TANH, False), (IDENTITY, True)):
        folder = Path(shutil.copytree(family_folder("minilm"), tmp_path / str(exact)))
        write_modules(folder, dense=(16, 2, activation))
        table = token_table(load_encoder(str(folder)), A, B)
        assert table.exact == exact
        assert ("dense layer that is not linear" in table.reason) != exact


def test_a_distance_is_no_sum_and_the_table_says_so(tiny_encoder: Encoder) -> None:
    table = token_table(tiny_encoder, A, B, "euclidean")
    assert not table.exact
    assert "euclidean distance is no sum" in table.reason
    assert table.score < 0


def test_special_tokens_and_sub_words_are_labelled(default_encoder: Encoder) -> None:
    table = token_table(default_encoder, A, B)
    assert table.a[0] == "[CLS]"
    assert table.a[-1] == "[SEP]"
    assert any(piece.startswith("##") for piece in table.a), "needs a word of several pieces"
    words = by_word(table)
    assert words.a[:4] == ("[CLS]", "The", "ferry", "doesn't")
    assert words.a[-1] == "[SEP]"


def test_a_sentence_too_long_to_be_read_is_said_to_be(default_encoder: Encoder) -> None:
    table = token_table(default_encoder, "word " * 400, B)
    assert table.truncated
    assert len(table.a) == default_encoder.max_tokens
    assert table.table.sum().item() == pytest.approx(table.score, abs=1e-6)


def test_cells_that_are_cosines_are_averaged_over_a_word(tiny_encoder: Encoder) -> None:
    words = by_word(token_table(tiny_encoder.with_pooling("cls"), A, B))
    assert words.table.abs().max() <= 1 + 1e-6
    assert not torch.isnan(words.table).any()


def test_a_text_without_a_single_token_gives_an_empty_table(
    family_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(family_folder("stella-1.5b"), tmp_path / "no-end-token"))
    declared = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(declared | {"add_eos_token": False}))
    encoder = load_encoder(str(folder))
    assert encoder.tokenizer.encode([""])[0].ids == [], "needs a text of no tokens"
    table = token_table(encoder, "", B)
    assert table.table.shape == (0, len(table.b))
    assert table.score == 0.0
