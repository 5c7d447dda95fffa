import numpy as np
import pytest

from core.maps.fuzzy_graph import fuzzy_graph, membership
from core.maps.near import nearest

POINTS = np.random.default_rng(0).normal(size=(80, 6)).astype("f4")


def test_weights_add_up_to_the_logarithm_of_the_neighbours() -> None:
    _, lengths = nearest(POINTS, 8, "euclidean")
    total = membership(lengths, connected=True)[:, 1:].sum(axis=1)
    assert np.allclose(total, np.log2(8), atol=1e-6)


def test_the_nearest_belongs_wholly_and_the_farther_the_less() -> None:
    _, lengths = nearest(POINTS, 8, "euclidean")
    weights = membership(lengths, connected=True)
    assert np.allclose(weights[:, 1], 1)
    assert (np.diff(weights, axis=1) <= 1e-12).all()


def test_equal_points_make_no_number_that_is_not_finite() -> None:
    lengths = np.zeros((4, 3), dtype="f4")
    for connected in (True, False):
        assert np.isfinite(membership(lengths, connected=connected)).all()


@pytest.mark.slow
def test_the_graph_is_that_of_umap_learn() -> None:
    umap_ = pytest.importorskip("umap.umap_")
    indices, lengths = nearest(POINTS, 10, "cosine")
    theirs = umap_.fuzzy_simplicial_set(
        POINTS,
        10,
        np.random.RandomState(0),
        "cosine",
        knn_indices=indices.astype("i4"),
        knn_dists=lengths,
    )[0]
    assert abs(theirs - fuzzy_graph(indices, lengths)).max() < 1e-4


def test_the_graph_is_symmetric_and_nobody_is_near_itself() -> None:
    graph = fuzzy_graph(*nearest(POINTS, 6, "cosine")).toarray()
    assert np.allclose(graph, graph.T)
    assert graph.diagonal().max() == 0
    assert graph.max() <= 1 + 1e-12
