"""The JSON document of a map: what `python -m core map --json` prints and `/map` returns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import CLUSTER, MOST_MAPPED, MOST_PLACED, MapSettings
from core.maps.changes import HERE, Layouts, changes
from core.maps.fields import changes_fields, projection_fields
from core.maps.groups import NO_GROUP
from core.maps.near import Floats, Report, StoppedMapError
from core.maps.projection import Projection
from core.sentences import check_lengths, check_sentences

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.encoder.encoder import Encoder, Encoding
    from core.maps.process import MapWorker

THAW_FORMAT = 1
_ENCODING, _LAYOUT, _LAYOUTS = 0.7, 0.3, 0.2  # shares of the time; of a pair, before changes


@dataclass(frozen=True, kw_only=True)
class Named:
    """Sentences with what is known of them.

    Attributes:
        texts: The sentences.
        columns: By name, each sentence's label; None where it has none.
        colour: The column that colours the map, `cluster`, or None for none.
        placed: Sentences that are placed on the map of the others, which they do not change.
    """

    texts: Sequence[str]
    columns: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    colour: str | None = None
    placed: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.colour not in (None, CLUSTER, *self.columns):
            known = ", ".join([*self.columns, CLUSTER])
            raise ValueError(f"there is no column {self.colour!r} to colour by: give {known}")


def map_document(
    encoder: "Encoder",
    named: Named,
    settings: MapSettings,
    *,
    after: "Encoder | None" = None,
    layouts: "Layouts | MapWorker" = HERE,
    progress: Report | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """Map sentences: `{method, …, trustworthiness, continuity, points: [{text, x, y, label}]}`.

    Args:
        encoder: What embeds them.
        named: The sentences, their labels, which colours, and what is placed among them.
        settings: How they are laid out.
        after: What embeds them after fine-tuning: then both maps are drawn in one frame.
        layouts: Lays them out.
        progress: Called with the share done, 0 to 1.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If there are too few or too many sentences, or too few that differ.
        CancelledError: If `cancelled` answered True.
    """
    from core.encoder.encoder import CancelledError

    check_before_mapping(named.texts, settings, named.placed)
    encoders = [encoder] if after is None else [encoder, after]
    encoded = list(_encoded(encoders, named, progress, cancelled))

    layout = _LAYOUT if after is None else _LAYOUTS

    def part(start: float, end: float) -> dict[str, Any]:
        def report(share: float) -> None:
            if progress is not None:
                progress(start + (end - start) * share)

        return {"progress": report, "cancelled": cancelled}

    asked = part(_ENCODING, _ENCODING + layout)
    known = [of_map.vectors.numpy() for of_map, _ in encoded]  # (points, dimension) each
    new = [placed.vectors.numpy() for _, placed in encoded]  # (placed, dimension) each
    try:
        maps = (
            [layouts.project(known[0], settings, **asked)]
            if after is None
            else [*layouts.project_pair(known[0], known[1], settings, **asked)]
        )
        places = [
            _with_placed(layouts, vectors, some, drawn, cancelled)
            for vectors, some, drawn in zip(known, new, maps, strict=True)
        ]
        moved = None if after is None else _moved(known, new, part(_ENCODING + layout, 1))
    except StoppedMapError as error:
        raise CancelledError("stopped while the map was laid out") from error
    labels = [*_labels(named, maps[0]), *[None] * len(named.placed)]
    return {
        "thaw_format": THAW_FORMAT,
        "model": encoder.name,
        "pooling": encoder.pooling,
        **projection_fields(maps[0]),
        "colour": named.colour,
        "labels": sorted({label for label in labels if label is not None}),
        "truncated": _truncated(encoded[0]),
        "placed": len(named.placed),
        "points": _points(named, places[0].tolist(), labels),
        "after": None
        if after is None
        else {
            "model": after.name,
            "pooling": after.pooling,
            **projection_fields(maps[1]),
            "truncated": _truncated(encoded[1]),
            "points": [_axes(place) for place in places[1].tolist()],
        },
        "changes": moved,
    }


def _encoded(
    encoders: Sequence["Encoder"],
    named: Named,
    progress: Report | None,
    cancelled: Callable[[], bool] | None,
) -> Iterator[tuple["Encoding", "Encoding"]]:
    """Embed what is mapped, and apart from it, so that it changes nothing, what is placed."""
    total = len(encoders) * (len(named.texts) + len(named.placed))
    before = 0
    for encoder in encoders:
        found = []
        for texts in (named.texts, named.placed):

            def report(done: int, _: int, before: int = before) -> None:
                if progress is not None:
                    progress(_ENCODING * (before + done) / total)

            found.append(encoder.encode(texts, progress=report, cancelled=cancelled))
            before += len(texts)
        yield found[0], found[1]


def _with_placed(
    layouts: "Layouts | MapWorker",
    vectors: Floats,
    new: Floats,
    drawn: Projection,
    cancelled: Callable[[], bool] | None,
) -> Floats:
    """Return the places of a map's sentences and of those placed on it, (points, dimensions)."""
    if not len(new):
        return drawn.places
    placed = layouts.place(
        new, vectors, drawn.places, drawn.settings, turn=drawn.turn, cancelled=cancelled
    )
    return np.concatenate([drawn.places, placed])


