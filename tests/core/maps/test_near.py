import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from core.maps.near import StoppedMapError, nearest


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan"])
def test_the_nearest_are_those_of_all_distances(metric: str) -> None:
    rng = np.random.default_rng(0)
    points, asked = rng.normal(size=(60, 7)).astype("f4"), rng.normal(size=(9, 7)).astype("f4")
    indices, lengths = nearest(points, 5, metric, queries=asked)
    true = pairwise_distances(asked, points, metric=metric)
    assert np.array_equal(indices, np.argsort(true, axis=1)[:, :5])
    assert np.allclose(lengths, np.sort(true, axis=1)[:, :5], atol=1e-5)


def test_a_point_is_its_own_nearest_even_among_equals() -> None:
    points = np.ones((6, 3), dtype="f4")
    indices, lengths = nearest(points, 3, "cosine")
    assert indices[:, 0].tolist() == list(range(6))
    assert np.abs(lengths).max() < 1e-6


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(1).normal(size=(50, 4)).astype("f4")
    whole = nearest(points, 4, "euclidean")
    monkeypatch.setattr("core.maps.near.DISTANCES_AT_ONCE", 130)
    assert np.array_equal(nearest(points, 4, "euclidean")[0], whole[0])


def test_it_stops_when_asked_to() -> None:
    with pytest.raises(StoppedMapError):
        nearest(np.eye(4, dtype="f4"), 2, "cosine", cancelled=lambda: True)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="metric is 'dot', must be one of: cosine"):
        nearest(np.eye(4, dtype="f4"), 2, "dot")
