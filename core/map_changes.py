"""Two maps of the same sentences in one frame, and what moved between two embeddings of them."""

from dataclasses import dataclass

import numpy as np

from core.config import MapSettings
from core.near import Asked, Floats, Report, StoppedMapError, blocks, nearest, prepared
from core.projection import Projection, check_vectors, project

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
        kept: For each sentence the share of its nearest neighbours that it kept, (points,).
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

    Source:
        The turning is orthogonal Procrustes: Schönemann 1966.
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
    return first, Projection(
        settings=settings,
        neighbours=second.neighbours,
        places=turned_onto(second.places, first.places),
        quality=second.quality,
        explained=second.explained,
    )


def turned_onto(places: Floats, target: Floats, *, scaled: bool = True) -> Floats:
    """Turn, mirror, scale and move places as a whole, to lie as near to others as can be.

    Args:
        places: What is turned, (points, dimensions).
        target: Where each should come near to, (points, dimensions).
        scaled: Whether it may be scaled too.
    """
    centre, goal = places.mean(axis=0), target.mean(axis=0)  # (dimensions,) each
    own, wanted = places - centre, target - goal  # (points, dimensions) each
    left, strengths, right = np.linalg.svd(own.T.astype(np.float64) @ wanted)
    scale = strengths.sum() / max(float((own.astype(np.float64) ** 2).sum()), 1e-300)
    scale = scale if scaled else 1.0
    return (own @ (left @ right) * scale + goal).astype(np.float32)  # (points, dimensions)


def changes(
    before: Floats,
    after: Floats,
    *,
    neighbours: int = 10,
    pairs: int = MOST_PAIRS,
    cancelled: Asked | None = None,
) -> Changes:
    """Find what moved most between two embeddings of the same sentences, by cosine.

    Args:
        before: One embedding a sentence, (points, dimension).
        after: The other, (points, other dimension).
        neighbours: How many nearest neighbours to look at; fewer of fewer sentences.
        pairs: How many pairs to list each way.
        cancelled: Asked now and then; True stops.

    Raises:
        ValueError: If there are fewer than two sentences, or not as many of both.
        StoppedMapError: If `cancelled` answered True.
    """
    check_vectors(before)
    check_vectors(after)
    if len(before) != len(after) or len(before) < 2:
        raise ValueError(
            f"there are {len(before):,} embeddings before and {len(after):,} after, must be of "
            "the same sentences, at least 2"
        )
    k = min(neighbours, len(before) - 1)
    near = [nearest(v, k + 1, "cosine", cancelled=cancelled)[0][:, 1:] for v in (before, after)]
    both = zip(near[0].tolist(), near[1].tolist(), strict=True)
    kept = np.array([len(set(one) & set(other)) / k for one, other in both], dtype=np.float32)
    apart, together = _moved_pairs(before, after, pairs, cancelled)
    return Changes(kept=kept, neighbours=k, apart=apart, together=together)


def _moved_pairs(
    before: Floats, after: Floats, most: int, cancelled: Asked | None
) -> tuple[tuple[MovedPair, ...], tuple[MovedPair, ...]]:
    """Find the pairs whose cosine fell and rose most, in blocks of rows."""
    first, second = prepared(before, "cosine"), prepared(after, "cosine")
    found: list[list[MovedPair]] = [[], []]
    for rows in blocks(len(first), len(first)):
        if cancelled is not None and cancelled():
            raise StoppedMapError
        was, now = first[rows] @ first.T, second[rows] @ second.T  # (block, points) each
        later = np.arange(len(first)) > np.arange(rows.start, rows.stop)[:, None]  # each pair once
        for way, sign in enumerate((-1.0, 1.0)):
            change = np.where(later, sign * (now - was), -np.inf).ravel()  # (block · points,)
            some = np.argpartition(change, -min(most, change.size))[-most:]
            for flat in some[change[some] > 0]:
                row, b = divmod(int(flat), len(first))
                pair = MovedPair(
                    a=rows.start + row, b=b, before=float(was[row, b]), after=float(now[row, b])
                )
                found[way].append(pair)
        found = [sorted(each, key=lambda p: (-abs(p.after - p.before), p.a, p.b))[:most]
                 for each in found]  # fmt: skip
    return tuple(found[0]), tuple(found[1])
