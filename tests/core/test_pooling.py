import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers.sentence_transformer.modules import Pooling as Theirs

from core.config import POOLINGS
from core.pooling import EVERY, Pooling, WeightedSum, declared_pooling, flags_of, pool

TOKENS = torch.tensor([[[1.0, -4.0], [3.0, 2.0], [9.0, 9.0]]])
MASK = torch.tensor([[1, 1, 0]])
BY_HAND = {
    "mean": [2.0, -1.0],
    "cls": [1.0, -4.0],
    "max": [3.0, 2.0],
    "weighted-mean": [(1 * 1 + 2 * 3) / 3, (1 * -4 + 2 * 2) / 3],
    "last": [3.0, 2.0],
    "mean-sqrt": [4 / 2**0.5, -2 / 2**0.5],
}


@pytest.mark.parametrize("pooling", POOLINGS)
def test_each_pooling_gives_what_a_hand_calculation_gives(pooling: str) -> None:
    assert pool(TOKENS, MASK, pooling)[0].tolist() == pytest.approx(BY_HAND[pooling])


@pytest.mark.parametrize("pooling", POOLINGS)
@given(
    length=st.integers(1, 6),
    left=st.integers(0, 3),
    right=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_padding_on_either_side_never_changes_an_embedding(
    pooling: str, length: int, left: int, right: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randn(1, length, 4, generator=generator)  # (1, tokens, hidden)
    noise = torch.randn(1, left + right, 4, generator=generator) * 100
    padded = torch.cat([noise[:, :left], tokens, noise[:, left:]], dim=1)
    mask = torch.tensor([[0] * left + [1] * length + [0] * right])
    alone = pool(tokens, torch.ones(1, length, dtype=torch.int64), pooling)
    torch.testing.assert_close(pool(padded, mask, pooling), alone)


@pytest.mark.parametrize("pooling", ["max", *(p.name for p in EVERY if not p.why_no_sum)])
def test_a_row_of_padding_gives_zeros_and_not_nan(pooling: str) -> None:
    assert pool(TOKENS, torch.zeros(1, 3), pooling).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("pooling", EVERY, ids=lambda pooling: pooling.name)
def test_the_weights_of_a_weighted_sum_rebuild_it_and_others_say_why_there_are_none(
    pooling: Pooling,
) -> None:
    assert isinstance(pooling, WeightedSum) == (not pooling.why_no_sum)
    if isinstance(pooling, WeightedSum):
        weights = pooling.weights(MASK, torch.float32)  # (1, tokens)
        rebuilt = (weights[..., None] * TOKENS).sum(1)
        torch.testing.assert_close(rebuilt, pooling(TOKENS, MASK))


@pytest.mark.parametrize("pooling", EVERY, ids=lambda pooling: pooling.name)
def test_a_folder_declares_it_by_flag_or_name_and_is_read_the_same(pooling: Pooling) -> None:
    assert sum(flags_of(pooling.name).values()) == 1
    assert declared_pooling(flags_of(pooling.name)) == pooling.name
    assert declared_pooling({"pooling_mode": pooling.theirs}) == pooling.name
    assert declared_pooling({"pooling_mode": [pooling.theirs]}) == pooling.name


def test_every_pooling_of_sentence_transformers_is_run_and_one_at_a_time() -> None:
    assert {pooling.theirs for pooling in EVERY} == set(Theirs.POOLING_MODES)
    with pytest.raises(ValueError, match=r"pooling is mean\+cls, must be one of: mean, cls"):
        declared_pooling({"pooling_mode": ["mean", "cls"]})


@pytest.mark.parametrize("pooling", EVERY, ids=lambda pooling: pooling.name)
def test_each_pooling_equals_sentence_transformers(pooling: Pooling) -> None:
    tokens = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(0))
    mask = (torch.arange(7) < torch.tensor([[7], [4], [2], [1]])).long()  # (batch, tokens)
    given = {"token_embeddings": tokens.clone(), "attention_mask": mask}
    expected = Theirs(5, pooling_mode=pooling.theirs)(given)["sentence_embedding"]
    torch.testing.assert_close(pooling(tokens, mask), expected)


def test_an_unknown_pooling_is_refused_with_every_name_that_exists() -> None:
    with pytest.raises(ValueError, match="'median', must be one of: mean, cls, max"):
        pool(TOKENS, MASK, "median")


def test_a_mask_of_the_wrong_shape_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="pass the tokenizer's attention_mask"):
        pool(TOKENS, torch.ones(1, 2), "mean")
