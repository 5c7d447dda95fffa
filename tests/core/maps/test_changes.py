import numpy as np
import pytest

from core.config import MapSettings
from core.maps.changes import changes, project_pair
from core.maps.near import StoppedMapError
from core.maps.projection import place

RNG = np.random.default_rng(0)
POINTS = (3 * np.eye(4, 8).repeat(12, axis=0) + 0.4 * RNG.normal(size=(48, 8))).astype("f4")


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_what_did_not_change_hardly_moves(method: str) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))
    after = (POINTS @ turn).astype("f4")  # another space, and the same cosines
    before, second = project_pair(POINTS, after, MapSettings(method=method))
    size = np.linalg.norm(before.places - before.places.mean(axis=0), axis=1).mean()
    moved = np.linalg.norm(before.places - second.places, axis=1)
    assert np.median(moved) < 0.25 * size


AFTER = POINTS @ np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0].astype("f4")


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_a_new_sentence_lands_among_its_own_on_both_maps_and_a_known_one_on_its_places(
    method: str,
) -> None:
    settings, changed = MapSettings(method=method, neighbours=8), AFTER.copy()
    changed[::12] = AFTER[12] + 0.1 * RNG.normal(size=(4, 8))  # a few change sides
    kinds = np.repeat(np.arange(4), 12)
    kinds[::12] = 1
    pair = project_pair(POINTS, changed, settings)
    assert pair[0].turn is None
    assert pair[1].turn is not None
    new = (POINTS[[5, 17, 29, 41]] + 0.05, changed[[5, 17, 29, 41]] + 0.05)
    for vectors, some, drawn in zip((POINTS, changed), new, pair, strict=True):
        before = drawn.places.copy()
        asked = np.vstack([some, vectors[7:9]])
        placed = place(asked, vectors, drawn.places, settings, turn=drawn.turn)
        assert np.array_equal(drawn.places, before)
        assert placed[4:] == pytest.approx(drawn.places[7:9], abs=1e-3)
        known = np.repeat(np.arange(4), 12) if drawn is pair[0] else kinds
        far = np.linalg.norm(drawn.places - placed[:4, None], axis=2)  # (placed, points)
        assert known[far.argmin(axis=1)].tolist() == [0, 1, 2, 3]


def test_a_pca_map_that_was_turned_places_by_its_own_axes() -> None:
    settings = MapSettings(method="pca")
    _, second = project_pair(POINTS, AFTER[:, ::-1] * 2, settings)
    vectors = AFTER[:, ::-1] * 2
    assert place(vectors, vectors, second.places, settings, turn=second.turn) == pytest.approx(
        second.places, abs=1e-3
    )


def test_what_moved_of_the_last_sentences_is_told_among_all() -> None:
    after = POINTS.copy()
    after[46] = -POINTS[46]
    every, some = (changes(POINTS, after, since=since, neighbours=5) for since in (0, 45))
    assert some.kept.tolist() == every.kept[45:].tolist()
    assert some.kept.argmin() == 1
    assert all(p.b >= 45 and p.a < p.b for p in (*some.apart, *some.together))
    last = [(p.a, p.b) for p in every.apart if p.b >= 45]
    assert last
    assert [(p.a, p.b) for p in some.apart][: len(last)] == last
    for wrong in (48, -1):
        with pytest.raises(ValueError, match=f"since is {wrong}, must be 0 to 47"):
            changes(POINTS, after, since=wrong)


@pytest.mark.parametrize("since", [0, 20])
def test_the_pairs_are_those_of_a_search_of_all_in_whatever_blocks(
    monkeypatch: pytest.MonkeyPatch, since: int
) -> None:
    monkeypatch.setattr("core.maps.near.DISTANCES_AT_ONCE", 5 * len(POINTS))
    after = RNG.normal(size=(48, 6)).astype("f4")
    unit = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (POINTS, after)]
    change = unit[1] @ unit[1].T - unit[0] @ unit[0].T
    some = [(change[a, b], a, b) for b in range(since, 48) for a in range(b)]
    found = changes(POINTS, after, since=since, pairs=7)
    for listed, best in ((found.apart, sorted(some)), (found.together, sorted(some)[::-1])):
        assert [(p.a, p.b) for p in listed] == [(a, b) for _, a, b in best[:7]]


def test_it_tells_how_far_it_is_and_stops() -> None:
    told: list[float] = []
    changes(POINTS, AFTER, since=40, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    calls = iter(range(10**6))
    with pytest.raises(StoppedMapError):
        changes(POINTS, AFTER, cancelled=lambda: next(calls) > 1)


def test_a_sentence_given_many_times_is_no_neighbour_of_itself() -> None:
    twins = np.repeat(POINTS[:3], 8, axis=0)
    assert changes(twins, twins.copy(), since=20, neighbours=4).kept.tolist() == [1, 1, 1, 1]


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
