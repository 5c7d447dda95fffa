"""Drift's three figures equal their references, and do not see what they must not see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ortho_group, rankdata, spearmanr
from sklearn.neighbors import NearestNeighbors

from core.measures.drift import (
    linear_cka,
    neighbours_kept,
    rank_agreement,
    spearman,
    weighted_spearman,
)

SEEDS = st.integers(0, 10_000)


def two(seed: int, texts: int = 12, dimension: int = 5) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    one = generator.normal(size=(texts, dimension)) + 3
    return one, one + generator.normal(size=(texts, dimension))


def test_cka_is_as_by_hand() -> None:
    # By hand: centred, one is (-1, 1, 0) and other (0, 1, -1); (x·y)² / (x·x · y·y) = 1 / 4.
    one, other = np.array([[1.0], [3.0], [2.0]]), np.array([[5.0], [6.0], [4.0]])
    assert linear_cka(one, other) == pytest.approx(0.25)


@given(seed=SEEDS)
def test_cka_equals_its_definition_by_hsic(seed: int) -> None:
    one, other = two(seed)
    centre = np.eye(12) - 1 / 12
    kernels = [centre @ each @ each.T @ centre for each in (one, other)]
    expected = np.sum(kernels[0] * kernels[1]) / (
        np.linalg.norm(kernels[0]) * np.linalg.norm(kernels[1])
    )
    assert linear_cka(one, other) == pytest.approx(expected)


@given(seed=SEEDS, scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100))
def test_cka_sees_no_rotation_scale_or_shift_and_is_symmetric(
    seed: int, scale: float, shift: float
) -> None:
    one, other = two(seed)
    turned = scale * other @ ortho_group.rvs(5, random_state=seed) + shift
    expected = linear_cka(one, other)
    assert linear_cka(one, turned) == pytest.approx(expected, abs=1e-6)
    assert linear_cka(other, one) == pytest.approx(expected)
    assert linear_cka(other, turned) == pytest.approx(1, abs=1e-6)
    assert 0 <= expected <= 1


def test_cka_of_what_says_the_same_of_all_texts_is_one_only_beside_the_like() -> None:
    same, different = np.full((4, 3), 0.1), np.eye(4)
    assert linear_cka(same, different) == 0
    assert linear_cka(same, 2 * same) == 1


VALUES = st.lists(st.integers(0, 5), min_size=2, max_size=20)


@given(one=VALUES, seed=SEEDS)
def test_spearman_equals_scipy_with_ties(one: list[int], seed: int) -> None:
    first = np.array(one, dtype=float)
    second = np.random.default_rng(seed).integers(0, 4, len(one)).astype(float)
    if len(set(one)) == 1 or len(set(second)) == 1:
        assert spearman(first, second) == 0
    else:
        assert spearman(first, second) == pytest.approx(spearmanr(first, second).statistic)


@given(seed=SEEDS)
def test_values_that_count_several_times_rank_as_if_written_out(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one, other = generator.integers(0, 6, (2, 10)).astype(float)
    weights = generator.integers(0, 4, (3, 10)).astype(float)
    found = weighted_spearman(one, other, weights)
    for sample, row in zip(found, weights, strict=True):
        drawn = np.repeat(np.arange(10), row.astype(int))
        if len(set(one[drawn])) > 1 and len(set(other[drawn])) > 1:
            ranks = [rankdata(each[drawn]) for each in (one, other)]
            assert sample == pytest.approx(np.corrcoef(*ranks)[0, 1])


@given(seed=SEEDS)
def test_rank_agreement_is_spearman_over_all_pairs(seed: int) -> None:
    one, other = two(seed)
    pairs = np.triu_indices(12, 1)
    cosines = []
    for each in (one, other):
        unit = each / np.linalg.norm(each, axis=1, keepdims=True)
        cosines.append((unit @ unit.T)[pairs])
    assert rank_agreement(one, other) == pytest.approx(spearmanr(*cosines).statistic)
    assert rank_agreement(one, one * 7) == pytest.approx(1)


@given(seed=SEEDS, k=st.integers(1, 20))
def test_neighbours_kept_equals_scikit_learn(seed: int, k: int) -> None:
    one, other = two(seed)
    few = min(k, 11)
    sets = [
        NearestNeighbors(n_neighbors=few, metric="cosine")
        .fit(each)
        .kneighbors(return_distance=False)
        for each in (one, other)
    ]
    kept = [len(set(a) & set(b)) for a, b in zip(*sets, strict=True)]
    assert neighbours_kept(one, other, k) == pytest.approx(sum(kept) / 12)
    assert neighbours_kept(one, one, k) == few


def test_embeddings_of_different_texts_are_refused() -> None:
    for measure in (linear_cka, rank_agreement, neighbours_kept):
        with pytest.raises(ValueError, match="of the same texts"):
            measure(np.ones((4, 2)), np.ones((5, 2)))
    with pytest.raises(ValueError, match="of one length"):
        spearman(np.ones(3), np.ones(4))
