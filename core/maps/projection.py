"""From embeddings to a map in two or three dimensions, and new sentences onto it.

NumPy alone until UMAP is asked for; umap-learn is imported, and compiled, where first needed.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from core.config import MapSettings
from core.maps.fuzzy_graph import fuzzy_graph, membership
from core.maps.near import Asked, Floats, Integers, Report, StoppedMapError, nearest, prepared
from core.maps.quality import MapQuality, map_quality
from core.maps.turning import Turn

LEAST_DISTANCE = 0.1
"""How near UMAP lays points at least, as a share of the spread."""

LEARNING_RATE, NEGATIVES = 1.0, 5
EPOCHS_FEW, EPOCHS_MANY, MANY_POINTS = 500, 200, 10_000
EPOCHS_PLACING = 100
"""umap-learn's own defaults."""

SAME = 1e-5
"""Embeddings whose difference is this share of their length, or less, differ by rounding alone."""

GOING_ON = 0.1
"""Share of the learning rate for a map that goes on from another: who need not move, stays."""

_GRAPH, _LAYOUT = 0.15, 0.85  # shares of the time


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A map.

    Attributes:
        settings: How it was made.
        neighbours: How many neighbours that came to.
        places: Where each point lies, (points, dimensions).
        quality: How far it can be believed.
        explained: For PCA, the share of the variance that each axis shows.
        turn: What brought it into another map's frame; None where nothing did.
    """

    settings: MapSettings
    neighbours: int
    places: Floats
    quality: MapQuality
    explained: tuple[float, ...] = ()
    turn: Turn | None = None


def check_vectors(vectors: Floats) -> None:
    """Refuse embeddings that no map can show.

    Raises:
        ValueError: If they are no matrix, or one is not finite.
    """
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise ValueError(f"embeddings are {vectors.shape}, must be a matrix: (points, dimension)")
    broken = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(broken):
        raise ValueError(
            f"the embedding of sentence {broken[0] + 1:,} holds a number that is not finite "
            f"(so do {len(broken):,} of {len(vectors):,}): the encoder's weights are broken, or "
            "its precision is too coarse"
        )


def distinct(vectors: Floats) -> tuple[Integers, Integers]:
    """Find the different rows: the first of each, (different,), and each row's, (points,)."""
    seen: dict[bytes, int] = {}
    firsts: list[int] = []
    of_row = np.empty(len(vectors), dtype=np.int64)
    for row, vector in enumerate(np.ascontiguousarray(vectors)):
        key = vector.tobytes()
        if key not in seen:
            seen[key] = len(firsts)
            firsts.append(row)
        of_row[row] = seen[key]
    return np.array(firsts, dtype=np.int64), of_row


def _differ_by_rounding(given: Floats) -> bool:
    """Say whether embeddings, as `prepared` gives them, are all the same but for rounding."""
    gaps = np.linalg.norm(given - given[0], axis=1)  # (points,)
    return bool((gaps <= SAME * np.linalg.norm(given[0])).all())


