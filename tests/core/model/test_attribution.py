from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from core.config import POOLINGS
from core.encoder.encoder import Encoder, load_encoder, pad
from core.encoder.tokenizer import Pieces
from core.model.attribution import split_logits, why_not_exact, word_places
from core.pooling import pool
from tests.tiny_models import FAMILIES, TEXTS

LABELS = 3
LOADED: dict[str, Encoder] = {}


def encoder_of(family: str, family_folder: Callable[[str], Path]) -> Encoder:
    if family not in LOADED:
        LOADED[family] = load_encoder(str(family_folder(family)))
    return LOADED[family]


def some_head(hidden: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(LABELS, hidden, generator=generator) / hidden**0.5
    return weight, torch.randn(LABELS, generator=generator)


@torch.inference_mode()
def real_scores(
    encoder: Encoder, text: str, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Score a text as a model does: padded in a batch beside another, pooled, multiplied."""
    tokens = encoder.tokenizer.encode([text, TEXTS[0]])
    ids, mask = pad([each.ids for each in tokens])
    pooled = pool(encoder.backbone(ids, mask).float(), mask, "mean")
    return F.linear(pooled, weight, bias)[0]


@pytest.mark.parametrize("family", FAMILIES)
@given(text=st.one_of(st.sampled_from([" ".join(TEXTS), *TEXTS]), st.text(max_size=60)))
def test_words_special_tokens_and_bias_add_up_to_the_real_scores(
    family: str, text: str, family_folder: Callable[[str], Path]
) -> None:
    encoder = encoder_of(family, family_folder)
    weight, bias = some_head(encoder.hidden)
    pieces, states = encoder.token_states(text)
    split = split_logits(states, weight, bias, pieces, text)
    expected = real_scores(encoder, text, weight, bias)
    torch.testing.assert_close(split.total.float(), expected, atol=1e-5, rtol=0)
    assert split.contributions.shape == (len(split.words), LABELS)
    ends = 0
    for word, start, end in split.words:
        assert text[start:end] == word
        assert start >= ends
        ends = end


def some_pieces(words: tuple[int | None, ...], texts: tuple[str, ...]) -> Pieces:
    return Pieces(
        ids=tuple(range(len(words))),
        texts=tuple(map(str, words)),
        special=tuple(word is None for word in words),
        spans=((0, 0),) * len(words),
        words=words,
        word_texts=texts,
        truncated=False,
    )


def test_a_split_is_what_comes_out_by_hand() -> None:
    # By hand, 5 tokens: [CLS] snow ##ball fight [SEP], one number a state, weights 10 and -5.
    pieces = some_pieces((None, 0, 0, 1, None), ("snowball", "fight"))
    states = torch.tensor([[1.0], [2.0], [4.0], [-1.0], [0.5]])
    weight, bias = torch.tensor([[10.0], [-5.0]]), torch.tensor([0.25, 0.0])
    split = split_logits(states, weight, bias, pieces, " snowball fight")
    assert split.words == (("snowball", 1, 9), ("fight", 10, 15))
    # (2 + 4) / 5 * 10, (2 + 4) / 5 * -5; -1 / 5 * 10, -1 / 5 * -5; (1 + 0.5) / 5 * 10 …
    assert split.contributions.tolist() == [[12, -6], [-2, 1]]
    assert split.special.tolist() == pytest.approx([3, -1.5])
    assert split.bias.tolist() == [0.25, 0]
    assert split.total.tolist() == pytest.approx([13.25, -6.5])  # 10 * 6.5 / 5 + 0.25


def test_a_mix_of_layers_splits_like_the_layers_it_mixes() -> None:
    pieces = some_pieces((None, 0, 1), ("a", "b"))
    layers = torch.randn(4, 3, 8, generator=torch.Generator().manual_seed(0))
    shares = torch.tensor([0.1, 0.2, 0.3, 0.4])
    weight, bias = some_head(8)
    mixed = split_logits(torch.einsum("l,lth->th", shares, layers), weight, bias, pieces, "a b")
    apart = [split_logits(layer, weight, bias, pieces, "a b") for layer in layers]
    expected = sum(share * each.contributions for share, each in zip(shares, apart, strict=True))
    torch.testing.assert_close(mixed.contributions, expected, atol=1e-6, rtol=0)


def test_a_word_that_is_cut_off_keeps_its_whole_place(default_encoder: Encoder) -> None:
    text = "a  " * (default_encoder.max_tokens - 3) + "electroencephalography  again"
    pieces, states = default_encoder.token_states(text)
    assert pieces.truncated, "needs a text that is too long"
    split = split_logits(states, *some_head(default_encoder.hidden), pieces, text)
    word, start, end = split.words[-1]
    assert text[start:end] == word == "electroencephalography"
    assert len(split.contributions) == len(split.words) == default_encoder.max_tokens - 2


def test_a_text_without_a_word_or_a_token_gives_only_what_the_head_adds_itself() -> None:
    weight, bias = some_head(8)
    split = split_logits(torch.zeros(0, 8), weight, bias, some_pieces((), ()), "")
    assert split.words == ()
    assert split.contributions.shape == (0, LABELS)
    torch.testing.assert_close(split.total, bias.double())
    state = torch.ones(1, 8)
    split = split_logits(state, weight, bias, some_pieces((None,), ()), "  ")
    torch.testing.assert_close(split.special, weight.double().sum(dim=1))


def test_only_a_linear_head_on_the_mean_splits_exactly() -> None:
    exact = [name for name in POOLINGS if why_not_exact(name, None) == ""]
    assert exact == ["mean"]
    assert "cls pooling" in why_not_exact("cls", None)
    assert "hidden layer" in why_not_exact("mean", 64)
    with pytest.raises(ValueError, match="pooling is 'average', must be one of: mean"):
        why_not_exact("average", None)


def test_what_does_not_fit_together_is_refused() -> None:
    weight, bias = some_head(8)
    pieces = some_pieces((None, 0), ("snow",))
    with pytest.raises(ValueError, match=r"must be \(2, hidden\) and \(3, hidden\)"):
        split_logits(torch.zeros(3, 8), weight, bias, pieces, "snow")
    with pytest.raises(ValueError, match=r"must be \(2, hidden\) and \(3, hidden\)"):
        split_logits(torch.zeros(2, 8), weight[:2], bias, pieces, "snow")
    for text in ("lava", "a snow", ""):
        with pytest.raises(ValueError, match="give the text of these pieces"):
            word_places(text, pieces)
