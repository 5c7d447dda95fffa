import numpy as np
import pytest
from sklearn.decomposition import PCA

from core.config import MapSettings
from core.maps.near import StoppedMapError
from core.maps.projection import place, project

RNG = np.random.default_rng(0)
KINDS = np.repeat(np.arange(3), 20)
POINTS = (3 * np.eye(3, 10)[KINDS] + 0.3 * RNG.normal(size=(60, 10))).astype("f4")
BOTH = pytest.mark.parametrize("method", ["pca", "umap"])


@BOTH
@pytest.mark.parametrize("dimensions", [2, 3])
def test_what_belongs_together_lies_together(method: str, dimensions: int) -> None:
    drawn = project(POINTS, MapSettings(method=method, dimensions=dimensions))
    assert drawn.places.shape == (60, dimensions)
    far = np.linalg.norm(drawn.places[:, None] - drawn.places, axis=2)
    np.fill_diagonal(far, np.inf)
    assert (KINDS[far.argmin(axis=1)] == KINDS).all()
    assert drawn.quality.trustworthiness.mean > 0.7
    assert drawn.neighbours == 15


@BOTH
def test_the_same_input_gives_the_same_map_and_another_seed_another(method: str) -> None:
    first, again = (project(POINTS, MapSettings(method=method)).places for _ in range(2))
    assert np.array_equal(first, again)
    other = project(POINTS, MapSettings(method=method, seed=1)).places
    assert np.array_equal(first, other) == (method == "pca")


def test_pca_is_that_of_scikit_learn() -> None:
    drawn = project(POINTS, MapSettings(method="pca", metric="euclidean"))
    true = PCA(n_components=2).fit(POINTS)
    assert np.abs(drawn.places) == pytest.approx(np.abs(true.transform(POINTS)), abs=1e-4)
    assert drawn.explained == pytest.approx(true.explained_variance_ratio_.tolist(), abs=1e-6)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "manhattan"])
def test_a_known_sentence_is_known_by_any_measure(metric: str) -> None:
    settings = MapSettings(metric=metric)
    drawn = project(POINTS, settings)
    placed = place(POINTS[3:6] * np.float32(1 + 1e-7), POINTS, drawn.places, settings)
    assert np.array_equal(placed, drawn.places[3:6])


@BOTH
def test_a_new_sentence_lands_among_its_own_and_a_known_one_on_its_place(method: str) -> None:
    settings = MapSettings(method=method)
    drawn = project(POINTS, settings)
    before = drawn.places.copy()
    new = (3 * np.eye(3, 10) + 0.1).astype("f4")
    placed = place(np.vstack([new, POINTS[7:8]]), POINTS, drawn.places, settings)
    assert np.array_equal(drawn.places, before)
    assert placed[3] == pytest.approx(drawn.places[7], abs=1e-4)
    for kind in range(3):
        far = np.linalg.norm(drawn.places - placed[kind], axis=1)
        assert KINDS[far.argmin()] == kind
    with pytest.raises(ValueError, match="new embeddings have 4 numbers, the map's have 10"):
        place(new[:, :4], POINTS, drawn.places, settings)


@BOTH
def test_odd_sentences_are_placed_or_refused(method: str) -> None:
    settings = MapSettings(method=method)
    drawn = project(POINTS[:5], settings)  # fewer points than the usual neighbours
    odd = np.vstack([np.zeros(10), -POINTS[0], 1e4 * POINTS[1], POINTS[2]]).astype("f4")
    placed = place(odd, POINTS[:5], drawn.places, settings)
    assert np.isfinite(placed).all()
    assert placed[3] == pytest.approx(drawn.places[2], abs=1e-4)
    assert place(odd[:0], POINTS[:5], drawn.places, settings).shape == (0, 2)
    with pytest.raises(ValueError, match="sentence 2 holds a number that is not finite"):
        place(np.where(np.eye(3, 10, -1), np.nan, 1), POINTS[:5], drawn.places, settings)


@BOTH
@pytest.mark.parametrize("count", [3, 4, 5])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_three_points_are_enough(method: str, count: int, dimensions: int) -> None:
    settings = MapSettings(method=method, dimensions=dimensions)
    drawn = project(POINTS[:: 60 // count][:count], settings)
    assert np.isfinite(drawn.places).all()
    assert drawn.neighbours == count - 1


@BOTH
def test_equal_sentences_share_a_place(method: str) -> None:
    drawn = project(np.vstack([POINTS[:20], POINTS[:20]]), MapSettings(method=method))
    assert np.array_equal(drawn.places[:20], drawn.places[20:])


@BOTH
@pytest.mark.parametrize(
    ("vectors", "settings", "said"),
    [
        (POINTS[:1], {}, "at least 3 sentences with different embeddings, and there is 1"),
        (POINTS[:2], {}, "at least 3 sentences with different embeddings, and there are 2"),
        (np.ones((9, 4)), {}, "all 9 sentences have the same embedding"),
        (POINTS[:1] * (1 + 1e-7 * np.arange(9)[:, None]), {}, "have the same embedding"),
        (POINTS[:1] + 1e-7 * POINTS[:9], {}, "have the same embedding"),
        (np.zeros((9, 4)), {}, "have the same embedding"),
        (POINTS[[0, 0, 1, 1]], {}, "and there are 2"),
        (POINTS[:9], {"neighbours": 9}, "neighbours is 9, must be 2 to 8"),
        (np.where(np.eye(5, 10), np.nan, 1), {}, "sentence 1 holds a number that is not finite"),
        (np.full((5, 3), np.inf), {}, "not finite"),
        (np.ones(5), {}, r"embeddings are \(5,\), must be a matrix"),
    ],
    ids=[
        "one",
        "two",
        "all the same",
        "all the same but in length",
        "all the same but for rounding",
        "all nothing",
        "two different",
        "neighbours",
        "NaN",
        "infinite",
        "no matrix",
    ],
)
def test_bad_input_gets_one_clear_sentence(
    method: str, vectors: "np.ndarray", settings: dict[str, int], said: str
) -> None:
    with pytest.raises(ValueError, match=said) as error:
        project(vectors, MapSettings(method=method, **settings))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "tsne"}, "method is 'tsne', must be one of: umap, pca"),
        ({"metric": "dot"}, "metric is 'dot', must be one of: cosine, euclidean, manhattan"),
        ({"method": "pca", "metric": "manhattan"}, "which pca cannot keep"),
        ({"dimensions": 4}, "dimensions is 4, must be one of: 2, 3"),
        ({"spread": 0}, "spread is 0, must be 0.1 to 10"),
        ({"spread": float("nan")}, "spread is nan"),
        ({"neighbours": 1}, "neighbours is 1, must be at least 2"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_setting_out_of_range_is_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        MapSettings(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("spread", [0.1, 10])
def test_the_spreads_at_the_ends_can_be_drawn(spread: float) -> None:
    assert np.isfinite(project(POINTS, MapSettings(spread=spread)).places).all()


def test_umap_tells_how_far_it_is_and_stops_within_its_epochs() -> None:
    told: list[float] = []
    project(POINTS, progress=told.append)
    assert told == sorted(told)
    assert told[-1] <= 1
    calls = iter(range(10**6))
    with pytest.raises(StoppedMapError):  # the second question comes from the layout itself
        project(POINTS, cancelled=lambda: next(calls) > 0)
