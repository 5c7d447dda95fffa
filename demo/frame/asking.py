"""What visitors and scripts ask, read within bounds before anything is computed."""

from collections.abc import Callable

from core.sentences import check_sentences, split_sentences
from demo.frame.sentences import MAX_CHARACTERS

MOST_IN_A_LINK = 1_800


Report = Callable[[int, int], None]


Asked = Callable[[], bool]


def whole_number(given: object) -> int:
    """Read a number that a browser sent.

    Raises:
        ValueError: If it is not a whole number.
    """
    if isinstance(given, bool) or not isinstance(given, int | float) or given != int(given):
        raise ValueError(f"{given!r} is not a whole number")
    return int(given)


def read_within(sentences: object, most: int) -> list[str]:
    """Take a caller's sentences, within the bounds.

    Raises:
        ValueError: If they are no text, too few, too many or too long.
    """
    if not isinstance(sentences, str | list):
        kind = type(sentences).__name__
        raise ValueError(f"sentences is a {kind}, must be text or a list of texts")
    size = len(sentences) if isinstance(sentences, str) else sum(map(_size, sentences))
    if size > MAX_CHARACTERS:
        raise ValueError(f"the text has {size:,} characters, must be at most {MAX_CHARACTERS:,}")
    texts = split_sentences(sentences)
    check_sentences(texts, at_least=1, at_most=most)
    return texts


def number(name: str, given: object) -> float:
    """Take a caller's number.

    Raises:
        ValueError: If it is something else.
    """
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"{name} is {str(given)[:40]!r}, must be a number")
    return float(given)


def _size(text: object) -> int:
    return len(text) if isinstance(text, str) else 0