def project(
    vectors: Floats,
    settings: MapSettings | None = None,
    *,
    start: Floats | None = None,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> Projection:
    """Lay embeddings out on a map. Equal ones share a place; the same input gives the same map.

    Args:
        vectors: One embedding a point, (points, dimension).
        settings: How; UMAP in two dimensions if None.
        start: Where UMAP begins, (points, dimensions); the PCA map if None.
        progress: Called with the share done, 0 to 1.
        cancelled: Asked after each small part; True stops.

    Raises:
        ValueError: If there are too few different points for a map or for the neighbours asked
            for, or an embedding is not finite.
        StoppedMapError: If `cancelled` answered True.
    """
    settings = settings or MapSettings()
    vectors = np.asarray(vectors, dtype=np.float32)
    check_vectors(vectors)
    given = prepared(vectors, settings.metric)  # (points, dimension)
    firsts, of_row = distinct(given)
    if len(vectors) > 1 and _differ_by_rounding(given):
        raise ValueError(
            f"all {len(vectors):,} sentences have the same embedding, so that there is nothing to "
            "lay out: give sentences that differ"
        )
    neighbours = settings.neighbours_among(len(firsts))
    some = vectors[firsts]  # (different, dimension)
    frame = _Frame.of(some, settings)
    places = frame.place(some)  # (different, dimensions)
    if settings.method == "umap":
        begin = _begin(places, settings.seed) if start is None else start[firsts]
        rate = LEARNING_RATE if start is None else LEARNING_RATE * GOING_ON
        places = _umap(some, settings, neighbours, begin, rate, progress, cancelled)
    places = places[of_row]  # (points, dimensions)
    quality = map_quality(
        vectors,
        places,
        settings.metric,
        neighbours,
        seed=settings.seed,
        cancelled=cancelled,
    )
    return Projection(
        settings=settings,
        neighbours=neighbours,
        places=places,
        quality=quality,
        explained=frame.explained if settings.method == "pca" else (),
    )


def place(
    new: Floats,
    vectors: Floats,
    places: Floats,
    settings: MapSettings,
    *,
    turn: Turn | None = None,
    cancelled: Asked | None = None,
) -> Floats:
    """Place new sentences on an existing map, whose points stay where they are.

    A sentence that is on the map already gets its own place. A map that was turned onto another
    one is turned back first: its own axes and its own scale are what places were found in.

    Args:
        new: Their embeddings, (new, dimension).
        vectors: What the map was made of, (points, dimension).
        places: Where the map shows that, (points, dimensions).
        settings: How it was made.
        turn: What then brought it into another map's frame, if anything.
        cancelled: Asked now and then; True stops.

    Returns:
        Where they lie, (new, dimensions).

    Raises:
        ValueError: If an embedding is not finite, or of another dimension.
        StoppedMapError: If `cancelled` answered True.
    """
    new = np.asarray(new, dtype=np.float32)
    check_vectors(new)
    if new.shape[1] != vectors.shape[1]:
        raise ValueError(
            f"the new embeddings have {new.shape[1]} numbers, the map's have {vectors.shape[1]}: "
            "use the encoder that the map was made with"
        )
    if not len(new):
        return np.zeros((0, settings.dimensions), dtype=np.float32)
    placed = _placed(new, vectors, turn.undone(places) if turn else places, settings, cancelled)
    return turn.of(placed) if turn else placed


def _placed(
    new: Floats,
    vectors: Floats,
    places: Floats,
    settings: MapSettings,
    cancelled: Asked | None,
) -> Floats:
    """Place checked embeddings on a map in its own frame, (new, dimensions)."""
    firsts, _ = distinct(prepared(vectors, settings.metric))
    some = np.asarray(vectors, dtype=np.float32)[firsts]  # (different, dimension)
    if settings.method == "pca":
        return _Frame.of(some, settings).place(new)
    there = np.asarray(places, dtype=np.float32)[firsts]  # (different, dimensions)
    k = settings.neighbours_among(len(some))
    indices, lengths = nearest(some, k, settings.metric, queries=new, cancelled=cancelled)
    weights = membership(lengths, connected=False)  # (new, k)
    shares = weights / weights.sum(axis=1, keepdims=True)  # (new, k)
    begin = (shares[:, :, None] * there[indices]).sum(axis=1).astype(np.float32)  # (new, dims)
    heads = np.repeat(np.arange(len(new)), k)
    edges = _Edges(heads, indices.ravel(), weights.ravel(), len(some), EPOCHS_PLACING)
    settled = _optimised(begin, there.copy(), edges, settings, LEARNING_RATE / 4, None, cancelled)
    one, other = prepared(new, settings.metric), prepared(some, settings.metric)[indices[:, 0]]
    gap = np.linalg.norm(one - other, axis=1)  # (new,)
    twin = gap <= SAME * np.linalg.norm(one, axis=1)
    settled[twin] = there[indices[twin, 0]]
    return settled  # (new, dimensions)


@dataclass(frozen=True)
class _Frame:
    """The axes of a PCA map."""

    centre: Floats
    axes: Floats
    explained: tuple[float, ...]
    metric: str

    @classmethod
    def of(cls, vectors: Floats, settings: MapSettings) -> "_Frame":
        """Find the axes along which points vary most; each points to its largest number."""
        given = prepared(vectors, settings.metric).astype(np.float64)  # (points, dimension)
        centre = given.mean(axis=0)  # (dimension,)
        moments = (given - centre).T @ (given - centre)  # (dimension, dimension)
        variances, directions = np.linalg.eigh(moments)
        count = min(settings.dimensions, len(variances))
        axes = directions[:, ::-1][:, :count].T  # (axes, dimension)
        largest = np.abs(axes).argmax(axis=1)  # (axes,)
        axes = axes * np.sign(axes[np.arange(count), largest])[:, None]
        shares = np.maximum(variances[::-1][:count], 0) / max(variances.sum(), 1e-300)
        missing = settings.dimensions - count  # embeddings of fewer numbers than the map has axes
        axes = np.vstack([axes, np.zeros((missing, given.shape[1]))])  # (dimensions, dimension)
        return cls(
            centre.astype(np.float32),
            axes.astype(np.float32),
            (*shares.tolist(), *[0.0] * missing),
            settings.metric,
        )

    def place(self, vectors: Floats) -> Floats:
        """Return where vectors lie, (points, dimensions)."""
        found = (prepared(vectors, self.metric) - self.centre) @ self.axes.T
        return np.asarray(found, dtype=np.float32)  # (points, dimensions)


def _umap(
    vectors: Floats,
    settings: MapSettings,
    neighbours: int,
    begin: Floats,
    rate: float,
    progress: Report | None,
    cancelled: Asked | None,
) -> Floats:
    def graph_share(share: float) -> None:
        if progress is not None:
            progress(_GRAPH * share)

    def layout_share(share: float) -> None:
        if progress is not None:
            progress(_GRAPH + _LAYOUT * share)

    indices, lengths = nearest(
        vectors, neighbours, settings.metric, progress=graph_share, cancelled=cancelled
    )
    graph = fuzzy_graph(indices, lengths)
    epochs = EPOCHS_FEW if len(vectors) <= MANY_POINTS else EPOCHS_MANY
    edges = _Edges(graph.row, graph.col, graph.data, len(vectors), epochs)
    points = np.array(begin, dtype=np.float32, order="C")  # (points, dimensions)
    return _optimised(points, points, edges, settings, rate, layout_share, cancelled)


def _begin(places: Floats, seed: int) -> Floats:
    """Bring a PCA map to a scale that UMAP's forces are made for, nobody on the same place."""
    centred = places - places.mean(axis=0)
    scale = 5 / max(float(np.abs(centred).max()), 1e-12)
    noise = np.random.default_rng(seed).normal(scale=1e-3, size=places.shape)
    return np.asarray(centred * scale + noise, dtype=np.float32)  # (points, dimensions)


class _Edges:
    """What pulls: which points, and how often in how many epochs."""

    def __init__(
        self,
        heads: Integers,
        tails: Integers,
        weights: "np.ndarray[Any, Any]",
        targets: int,
        epochs: int,
    ) -> None:
        kept = weights >= weights.max() / epochs  # the others would never come up
        self.heads, self.tails = heads[kept].astype(np.int32), tails[kept].astype(np.int32)
        self.every = weights.max() / weights[kept]  # epochs between two pulls, (edges,)
        self.targets, self.epochs = targets, epochs


def _optimised(
    points: Floats,
    others: Floats,
    edges: _Edges,
    settings: MapSettings,
    rate: float,
    progress: Report | None,
    cancelled: Asked | None,
) -> Floats:
    """Let neighbours pull and strangers push, with umap-learn's compiled loop."""
    layouts, umap_ = _umap_modules()
    a, b = umap_.find_ab_params(settings.spread, LEAST_DISTANCE * settings.spread)
    state = np.random.default_rng(settings.seed).integers(-(2**31) + 1, 2**31 - 1, 3)
    watch = _Epochs(edges.epochs, progress, cancelled)
    settled = layouts.optimize_layout_euclidean(
        points,
        others,
        edges.heads,
        edges.tails,
        edges.epochs,
        edges.targets,
        edges.every,
        a,
        b,
        state.astype(np.int64),
        1.0,
        rate,
        NEGATIVES,
        parallel=False,  # in turn, so that the same seed gives the same map
        tqdm_kwds={"file": watch, "bar_format": "{n}", "mininterval": 0.1, "disable": False},
        move_other=points is others,
    )
    return np.asarray(settled, dtype=np.float32)  # (points, dimensions)


class _Epochs:
    """Stands where umap-learn's progress bar writes: passes on how far it is, or stops it."""

    def __init__(self, epochs: int, progress: Report | None, cancelled: Asked | None) -> None:
        self._epochs, self._progress, self._cancelled = epochs, progress, cancelled

    def write(self, text: str) -> None:
        done = text.strip()
        if self._cancelled is not None and self._cancelled():
            raise StoppedMapError
        if self._progress is not None and done.isdecimal():
            self._progress(min(1.0, int(done) / self._epochs))

    def flush(self) -> None:
        """Nothing is held back."""


def _umap_modules() -> tuple[Any, Any]:
    """Import umap-learn; where its folder cannot be written, its compiled code is kept in ours."""
    found = importlib.util.find_spec("umap")
    folders = list(found.submodule_search_locations or ()) if found else []
    if folders and not os.access(folders[0], os.W_OK):
        ours = os.environ.get("THAW_CACHE_DIR") or str(user_cache_path("thaw"))
        os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(ours) / "numba"))
    from umap import layouts, umap_

    return layouts, umap_


def warm_up(progress: Callable[[str], None] | None = None) -> None:
    """Import and compile all that a map needs, by drawing small ones and placing a point."""
    if progress is not None:
        progress("importing UMAP")
    draws = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    for dimensions in (2, 3):
        settings = MapSettings(dimensions=dimensions)
        drawn = project(draws[:32], settings)
        if progress is not None:
            progress("compiling UMAP")
        place(draws[32:], draws[:32], drawn.places, settings)
