"""Sentences as text: cleaned, counted, bounded, and cut into lists short enough to hold."""

import re
from collections.abc import Iterable, Iterator, Sequence

from core.config import MAX_SENTENCE_CHARACTERS

CHUNK_SENTENCES = 2_048
"""How many sentences are held at a time: enough to sort by length, little to hold."""

CHUNK_CHARACTERS = 1_000_000

_SPACES = re.compile("[\t-\r\x85\u2028\u2029]")
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # control characters, surrogates
_BLANK_ENDS = re.compile("^[\\s\u200b\u2060\ufeff]+|[\\s\u200b\u2060\ufeff]+$")


def clean(text: str) -> str:
    """Drop surrounding space and control characters, which no encoder reads and terminals obey."""
    if not text.isprintable():  # most texts are, and need no further look
        text = _UNREADABLE.sub("", _SPACES.sub(" ", text))
    return _BLANK_ENDS.sub("", text)


def split_sentences(given: str | Sequence[str]) -> list[str]:
    """Take sentences one a line, or a list of them; blank ones are left out.

    Raises:
        ValueError: If something in the list is not text.
    """
    lines = given.splitlines() if isinstance(given, str) else list(given)
    for index, line in enumerate(lines):
        if not isinstance(line, str):
            raise ValueError(f"sentence {index + 1} is a {type(line).__name__}, must be text")
    return [clean(line) for line in lines if clean(line)]


def check_sentences(texts: Sequence[str], *, at_least: int, at_most: int) -> None:
    """Refuse too few, too many or too long sentences.

    Raises:
        ValueError: Saying what was given and what is allowed.
    """
    if len(texts) < at_least:
        need = "one sentence" if at_least == 1 else f"{at_least} sentences"
        there = {0: "is no sentence", 1: "is one sentence"}.get(len(texts))
        raise ValueError(f"there {there or f'are {len(texts)} sentences'}, must be at least {need}")
    if len(texts) > at_most:
        raise ValueError(f"there are {len(texts):,} sentences, must be at most {at_most:,}")
    check_lengths(texts)


def check_lengths(texts: Sequence[str], *, first: int = 0) -> None:
    """Refuse a sentence that is too long.

    Args:
        texts: The sentences.
        first: How many came before them, for the number in the message.

    Raises:
        ValueError: Naming the sentence and the limit.
    """
    for index, text in enumerate(texts, first):
        if len(text) > MAX_SENTENCE_CHARACTERS:
            raise ValueError(
                f"sentence {index + 1:,} has {len(text):,} characters, must be at most "
                f"{MAX_SENTENCE_CHARACTERS:,}: split it"
            )


def check_top(top: int) -> None:
    """Refuse to return no hits.

    Raises:
        ValueError: If `top` is not positive.
    """
    if not top > 0:
        raise ValueError(f"top is {top}, must be at least 1: how many hits to return")


def chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    """Cut sentences into lists of at most `CHUNK_SENTENCES`, and about `CHUNK_CHARACTERS`."""
    chunk: list[str] = []
    characters = 0
    for text in texts:
        chunk.append(text)
        characters += len(text)
        if len(chunk) >= CHUNK_SENTENCES or characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, characters = [], 0
    if chunk:
        yield chunk