def _moved(
    known: Sequence[Floats],
    new: Sequence[Floats],
    asked: dict[str, Any],
) -> dict[str, Any]:
    """Say what moved most of what was mapped, and apart from that of what was placed."""
    fields = changes_fields(changes(known[0], known[1], **asked))
    if not len(new[0]):
        return {**fields, "placed": None}
    both = [np.concatenate(each) for each in zip(known, new, strict=True)]
    placed = changes(both[0], both[1], since=len(known[0]), cancelled=asked["cancelled"])
    return {**fields, "placed": changes_fields(placed)}


def _points(
    named: Named, places: Sequence[Sequence[float]], labels: Sequence[str | None]
) -> list[dict[str, Any]]:
    """List the points, those placed last."""
    first = len(named.texts)
    return [
        {
            "text": text,
            **_axes(place),
            "label": label,
            "labels": {
                name: values[row] if row < first else None for name, values in named.columns.items()
            },
        }
        for row, (text, place, label) in enumerate(
            zip([*named.texts, *named.placed], places, labels, strict=True)
        )
    ]


def _axes(place: Sequence[float]) -> dict[str, float]:
    return dict(zip("xyz", place, strict=False))


def _truncated(encoded: tuple["Encoding", "Encoding"]) -> int:
    """Count the sentences of which the end was not read."""
    return sum(sum(each.truncated) for each in encoded)


def named_rows(dataset: "Dataset", colour: str | None = None) -> Named:
    """Take a dataset's sentences and the columns that can colour them.

    Args:
        dataset: Rows that all have a text.
        colour: What to colour by; None is the first task with a label a sentence, if any.
    """
    columns: dict[str, list[str | None]] = {}
    for task in dataset.tasks:
        if task.of_kind.one_label:
            given = (example.labels.get(task.name) for example in dataset.examples)
            columns[task.name] = [label if isinstance(label, str) else None for label in given]
    for name, values in dataset.facets.items():
        columns.setdefault(name, list(values))
    return Named(
        texts=[example.text for example in dataset.examples],
        columns=columns,
        colour=next(iter(columns), None) if colour is None else colour,
    )


def check_before_mapping(
    texts: Sequence[str], settings: MapSettings, placed: Sequence[str] = ()
) -> None:
    """Refuse what no map can be made of, before anything is encoded.

    Raises:
        ValueError: If there are too few or too many sentences, or too few for the neighbours.
    """
    check_sentences(texts, at_least=1, at_most=MOST_MAPPED)
    settings.neighbours_among(len(texts))
    if len(placed) > MOST_PLACED:
        raise ValueError(
            f"there are {len(placed):,} sentences to place, must be at most {MOST_PLACED:,}: map "
            "them with the others"
        )
    check_lengths(placed)


def _labels(named: Named, projection: Projection) -> list[str | None]:
    if named.colour == CLUSTER:
        from core.maps.groups import dense_groups

        found = dense_groups(projection.places).tolist()
        return [None if group == NO_GROUP else f"cluster {group + 1}" for group in found]
    if named.colour is None:
        return [None] * len(named.texts)
    return list(named.columns[named.colour])
