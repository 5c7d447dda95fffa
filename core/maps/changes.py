"""Two maps of the same sentences in one frame, and what moved between the two embeddings."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from core.config import MapSettings
from core.maps.near import (
    Asked,
    Floats,
    Integers,
    Report,
    StoppedMapError,
    blocks,
    nearest,
    prepared,
)
from core.maps.projection import Projection, check_vectors, place, project
from core.maps.turning import turn_onto

MOST_PAIRS = 20


@dataclass(frozen=True, kw_only=True)
class MovedPair:
    """Two sentences whose cosine changed: indices, and the cosine before and after."""

    a: int
    b: int
    before: float
    after: float


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What changed among embeddings, whatever a map shows.

    Attributes:
        kept: For each sentence looked at, the share of its nearest neighbours that it kept,
            (sentences,).
        neighbours: How many nearest neighbours were looked at.
        apart: The pairs whose cosine fell most, the largest change first.
        together: The pairs whose cosine rose most, the largest change first.
    """

    kept: Floats
    neighbours: int
    apart: tuple[MovedPair, ...]
    together: tuple[MovedPair, ...]


def project_pair(
    before: Floats,
    after: Floats,
    settings: MapSettings | None = None,
    *,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> tuple[Projection, Projection]:
    """Map two embeddings of the same sentences so that the same sentence is comparable.

    With UMAP, the second begins where the first ended and is then turned, scaled and moved as a
    whole onto it. With PCA each has its own axes, and the second is turned onto the first.

    Args:
        before: One embedding a sentence, (points, dimension).
        after: The other, (points, other dimension).
        settings: How, for both.
        progress: Called with the share done, 0 to 1.
        cancelled: Asked after each small part; True stops.

    Raises:
        ValueError: If they are not of the same sentences, or one cannot be mapped.
        StoppedMapError: If `cancelled` answered True.
    """
    if len(before) != len(after):
        raise ValueError(
            f"there are {len(before):,} embeddings before and {len(after):,} after, must be as "
            "many: of the same sentences"
        )

    def halves(which: int) -> Report | None:
        return None if progress is None else lambda share: progress((which + share) / 2)

    settings = settings or MapSettings()
    first = project(before, settings, progress=halves(0), cancelled=cancelled)
    start = first.places if settings.method == "umap" else None
    second = project(after, settings, start=start, progress=halves(1), cancelled=cancelled)
    turn = turn_onto(second.places, first.places)
    return first, replace(second, places=turn.of(second.places), turn=turn)


@dataclass(frozen=True)
class Layouts:
    """What lays maps out: these functions, or those of `core.maps.process.MapWorker`."""

    project: Callable[..., Projection] = project
    project_pair: Callable[..., tuple[Projection, Projection]] = project_pair
    place: Callable[..., Floats] = place


HERE = Layouts()
"""In this process."""


def changes(
    before: Floats,
    after: Floats,
    *,
    since: int = 0,
    neighbours: int = 10,
    pairs: int = MOST_PAIRS,
    progress: Report | None = None,
    cancelled: Asked | None = None,
) -> Changes:
    """Find what moved most between two embeddings of the same sentences, by cosine.

    Args:
        before: One embedding a sentence, (points, dimension).
        after: The other, (points, other dimension).
        since: Look at the sentences from this one on, among all: at their neighbours, and at the
            pairs that hold one of them.
        neighbours: How many nearest neighbours to look at; fewer of fewer sentences.
        pairs: How many pairs to list each way.
        progress: Called with the share done, 0 to 1.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If there are fewer than two sentences, not as many of both, or none to look at.
        StoppedMapError: If `cancelled` answered True.
    """
    check_vectors(before)
    check_vectors(after)
    if len(before) != len(after) or len(before) < 2:
        raise ValueError(
            f"there are {len(before):,} embeddings before and {len(after):,} after, must be of "
            "the same sentences, at least 2"
        )
    if not 0 <= since < len(before):
        raise ValueError(f"since is {since}, must be 0 to {len(before) - 1}")

    def thirds(which: int) -> Report:
        return lambda share: None if progress is None else progress((which + share) / 3)

    k = min(neighbours, len(before) - 1)
    near = [
        _nearest_others(vectors, since, k, thirds(which), cancelled)
        for which, vectors in enumerate((before, after))
    ]
    both = zip(near[0].tolist(), near[1].tolist(), strict=True)
    kept = np.array([len(set(one) & set(other)) / k for one, other in both], dtype=np.float32)
    apart, together = _moved_pairs((before, after), since, pairs, thirds(2), cancelled)
    return Changes(kept=kept, neighbours=k, apart=apart, together=together)


def _nearest_others(
    vectors: Floats, since: int, k: int, progress: Report, cancelled: Asked | None
) -> Integers:
    """Find the k nearest others of the points from one on, (points - since, k)."""
    some = vectors[since:]  # (points - since, dimension)
    found, _ = nearest(
        vectors, k + 1, "cosine", queries=some, progress=progress, cancelled=cancelled
    )
    itself = found == np.arange(since, len(vectors))[:, None]  # (points - since, k + 1)
    itself[~itself.any(axis=1), -1] = True  # others that are the same took its place
    return found[~itself].reshape(len(found), k)  # (points - since, k)


def _moved_pairs(
    both: tuple[Floats, Floats],
    since: int,
    most: int,
    progress: Report,
    cancelled: Asked | None,
) -> tuple[tuple[MovedPair, ...], tuple[MovedPair, ...]]:
    """Find the pairs whose cosine fell and rose most, in blocks of rows."""
    first, second = (prepared(vectors, "cosine") for vectors in both)
    found: list[list[MovedPair]] = [[], []]
    for some in blocks(len(first) - since, len(first)):
        if cancelled is not None and cancelled():
            raise StoppedMapError
        rows = slice(since + some.start, since + some.stop)
        was, now = first[rows] @ first.T, second[rows] @ second.T  # (block, points) each
        # Each pair once, with what comes before in it: what is looked at comes last.
        earlier = np.arange(len(first)) < np.arange(rows.start, rows.stop)[:, None]
        for way, sign in enumerate((-1.0, 1.0)):
            change = np.where(earlier, sign * (now - was), -np.inf).ravel()  # (block · points,)
            full = 0 < len(found[way]) == most
            least = abs(found[way][-1].after - found[way][-1].before) if full else 0.0
            larger = np.flatnonzero(change > least)  # few, once a first block has been seen
            if len(larger) > most:
                larger = larger[np.argpartition(change[larger], -most)[-most:]]
            for flat in larger:
                row, a = divmod(int(flat), len(first))
                pair = MovedPair(
                    a=a, b=rows.start + row, before=float(was[row, a]), after=float(now[row, a])
                )
                found[way].append(pair)
            found[way] = sorted(found[way], key=lambda p: (-abs(p.after - p.before), p.a, p.b))
            del found[way][most:]
        progress(some.stop / (len(first) - since))
    return tuple(found[0]), tuple(found[1])
