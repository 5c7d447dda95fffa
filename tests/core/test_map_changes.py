import numpy as np
import pytest

from core.config import MapSettings
from core.map_changes import changes, project_pair, turned_onto

RNG = np.random.default_rng(0)
POINTS = (3 * np.eye(4, 8).repeat(12, axis=0) + 0.4 * RNG.normal(size=(48, 8))).astype("f4")


def test_a_turned_mirrored_and_scaled_picture_is_turned_back() -> None:
    places = RNG.normal(size=(30, 2)).astype("f4")
    turned = 3 * places @ np.array([[0.6, 0.8], [0.8, -0.6]], dtype="f4") + 5
    assert turned_onto(turned, places) == pytest.approx(places, abs=1e-4)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_what_did_not_change_hardly_moves(method: str) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))
    after = (POINTS @ turn).astype("f4")  # another space, and the same cosines
    before, second = project_pair(POINTS, after, MapSettings(method=method))
    size = np.linalg.norm(before.places - before.places.mean(axis=0), axis=1).mean()
    moved = np.linalg.norm(before.places - second.places, axis=1)
    assert np.median(moved) < 0.25 * size


def test_the_pairs_that_moved_most_and_the_neighbours_kept_are_found() -> None:
    after = POINTS.copy()
    after[5] = -POINTS[5]
    found = changes(POINTS, after, neighbours=5, pairs=4)
    cosines = [v @ v.T / np.outer(*[np.linalg.norm(v, axis=1)] * 2) for v in (POINTS, after)]
    change = cosines[1] - cosines[0]
    assert {5} == {p.a if p.b != 5 else 5 for p in found.apart if p.a == 5 or p.b == 5}
    assert all(5 in (p.a, p.b) for p in found.apart)
    assert found.apart[0].after - found.apart[0].before == pytest.approx(change.min(), abs=1e-5)
    assert found.together[0].after - found.together[0].before == pytest.approx(
        change.max(), abs=1e-5
    )
    assert found.kept.argmin() == 5
    same = changes(POINTS, POINTS.copy())
    assert same.kept.min() == 1
    assert (same.apart, same.together) == ((), ())


def test_other_sentences_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="48 embeddings before and 47 after"):
        changes(POINTS, POINTS[1:])
    with pytest.raises(ValueError, match="48 embeddings before and 47 after"):
        project_pair(POINTS, POINTS[1:])
