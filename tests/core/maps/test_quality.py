import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from core.maps.quality import map_quality

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(90, 12)).astype("f4")


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan"])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_both_figures_are_those_of_scikit_learn(metric: str, k: int) -> None:
    drawn = (POINTS[:, :2] + 0.3 * RNG.normal(size=(90, 2))).astype("f4")
    found = map_quality(POINTS, drawn, metric, k)
    true = trustworthiness(POINTS, drawn, n_neighbors=k, metric=metric)
    assert found.trustworthiness.mean == pytest.approx(true, abs=1e-6)
    plane = map_quality(drawn, POINTS, "euclidean", k).continuity.mean
    swapped = trustworthiness(POINTS, drawn, n_neighbors=k)  # continuity is it, with spaces swapped
    assert plane == pytest.approx(swapped, abs=1e-6)


def test_the_same_places_are_wholly_trusted() -> None:
    drawn = POINTS[:, :2].copy()
    found = map_quality(drawn, drawn, "euclidean", 10)
    assert (found.trustworthiness.mean, found.continuity.mean) == (1, 1)


def test_few_points_look_at_fewer_neighbours() -> None:
    assert map_quality(POINTS[:3], POINTS[:3, :2], "cosine", 15).neighbours == 1
    with pytest.raises(ValueError, match="at least 3"):
        map_quality(POINTS[:2], POINTS[:2, :2], "cosine", 15)


def test_a_sample_comes_with_an_interval_that_holds_the_figure_of_all_points() -> None:
    many = RNG.normal(size=(600, 5)).astype("f4")
    whole = map_quality(many, many[:, :2].copy(), "euclidean", 10)
    assert whole.trustworthiness.low == whole.trustworthiness.high
    held = 0
    for seed in range(40):
        some = map_quality(many, many[:, :2].copy(), "euclidean", 10, seed=seed, most=200)
        assert some.measured == 200
        low, high = some.trustworthiness.low, some.trustworthiness.high
        held += low <= whole.trustworthiness.mean <= high
    assert held >= 32  # of 40 intervals of 95 %
