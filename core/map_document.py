"""The JSON document of a map: what `python -m core map --json` prints and `/map` returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.config import CLUSTER, MOST_MAPPED, MapSettings
from core.map_groups import NO_GROUP
from core.metrics import Interval
from core.near import Report, StoppedMapError
from core.projection import Projection, project
from core.sentences import check_lengths, check_sentences

if TYPE_CHECKING:
    from core.dataset import Dataset
    from core.encoder import Encoder

THAW_FORMAT = 1
_ENCODING = 0.7  # the share of the time


@dataclass(frozen=True, kw_only=True)
class Named:
    """Sentences with what is known of them.

    Attributes:
        texts: The sentences.
        columns: By name, each sentence's label; None where it has none.
        colour: The column that colours the map, `cluster`, or None for none.
    """

    texts: Sequence[str]
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    colour: str | None = None

    def __post_init__(self) -> None:
        if self.colour not in (None, CLUSTER, *self.columns):
            known = ", ".join([*self.columns, CLUSTER])
            raise ValueError(f"there is no column {self.colour!r} to colour by: give {known}")


def map_document(
    encoder: "Encoder",
    named: Named,
    settings: MapSettings,
    *,
    layout: Callable[..., Projection] = project,
    progress: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Map sentences: `{method, …, trustworthiness, continuity, points: [{text, x, y, label}]}`.

    Args:
        encoder: What embeds them.
        named: The sentences, their labels, and which colours.
        settings: How they are laid out.
        layout: Lays them out, as `core.projection.project` does.
        progress: Called with the share done, 0 to 1.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If there are too few or too many sentences, or too few that differ.
        CancelledError: If `cancelled` answered True.
    """
    from core.encoder import CancelledError

    check_before_mapping(named.texts, settings)

    def encoded(done: int, total: int) -> None:
        if progress is not None:
            progress(_ENCODING * done / max(1, total))

    def laid_out(share: float) -> None:
        if progress is not None:
            progress(_ENCODING + (1 - _ENCODING) * share)

    encoding = encoder.encode(named.texts, progress=encoded, cancelled=cancelled)
    try:
        projection = layout(
            encoding.vectors.numpy(), settings, progress=laid_out, cancelled=cancelled
        )
    except StoppedMapError as error:
        raise CancelledError("stopped while the map was laid out") from error
    labels = _labels(named, projection)
    return {
        "thaw_format": THAW_FORMAT,
        "model": encoder.name,
        "pooling": encoder.pooling,
        **projection_fields(projection),
        "colour": named.colour,
        "labels": sorted({label for label in labels if label is not None}),
        "truncated": sum(encoding.truncated),
        "points": [
            {
                "text": text,
                **dict(zip("xyz", place, strict=False)),
                "label": label,
                "labels": {name: values[row] for name, values in named.columns.items()},
            }
            for row, (text, place, label) in enumerate(
                zip(named.texts, projection.places.tolist(), labels, strict=True)
            )
        ],
    }


def named_rows(dataset: "Dataset", colour: str | None = None) -> Named:
    """Take a dataset's sentences and the columns that can colour them.

    Args:
        dataset: Rows that all have a text.
        colour: What to colour by; None is the first task with a label a sentence, if any.
    """
    columns: dict[str, list[str | None]] = {}
    for task in dataset.tasks:
        if task.kind == "sentence":
            given = (example.labels.get(task.name) for example in dataset.examples)
            columns[task.name] = [label if isinstance(label, str) else None for label in given]
    for name, values in dataset.facets.items():
        columns.setdefault(name, list(values))
    return Named(
        texts=[example.text for example in dataset.examples],
        columns=columns,
        colour=next(iter(columns), None) if colour is None else colour,
    )


def check_before_mapping(texts: Sequence[str], settings: MapSettings) -> None:
    """Refuse what no map can be made of, before anything is encoded.

    Raises:
        ValueError: If there are too few or too many sentences, or too few for the neighbours.
    """
    check_sentences(texts, at_least=1, at_most=MOST_MAPPED)
    settings.neighbours_among(len(texts))
    check_lengths(texts)


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
    """Say what a map's trustworthiness and continuity mean."""
    quality = fields["quality"]
    k, measured, points = (quality[name] for name in ("neighbours", "measured", "points"))
    of = "" if measured == points else f", measured on {measured:,} of {points:,} points"
    return (
        f"Trustworthiness {fields['trustworthiness']:.3f}: how far neighbours on the map are "
        f"neighbours among the embeddings. Continuity {fields['continuity']:.3f}: how far "
        "neighbours among the embeddings are neighbours on the map. 1 is all; of the "
        f"{k} nearest of each point{of}. Distances between far groups mean little."
    )


def _labels(named: Named, projection: Projection) -> list[str | None]:
    if named.colour == CLUSTER:
        from core.map_groups import dense_groups

        found = dense_groups(projection.places).tolist()
        return [None if group == NO_GROUP else f"cluster {group + 1}" for group in found]
    if named.colour is None:
        return [None] * len(named.texts)
    return list(named.columns[named.colour])


def _interval(found: Interval) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}
