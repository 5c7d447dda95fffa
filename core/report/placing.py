"""Where names stand beside the marks of a chart, so that few lie on each other."""

import math
from collections.abc import Mapping, Sequence


def room(places: Sequence[float]) -> tuple[float, float]:
    """Leave room beside marks for their names: on a scale of multiples give the logarithms."""
    low, high = min(places), max(places)
    wide = (high - low) or abs(high) * 0.1 or 0.1
    return low - 0.12 * wide, high + 0.32 * wide


_CHART_PIXELS, _LETTER_PIXELS, _LINE_PIXELS = (260.0, 180.0), 6.6, 15.0
"""How much room there is on a phone, and how much a letter and a line take."""

_SIDES = {
    "top right": (7.0, 13.0),
    "bottom right": (7.0, -13.0),
    "top left": (-7.0, 13.0),
    "bottom left": (-7.0, -13.0),
}
"""Where a name may stand, beside the bars, and how far from the middle of its mark, pixels."""


def sides_of(
    names: Sequence[str], xs: Sequence[float], scores: Sequence[Mapping[str, float]]
) -> list[str]:
    """Choose for each name the side of its mark where it covers least.

    Args:
        names: As they are shown.
        xs: Where the marks lie, logarithms on a scale of multiples.
        scores: How high they lie, `{mean, low, high}`.
    """
    left, right = room(xs)
    lowest, highest = min(s["low"] for s in scores), max(s["high"] for s in scores)
    across, high = _CHART_PIXELS
    at = [
        (
            across * (x - left) / (right - left),
            high * (s["mean"] - lowest) / ((highest - lowest) or 1.0),
        )
        for x, s in zip(xs, scores, strict=True)
    ]
    taken = [(x - 10, x + 10, y) for x, y in at]  # from, to, middle: first the marks themselves
    sides = []
    for name, (x, y) in zip(names, at, strict=True):
        wide, best = _LETTER_PIXELS * len(name), (math.inf, "", (0.0, 0.0, 0.0))
        for place, (side, (dx, dy)) in enumerate(_SIDES.items()):
            start = x + dx - (wide if "left" in side else 0)
            own = (start, start + wide, y + dy)
            met = sum(
                own[0] < to and begin < own[1] and abs(own[2] - middle) < _LINE_PIXELS
                for begin, to, middle in taken
            )
            cost = met + 0.01 * place + 2 * (own[0] < 0 or own[1] > across)
            best = min(best, (cost, side, own))
        sides.append(best[1])
        taken.append(best[2])
    return sides
