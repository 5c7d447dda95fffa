"""How words are written: what a tokenizer that lower-cases its text hides from its encoder.

A capital is the best single sign of a name, and an uncased encoder never sees one. A token head
may read these few features beside its states.
"""

import re

import torch
from torch import Tensor

from core.encoder.tokenizer import Pieces

FEATURES = (
    "capital",
    "capital after a lower-cased word",
    "capital where few words have one",
    "all capitals",
    "capital inside",
    "digit",
    "begins its word",
    "after a capital",
    "before a capital",
    "after @ or #",
)

_WORD = re.compile(r"\w+(?:['’\-.&]\w+)*")
_NOTHING = (0.0,) * len(FEATURES)


def spelling_features(text: str, pieces: Pieces) -> Tensor:
    """Describe how each token's word is written.

    Args:
        text: The text.
        pieces: Its tokens.

    Returns:
        One row a token, in the order of `FEATURES`, each 0 to 1; zeros for special tokens and
        for what is no word, (tokens, features).
    """
    words = [match.span() for match in _WORD.finditer(text)]
    capital = [text[start].isupper() for start, _ in words]
    capitals = sum(capital)  # counted once: a text may hold tens of thousands of words
    rows: list[tuple[float, ...]] = []
    at, described = 0, -1
    features = _NOTHING
    for (start, end), special in zip(pieces.spans, pieces.special, strict=True):
        while at < len(words) and words[at][1] < end:
            at += 1
        if special or at == len(words) or not words[at][0] < end <= words[at][1]:
            rows.append(_NOTHING)
            continue
        if at != described:
            features, described = _describe(text, words, at, capital, capitals), at
        begins = float(start <= words[at][0])  # a byte-level token may begin at the space before
        rows.append((*features[:6], begins, *features[6:]))
    return torch.tensor(rows).reshape(len(rows), len(FEATURES))  # (tokens, features)


def _describe(
    text: str, words: list[tuple[int, int]], index: int, capital: list[bool], capitals: int
) -> tuple[float, ...]:
    """Give a word's features, all but whether a token begins it.

    Args:
        text: The text.
        words: Where its words lie.
        index: Which word.
        capital: Whether each word begins with a capital.
        capitals: How many do.
    """
    start, end = words[index]
    word, own = text[start:end], capital[index]
    before = index > 0 and capital[index - 1]
    after = index + 1 < len(words) and capital[index + 1]
    others = len(words) - 1
    rare = 1 - (capitals - own) / others if others else 0.0
    joined = index > 0 and not re.search(r"[.!?:]", text[words[index - 1][1] : start])
    return (
        float(own),
        float(own and joined and not before),
        rare if own else 0.0,
        float(len(word) > 1 and word.isupper()),
        float(any(c.isupper() for c in word[1:]) and not word.isupper()),
        float(any(c.isdigit() for c in word)),
        float(before),
        float(after),
        float(start > 0 and text[start - 1] in "@#"),
    )
