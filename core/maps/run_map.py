"""A map of the same sentences at moments of a training run, each turned onto the one before."""

from dataclasses import dataclass

import numpy as np

from core.maps.near import Floats, prepared
from core.maps.projection import check_vectors
from core.maps.turning import turned_onto
from core.training.events import SnapshotEvent


@dataclass(frozen=True, kw_only=True)
class RunMapFrame:
    """Where the sentences stand at a moment.

    Attributes:
        epoch: Epochs done.
        step: The steps done.
        states: By what the heads read, (sentences, 2).
        share: The share of the variance of what the heads read, 0 to 1, that this shows.
        said: By sentence task, among its labels' corners, (sentences, 2): see `among_corners`.
    """

    epoch: int
    step: int
    states: Floats
    share: float
    said: dict[str, Floats]


class RunMap:
    """Lays the snapshots of one run out, in their order.

    What heads read is shown along the two directions in which it varies most at that moment
    (PCA by direction, as cosine sees it), turned and mirrored as a whole onto the moment before:
    who is near whom can be compared, and what did not change does not move. On axes fixed before
    the first step hardly anything could be seen of what training makes. What a head says needs
    no axes: each label has a corner.
    """

    def __init__(self) -> None:
        self._before: Floats | None = None

    def frame(self, snapshot: SnapshotEvent) -> RunMapFrame:
        """Lay the next snapshot out.

        Raises:
            ValueError: If a state is not finite.
        """
        places, share = _flat(snapshot.states)
        if self._before is not None:
            places = turned_onto(places, self._before, scaled=False)
        self._before = places
        said = {name: among_corners(each) for name, each in snapshot.probabilities.items()}
        return RunMapFrame(
            epoch=snapshot.epoch, step=snapshot.step, states=places, share=share, said=said
        )


def _flat(states: Floats) -> tuple[Floats, float]:
    """Lay states out in a plane, (sentences, 2), and give the share of the variance it shows."""
    check_vectors(states)
    given = prepared(states, "cosine").astype(np.float64)  # (sentences, hidden)
    left, strengths, axes = np.linalg.svd(given - given.mean(axis=0), full_matrices=False)
    largest = np.abs(axes[:2]).argmax(axis=1)  # (axes,)
    signs = np.sign(axes[np.arange(len(largest)), largest])  # the same input, the same side
    places = np.zeros((len(states), 2), dtype=np.float32)
    places[:, : len(signs)] = left[:, :2] * strengths[:2] * signs  # (sentences, axes)
    whole = float((strengths**2).sum())
    return places, float((strengths[:2] ** 2).sum()) / whole if whole else 0.0


def corners(labels: int) -> Floats:
    """Give each label a corner of a regular polygon, clockwise from the top; two lie abreast.

    Returns:
        (labels, 2), at a distance of 1 from the middle; y points up.
    """
    turn = 2 * np.pi * np.arange(labels) / max(labels, 1)
    first = -np.pi / 2 if labels == 2 else 0.0
    return np.stack([np.sin(turn + first), np.cos(turn + first)], axis=1).astype(np.float32)


def among_corners(probabilities: Floats) -> Floats:
    """Place each sentence at the mean of the labels' corners, weighed by their probabilities.

    One that a head is sure of stands in its label's corner, an undecided one in the middle.

    Args:
        probabilities: (sentences, labels).

    Returns:
        (sentences, 2), inside the polygon of `corners`.

    Source:
        With three labels these are barycentric coordinates, and the place tells all three.
    """
    return np.asarray(probabilities @ corners(probabilities.shape[1]), dtype=np.float32)
