"""Turning a picture as a whole onto another one, and back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.maps.near import Floats

Doubles = NDArray[np.float64]

NOTHING_AGREES = 1e-9
"""Two pictures of which less than this share agrees say nothing of each other's size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Turn:
    """How places are turned or mirrored, scaled and moved, all of them alike.

    Attributes:
        matrix: Turns, mirrors and scales, (dimensions, dimensions).
        shift: Moves afterwards, (dimensions,).
    """

    matrix: Doubles
    shift: Doubles

    def of(self, places: Floats) -> Floats:
        """Turn places, (points, dimensions)."""
        return (places @ self.matrix + self.shift).astype(np.float32)  # (points, dimensions)

    def undone(self, places: Floats) -> Floats:
        """Turn places back, (points, dimensions)."""
        back = np.linalg.inv(self.matrix)  # (dimensions, dimensions)
        return ((places - self.shift) @ back).astype(np.float32)  # (points, dimensions)


def turn_onto(places: Floats, target: Floats, *, scaled: bool = True) -> Turn:
    """Find the turn after which places lie as near to others as can be.

    Args:
        places: What is turned, (points, dimensions).
        target: Where each should come near to, (points, dimensions).
        scaled: Whether it may be scaled too. Where the two have nothing in common, it is scaled
            to the other's size.

    Source:
        Orthogonal Procrustes: Schönemann 1966.
    """
    own, wanted = places.astype(np.float64), target.astype(np.float64)
    centre, goal = own.mean(axis=0), wanted.mean(axis=0)  # (dimensions,) each
    own, wanted = own - centre, wanted - goal  # (points, dimensions) each
    left, strengths, right = np.linalg.svd(own.T @ wanted)
    sizes = [float(np.linalg.norm(each)) for each in (own, wanted)]
    scale = 1.0
    if scaled and sizes[0] > 0 and sizes[1] > 0:
        agree = float(strengths.sum()) / (sizes[0] * sizes[1])
        scale = sizes[1] / sizes[0] * (agree if agree > NOTHING_AGREES else 1.0)
    matrix = left @ right * scale  # (dimensions, dimensions)
    return Turn(matrix=matrix, shift=goal - centre @ matrix)


def turned_onto(places: Floats, target: Floats, *, scaled: bool = True) -> Floats:
    """Turn, mirror, scale and move places as a whole, to lie as near to others as can be.

    Args:
        places: What is turned, (points, dimensions).
        target: Where each should come near to, (points, dimensions).
        scaled: Whether it may be scaled too.
    """
    return turn_onto(places, target, scaled=scaled).of(places)  # (points, dimensions)
