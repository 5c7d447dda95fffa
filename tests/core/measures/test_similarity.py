import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sentence_transformers import util
from sentence_transformers.util import euclidean_sim, manhattan_sim

import core.measures.similarity
from core.config import METRICS
from core.measures.similarity import Hit, Pair, ranked_pairs, similarity_matrix, top_k

REFERENCES = {
    "cosine": util.cos_sim,
    "dot": util.dot_score,
    "euclidean": euclidean_sim,
    "manhattan": manhattan_sim,
}


def vectors(count: int, seed: int = 0, dimension: int = 8) -> torch.Tensor:
    return torch.randn(count, dimension, generator=torch.Generator().manual_seed(seed))


def test_cosine_is_what_a_hand_calculation_gives() -> None:
    a, b = torch.tensor([[3.0, 4.0]]), torch.tensor([[4.0, 3.0]])
    # By hand: (3*4 + 4*3) / (5*5) = 0.96
    assert similarity_matrix(a, b).item() == pytest.approx(0.96)


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_equals_sentence_transformers(metric: str) -> None:
    a, b = vectors(5), vectors(7, seed=1)
    torch.testing.assert_close(similarity_matrix(a, b, metric), REFERENCES[metric](a, b))


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 200), count=st.integers(1, 8))
def test_a_list_against_itself_is_symmetric_and_most_like_itself(
    metric: str, seed: int, count: int
) -> None:
    matrix = similarity_matrix(vectors(count, seed), metric=metric)
    torch.testing.assert_close(matrix, matrix.T, atol=1e-5, rtol=1e-5)
    if metric != "dot":
        assert (matrix.diagonal() >= matrix.max() - 1e-4).all()


def test_identical_rows_are_at_distance_zero_exactly() -> None:
    a = vectors(1).repeat(3, 1) * 1000
    assert similarity_matrix(a, metric="euclidean").abs().max() == 0


def test_the_cosine_with_a_zero_vector_is_zero_and_not_nan() -> None:
    assert similarity_matrix(torch.zeros(1, 4), torch.ones(1, 4)).item() == 0.0


def test_pairs_come_best_first_and_ties_in_reading_order() -> None:
    matrix = torch.tensor([[1.0, 0.5, 0.9], [0.5, 1.0, 0.5], [0.9, 0.5, 1.0]])
    assert ranked_pairs(matrix) == [
        Pair(0, 2, pytest.approx(0.9)),
        Pair(0, 1, 0.5),
        Pair(1, 2, 0.5),
    ]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scores_at_once", [7, 4_000_000])
def test_search_in_blocks_finds_what_sorting_everything_finds(
    metric: str, scores_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.measures.similarity, "SCORES_AT_ONCE", scores_at_once)
    queries, corpus = vectors(3), vectors(50, seed=1)
    everything = similarity_matrix(queries, corpus, metric)
    for row, hits in zip(everything, top_k(queries, corpus, 6, metric), strict=True):
        best = torch.argsort(row, descending=True, stable=True)[:6]
        assert [hit.position for hit in hits] == best.tolist()
        assert [hit.score for hit in hits] == pytest.approx(row[best].tolist(), abs=1e-5)


def test_search_prefers_the_earlier_of_equal_sentences_across_blocks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(core.measures.similarity, "SCORES_AT_ONCE", 2)
    corpus = torch.ones(6, 3)
    hits = top_k(torch.ones(1, 3), corpus, 3)[0]
    assert [hit.position for hit in hits] == [0, 1, 2]


def test_search_of_a_short_list_returns_all_of_it() -> None:
    assert top_k(torch.ones(1, 2), torch.ones(1, 2), 10) == [[Hit(0, pytest.approx(1.0))]]


@pytest.mark.slow
def test_search_of_100_000_rows_never_holds_the_whole_matrix() -> None:
    corpus = vectors(100_000, dimension=16)
    whole = len(corpus) ** 2
    assert whole / 1000 > core.measures.similarity.SCORES_AT_ONCE, "needs blocks"
    hits = top_k(corpus[:2000], corpus, 1)
    assert [found[0].position for found in hits] == list(range(2000))


@pytest.mark.parametrize(
    ("a", "b"), [(torch.ones(2), torch.ones(2)), (torch.ones(1, 2), torch.ones(1, 3))]
)
def test_embeddings_that_do_not_fit_are_refused(a: torch.Tensor, b: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="two matrices of one dimension"):
        similarity_matrix(a, b)


def test_an_unknown_metric_and_a_k_of_zero_are_refused() -> None:
    with pytest.raises(ValueError, match="metric is 'hamming', must be one of: cosine, dot"):
        similarity_matrix(torch.ones(1, 2), metric="hamming")
    with pytest.raises(ValueError, match="k is 0, must be at least 1"):
        top_k(torch.ones(1, 2), torch.ones(1, 2), 0)
    with pytest.raises(ValueError, match="must be square"):
        ranked_pairs(torch.ones(2, 3))
