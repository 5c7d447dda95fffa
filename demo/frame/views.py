"""Plain numbers in, what the scripts draw: dicts of numbers and text, never HTML."""

from collections.abc import Sequence
from typing import Any

View = dict[str, Any]

SHOWN_CHARACTERS = 300
"""What is drawn of a sentence; the encoder and the downloads get all of it."""

DIGITS = 6
"""Decimals that travel to the browser."""


def truncation_notes(truncated: Sequence[bool]) -> list[str]:
    """Name the sentences that the encoder could not read to their end."""
    cut = [str(index + 1) for index, flag in enumerate(truncated) if flag]
    if not cut:
        return []
    which = ", ".join(cut[:10]) + (f" and {len(cut) - 10} more" if len(cut) > 10 else "")
    if len(cut) == 1:
        return [f"Sentence {which} is longer than the encoder reads; its end was left out."]
    return [f"Sentences {which} are longer than the encoder reads; their ends were left out."]


def signed(value: float, digits: int = 2) -> str:
    """Write a number with a real minus sign, and no minus on a zero."""
    text = f"{value:.{digits}f}"
    return text.replace("-", "" if float(text) == 0 else "−")


def milliseconds(seconds: float) -> str:
    """Write a time as people read it."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def shorten(text: str) -> str:
    """Cut a sentence to what is drawn."""
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
