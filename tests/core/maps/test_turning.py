import numpy as np
import pytest

from core.maps.turning import turn_onto, turned_onto

PLACES = np.random.default_rng(0).normal(size=(30, 2)).astype("f4")
MIRRORED = 3 * PLACES @ np.array([[0.6, 0.8], [0.8, -0.6]], dtype="f4") + 5


def test_a_turned_mirrored_and_scaled_picture_is_turned_back() -> None:
    assert turned_onto(MIRRORED, PLACES) == pytest.approx(PLACES, abs=1e-4)


def test_what_a_turn_did_can_be_undone_for_other_places_too() -> None:
    turn = turn_onto(MIRRORED, PLACES)
    others = np.array([[1, 2], [-40, 7]], dtype="f4")
    assert turn.undone(turn.of(others)) == pytest.approx(others, abs=1e-4)
    assert turn.undone(PLACES) == pytest.approx(MIRRORED, abs=1e-4)


def test_a_picture_that_has_nothing_in_common_keeps_the_size_of_the_other() -> None:
    one = np.array([[1, 0], [-1, 0], [1, 0], [-1, 0]], dtype="f4")
    other = np.array([[0, 3], [0, 3], [0, -3], [0, -3]], dtype="f4")
    assert not (one.T @ other).any(), "needs two that do not agree at all"
    turned = turned_onto(one, other)
    assert np.linalg.norm(turned) == pytest.approx(np.linalg.norm(other))
    assert np.isfinite(turn_onto(one, other).undone(turned)).all()


def test_a_picture_of_one_place_is_only_moved() -> None:
    turned = turned_onto(np.ones((4, 2), dtype="f4"), PLACES[:4])
    assert turned == pytest.approx(np.tile(PLACES[:4].mean(axis=0), (4, 1)), abs=1e-6)
