"""How a report writes its numbers: scores in percent, differences in points, intervals beside."""

from collections.abc import Mapping

from core.report.blocks import BETTER, WORSE, Cell

NOTHING = Cell(text="–")
"""What nobody measured."""

EMPTY = Cell(text="")

Interval = Mapping[str, float] | None
"""`{mean, low, high}`; None where it was not measured."""


def score(found: Interval) -> Cell:
    """Write a share in percent."""
    if found is None:
        return NOTHING
    mean, low, high = (f"{100 * found[end]:.1f}" for end in ("mean", "low", "high"))
    return Cell(text=mean, interval=f"{low}–{high}")


def share(found: float | None) -> Cell:
    """Write a share of which no interval is known."""
    return NOTHING if found is None else Cell(text=f"{100 * found:.1f}")


def points(found: Interval) -> Cell:
    """Write a difference of shares in points, and whether it is more than luck explains."""
    if found is None:
        return NOTHING
    mean, low, high = (signed(100 * found[end], 1, plus=True) for end in ("mean", "low", "high"))
    sure = BETTER if found["low"] > 0 else WORSE if found["high"] < 0 else ""
    return Cell(text=mean, interval=f"{low} to {high}", sure=sure)


def correlation(found: Interval) -> Cell:
    """Write a correlation, or a part of one."""
    if found is None:
        return NOTHING
    mean, low, high = (signed(found[end], 3) for end in ("mean", "low", "high"))
    return Cell(text=mean, interval=f"{low} to {high}")


def number(found: float | None, digits: int = 0) -> Cell:
    """Write a number with commas between its thousands."""
    return NOTHING if found is None else Cell(text=f"{found:,.{digits}f}")


def words(text: object) -> Cell:
    """Show a text, or anything, as it is."""
    return Cell(text=str(text))


def signed(value: float, digits: int, *, plus: bool = False) -> str:
    """Write a number with a real minus sign, and none on a zero."""
    text = f"{value:{'+' if plus else ''}.{digits}f}"
    if float(text) == 0:
        return text.lstrip("+-")
    return text.replace("-", "−")
