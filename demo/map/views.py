"""What the browser is sent of a map, and of a point on it: numbers and text, never HTML."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from demo.frame.views import View, shorten
from demo.map.shelf import PREDICTED, Column, DrawnMap

if TYPE_CHECKING:
    import numpy as np

    from core.maps.changes import Changes, MovedPair

NEAREST = 10
MOST_LEAST_KEPT, MOST_PAIRS_SHOWN = 12, 8
HOVER_CHARACTERS = 160


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a map's page needs to know beside the map.

    Attributes:
        key: Under which it is kept.
        colour: The column it opens with; empty keeps the page's.
        notes: What else to say now.
        final: False for a first picture that another one follows.
    """

    key: str
    colour: str = ""
    notes: tuple[str, ...] = field(default=())
    final: bool = True


def map_view(drawn: DrawnMap, shown: Shown) -> View:
    """Lay out a map for the browser: numbers and text, never HTML."""
    from core.maps.fields import after_in_words, quality_in_words

    after = None
    all_places = [drawn.places] if drawn.after is None else [drawn.places, drawn.after.places]
    size = max(float(abs(places).max()) for places in all_places) or 1.0
    if drawn.after is not None:
        after = {
            "places": _axes(drawn.after.places, size),
            "told": after_in_words(drawn.after.fields),
        }
    return {
        "key": shown.key,
        "final": shown.final,
        "lead": _lead(drawn),
        "title": _title(drawn),
        "told": quality_in_words(drawn.fields),
        "notes": [*drawn.notes, *shown.notes],
        "dimensions": drawn.settings.dimensions,
        "method": drawn.settings.method,
        "texts": [
            text if len(text) <= HOVER_CHARACTERS else text[: HOVER_CHARACTERS - 1] + "…"
            for text in drawn.texts
        ],
        "places": _axes(drawn.places, size),
        "after": after,
        "placed": drawn.placed,
        "columns": [column_view(column) for column in drawn.columns],
        "colour": shown.colour,
        "moved": None if drawn.changes is None else moved_view(drawn),
    }


def column_view(column: Column) -> View:
    """Lay out a column for the browser."""
    return {
        "name": column.name,
        "kind": column.kind,
        "labels": [label[:80] for label in column.labels],
        "codes": list(column.codes),
    }


def moved_view(drawn: DrawnMap) -> View:
    """Lay out what moved most between before and after.

    What was placed is told apart, among all: beside thousands of pairs of the map's own it would
    hardly ever be seen, and the map's own list stays what it was.
    """
    if drawn.changes is None:
        return {}
    first = len(drawn.texts) - drawn.placed
    placed = drawn.placed_changes
    return {
        **_moved_most(drawn.changes, 0),
        "placed": None if placed is None else _moved_most(placed, first),
    }


def _moved_most(found: "Changes", first: int) -> View:
    order = sorted(range(len(found.kept)), key=lambda i: (float(found.kept[i]), i))

    def pair(moved: "MovedPair") -> View:
        return {"a": moved.a, "b": moved.b, "before": moved.before, "after": moved.after}

    return {
        "neighbours": found.neighbours,
        "kept": float(found.kept.mean()),
        "least": [{"i": first + i, "kept": float(found.kept[i])} for i in order[:MOST_LEAST_KEPT]],
        "apart": [pair(each) for each in found.apart[:MOST_PAIRS_SHOWN]],
        "together": [pair(each) for each in found.together[:MOST_PAIRS_SHOWN]],
    }


def point_view(drawn: DrawnMap, point: int) -> View:
    """Lay out one point: its text, what is known of it, and its nearest by true cosine."""
    near = nearest_points(drawn.vectors, point)
    view: View = {
        "point": point,
        "text": drawn.texts[point],
        "facts": [
            {"name": column.name, "value": value}
            for column in drawn.columns
            if column.kind != "verdict" and not column.name.endswith(PREDICTED)
            if (value := column.value(point)) is not None
        ],
        "near": [{"i": i, "text": shorten(drawn.texts[i]), "score": s} for i, s in near],
        "after": None,
        "predictions": [],
    }
    if drawn.after is not None:
        later = nearest_points(drawn.after.vectors, point)
        kept = len({i for i, _ in near} & {i for i, _ in later})
        view["after"] = {
            "near": [{"i": i, "text": shorten(drawn.texts[i]), "score": s} for i, s in later],
            "kept": kept,
        }
    return view


def nearest_points(vectors: "np.ndarray[Any, Any]", point: int) -> list[tuple[int, float]]:
    """Find the ten others most like a point, by cosine in the embedding space, best first."""
    import numpy as np

    lengths = np.linalg.norm(vectors, axis=1)  # (points,)
    cosines = vectors @ vectors[point] / np.maximum(lengths * lengths[point], 1e-12)  # (points,)
    cosines[point] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: min(NEAREST, len(vectors) - 1)]
    return [(int(i), float(cosines[i])) for i in order]


def _axes(places: "np.ndarray[Any, Any]", size: float) -> list[list[float]]:
    """Write places as rounded axes, (dimensions, points); `size` is the farthest of them."""
    return [[round(float(value), 4) for value in axis] for axis in (places / size * 10).T]


def _lead(drawn: DrawnMap) -> str:
    how = "PCA" if drawn.settings.method == "pca" else "UMAP"
    both = ", before and after fine-tuning" if drawn.after is not None else ""
    return f"{len(drawn.texts):,} sentences by {how}{both}: what lies near is alike."


def _title(drawn: DrawnMap) -> str:
    settings, fields = drawn.settings, drawn.fields
    axes = f"{settings.dimensions}-D"
    if settings.method == "pca":
        how = f"{axes}, showing {sum(fields['explained'] or []):.0%} of the variance"
    else:
        how = f"{axes}, {fields['neighbours']} neighbours, spread {settings.spread:g}"
        how += f", seed {settings.seed}"
    return f"{drawn.made_with}; {settings.metric}; {how}."
