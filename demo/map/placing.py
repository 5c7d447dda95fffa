"""Sentences of a box placed on a map that is there; on both of a pair, each by its encoder."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from core.config import MOST_PLACED
from demo.frame.asking import Asked, Report
from demo.frame.sentences import read_sentences
from demo.map.drawing import embedded
from demo.map.shelf import DrawnMap, MapShelf

if TYPE_CHECKING:
    import numpy as np

    from core.maps.turning import Turn


def place_on(
    shelf: MapShelf, drawn: DrawnMap, text: str, progress: Report, cancelled: Asked
) -> DrawnMap:
    """Place the sentences of a box on a map, instead of those placed before.

    The map's own points and figures stay as they are. What moved of the new ones is told apart
    from what moved of the map's own.

    Raises:
        ValueError: If there is none or too many.
        CancelledError: If `cancelled` answered True.
        StoppedMapError: If `cancelled` answered True.
    """
    from core.maps.changes import changes
    from core.sentences import check_sentences

    read = read_sentences(text or "")
    if not read.texts:
        raise ValueError("there is no sentence to place: write some, one a line")
    check_sentences(read.texts, at_least=1, at_most=MOST_PLACED)
    first, placed = len(drawn.texts) - drawn.placed, len(read.texts)
    encoders = [] if drawn.tuned else [shelf.encoders.get(drawn.choice)]
    if drawn.tuned or drawn.after is not None:
        encoders.append(shelf.models.get(drawn.model).encoder)
    notes = [read.note] if read.note else []
    new = []
    for which, encoder in enumerate(encoders):

        def part(done: int, total: int, before: int = which * placed) -> None:
            progress(before + done, len(encoders) * total)

        vectors, cut = embedded(encoder, read.texts, part, cancelled)
        new.append(vectors)  # (placed, dimension)
        notes += [note for note in cut if note not in notes]
    one = _joined(shelf, drawn, (drawn.vectors, drawn.places, None), new[0], cancelled)
    after, moved = drawn.after, None
    if after is not None:
        two = _joined(shelf, drawn, (after.vectors, after.places, after.turn), new[1], cancelled)
        after = replace(after, vectors=two[0], places=two[1])
        moved = changes(one[0], two[0], since=first, cancelled=cancelled)
    return replace(
        drawn,
        texts=drawn.texts[:first] + read.texts,
        vectors=one[0],
        places=one[1],
        columns=tuple(
            replace(column, codes=column.codes[:first] + (-1,) * placed) for column in drawn.columns
        ),
        after=after,
        placed=placed,
        placed_changes=moved,
        placed_notes=tuple(notes),
    )


def _joined(
    shelf: MapShelf,
    drawn: DrawnMap,
    known: "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], Turn | None]",
    new: "np.ndarray[Any, Any]",
    cancelled: Asked,
) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    """Place new embeddings on one map, and return all its embeddings and places, (points, …)."""
    import numpy as np

    from core.maps.changes import HERE

    layouts = shelf.worker if drawn.settings.method == "umap" else HERE
    first = len(drawn.texts) - drawn.placed  # what the map was made of
    vectors, places, turn = known[0][:first], known[1][:first], known[2]
    placed = layouts.place(new, vectors, places, drawn.settings, turn=turn, cancelled=cancelled)
    return np.concatenate([vectors, new]), np.concatenate([places, placed])
