"""What is said of a map: how it was made, how far it can be believed, and what moved."""

from collections.abc import Mapping
from typing import Any

from core.maps.changes import Changes
from core.maps.projection import Projection
from core.measures.metrics import Interval


def projection_fields(projection: Projection) -> dict[str, Any]:
    """Say how a map was made, and how far it can be believed."""
    settings, quality = projection.settings, projection.quality
    umap = settings.method == "umap"
    return {
        "method": settings.method,
        "dimensions": settings.dimensions,
        "neighbours": projection.neighbours if umap else None,
        "spread": settings.spread if umap else None,
        "metric": settings.metric,
        "seed": settings.seed,
        "explained": list(projection.explained) or None,
        "trustworthiness": quality.trustworthiness.mean,
        "continuity": quality.continuity.mean,
        "quality": {
            "neighbours": quality.neighbours,
            "measured": quality.measured,
            "points": quality.points,
            "trustworthiness": _interval(quality.trustworthiness),
            "continuity": _interval(quality.continuity),
        },
    }


def quality_in_words(fields: Mapping[str, Any]) -> str:
    """Say what a map's trustworthiness and continuity mean; of a pair, those of both."""
    quality = fields["quality"]
    k, measured, points = (quality[name] for name in ("neighbours", "measured", "points"))
    of = "" if measured == points else f", measured on {measured:,} of {points:,} points"
    said = (
        f"Trustworthiness {fields['trustworthiness']:.3f}: how far neighbours on the map are "
        f"neighbours among the embeddings. Continuity {fields['continuity']:.3f}: how far "
        "neighbours among the embeddings are neighbours on the map. 1 is all; of the "
        f"{k} nearest of each point{of}. Distances between far groups mean little."
    )
    after = fields.get("after")
    return said if after is None else f"Before: {said} {after_in_words(after)}"


def after_in_words(fields: Mapping[str, Any]) -> str:
    """Say the figures of the second map of a pair, after those of the first."""
    return (
        f"After: trustworthiness {fields['trustworthiness']:.3f}, "
        f"continuity {fields['continuity']:.3f}."
    )


def changes_fields(found: Changes) -> dict[str, Any]:
    """Say what moved most: indices of sentences, and cosines before and after."""
    pairs = {
        way: [{"a": p.a, "b": p.b, "before": p.before, "after": p.after} for p in some]
        for way, some in (("apart", found.apart), ("together", found.together))
    }
    return {
        "neighbours": found.neighbours,
        "kept": float(found.kept.mean()),
        "kept_of_each": [round(float(share), 4) for share in found.kept],
        **pairs,
    }


def _interval(found: Interval) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}
