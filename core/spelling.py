"""How words are written: what a tokenizer that lower-cases its text hides from its encoder.

A capital is the best single sign of a name, and an uncased encoder never sees one. A token head
may read these few features beside its states.
"""

import re

import torch
from torch import Tensor

from core.tokenizer import Pieces

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
    described = [_describe(text, words, index) for index in range(len(words))]
    rows: list[tuple[float, ...]] = []
    at = 0
    for (start, end), special in zip(pieces.spans, pieces.special, strict=True):
        while at < len(words) and words[at][1] < end:
            at += 1
        if special or at == len(words) or not words[at][0] < end <= words[at][1]:
            rows.append(_NOTHING)
            continue
        begins = float(start <= words[at][0])  # a byte-level token may begin at the space before
        rows.append((*described[at][:6], begins, *described[at][6:]))
    return torch.tensor(rows).reshape(len(rows), len(FEATURES))  # (tokens, features)


def _describe(text: str, words: list[tuple[int, int]], index: int) -> tuple[float, ...]:
    """Give a word's features, all but whether a token begins it."""

    def capital(place: int) -> bool:
        return 0 <= place < len(words) and text[words[place][0]].isupper()

    start, end = words[index]
    word = text[start:end]
    others = [capital(place) for place in range(len(words)) if place != index]
    rare = 1 - sum(others) / len(others) if others else 0.0
    joined = index > 0 and not re.search(r"[.!?:]", text[words[index - 1][1] : start])
    return (
        float(capital(index)),
        float(capital(index) and joined and not capital(index - 1)),
        rare if capital(index) else 0.0,
        float(len(word) > 1 and word.isupper()),
        float(any(c.isupper() for c in word[1:]) and not word.isupper()),
        float(any(c.isdigit() for c in word)),
        float(capital(index - 1)),
        float(capital(index + 1)),
        float(start > 0 and text[start - 1] in "@#"),
    )
