"""Which texts say nearly the same, so that no split may tell them apart."""

import functools
import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from core.task import Example

NEAR = 0.8
"""Texts are near-duplicates from this share of common shingles on (Jaccard)."""


SHINGLE_CHARACTERS = 5


COMPARED_CHARACTERS = 1_000
"""How much of a text is compared: about what an encoder reads before it truncates."""


BANDS, BAND_ROWS = 20, 5
"""Texts with as many minima alike in one band are compared: of those just `NEAR`, one pair in
3,000 never is; of those that share a tenth, one pair in 5,000 is."""


NEIGHBOURS = 8
"""With how many of those alike in a band, next to it by the further bands, a text is compared."""


LEAST_ESTIMATE = 0.7
"""Pairs whose minima agree less are not compared: 2.5 standard errors below `NEAR`."""


Integers = npt.NDArray[np.int64]


Minima = npt.NDArray[np.uint32]


def near_duplicate_groups(texts: Sequence[str], groups: Sequence[str]) -> list[int]:
    """Number texts so that those which no split may tell apart have one number.

    Those are texts of one given group, texts equal up to case, space and punctuation, and
    near-duplicates: texts that share `NEAR` of their shingles. What is near to one of a group is
    in it. Empty texts stay alone, whatever is near them.

    Args:
        texts: The texts.
        groups: A given group for each, or "" for none.

    Returns:
        A number for each text, counted from 0 by first appearance.

    Source:
        Shingles: Broder 1997, On the resemblance and containment of documents, section 2.
        Candidates: Leskovec et al. 2020, Mining of massive datasets, sections 3.3 and 3.4
        (minhashing, banding); each is then compared shingle by shingle.
    """
    joined = _Joined(len(texts))
    given: dict[str, int] = {}
    bare: dict[str, int] = {}
    for row, (text, group) in enumerate(zip(texts, groups, strict=True)):
        kept = _bare(text)
        if kept:
            joined.join(row, bare.setdefault(kept, row))
        if group:
            joined.join(row, given.setdefault(group, row))
    rows = list(bare.values())
    padded = [_padded(text) for text in bare]
    for one, other in _candidates(_minima(padded)):
        apart = joined.root(rows[one]) != joined.root(rows[other])
        if apart and _alike(padded[one], padded[other]):
            joined.join(rows[one], rows[other])
    numbers: dict[int, int] = {}
    return [numbers.setdefault(joined.root(row), len(numbers)) for row in range(len(texts))]


class _Joined:
    """Sets of rows that grow together (union-find)."""

    def __init__(self, rows: int) -> None:
        self._above = list(range(rows))

    def root(self, row: int) -> int:
        while self._above[row] != row:
            self._above[row] = self._above[self._above[row]]
            row = self._above[row]
        return row

    def join(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        self._above[max(one, other)] = min(one, other)


def _bare(text: str) -> str:
    """Strip a text of case, punctuation and extra space; where nothing is left, of none of it."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    if not folded.isalnum():
        folded = folded.translate(_PUNCTUATION)
    return " ".join(folded.split()) or text.strip()


class _SpaceForPunctuation(dict[int, int]):
    """For `str.translate`: each character as it is, punctuation as a space; looked up once."""

    def __missing__(self, code: int) -> int:
        kept = ord(" ") if unicodedata.category(chr(code))[0] == "P" else code
        self[code] = kept
        return kept


_PUNCTUATION = _SpaceForPunctuation()


def _padded(text: str) -> str:
    """Put space round a text, so that a first or last word weighs like any other."""
    pad = " " * (SHINGLE_CHARACTERS - 1)
    return pad + text[:COMPARED_CHARACTERS] + pad


def _minima(texts: Sequence[str]) -> Minima:
    """Give for each text the least of its shingles' numbers, under many orders of all numbers.

    Returns:
        (texts, `BANDS * BAND_ROWS`); two texts agree in about the share of shingles they share.
    """
    draw = np.random.default_rng(0)
    factors, shifts = draw.integers(1 << 32, size=(2, BANDS * BAND_ROWS), dtype=np.uint32)
    minima = np.empty((len(texts), len(factors)), dtype=np.uint32)
    for start in range(0, len(texts), _BLOCK_TEXTS):
        block = texts[start : start + _BLOCK_TEXTS]
        hashes, starts = _hashed(block)
        for place, (factor, shift) in enumerate(zip(factors | np.uint32(1), shifts, strict=True)):
            ordered = hashes * factor + shift  # (shingles,), whatever is over 32 bits drops off
            minima[start : start + len(block), place] = np.minimum.reduceat(ordered, starts)
    return minima


_BLOCK_TEXTS = 256  # what is worked on then fits the processor's cache


def _hashed(texts: Sequence[str]) -> tuple[Minima, Integers]:
    """Number the shingles of all texts, and say where each text's begin."""
    joined = "".join(texts).encode("utf-32-le", errors="surrogatepass")
    codes = np.frombuffer(joined, dtype=np.uint32).astype(np.uint64)  # (characters,)
    lengths = np.array([len(text) for text in texts])
    owner = np.repeat(np.arange(len(texts)), lengths)  # (characters,)
    last = len(codes) - SHINGLE_CHARACTERS + 1
    hashes = np.zeros(last, dtype=np.uint64)
    for step in range(SHINGLE_CHARACTERS):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + codes[step : step + last]
    hashes = (hashes ^ (hashes >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    within = owner[:last] == owner[SHINGLE_CHARACTERS - 1 :]  # no shingle of two texts
    shingles = lengths - SHINGLE_CHARACTERS + 1
    return (hashes[within] >> np.uint64(32)).astype(np.uint32), np.cumsum(shingles) - shingles


def _candidates(minima: Minima) -> Iterator[tuple[int, int]]:
    """Pair texts that agree in a whole band, and by estimate share about `NEAR`."""
    count = len(minima)
    if count < 2:
        return
    bands = minima.reshape(count, BANDS, BAND_ROWS)  # (texts, bands, rows)
    factors = np.random.default_rng(1).integers(1 << 62, size=BAND_ROWS, dtype=np.uint64)
    keys = np.empty((count, BANDS), dtype=np.uint64)
    for band in range(BANDS):
        keys[:, band] = (bands[:, band] * factors).sum(axis=1)
    found = []
    for band in range(BANDS):
        further = [keys[:, (band + step) % BANDS] for step in (2, 1, 0)]
        order = np.lexsort(further)  # those alike in further bands come next to each other
        key = keys[order, band]
        for apart in range(1, min(NEIGHBOURS, count - 1) + 1):
            same = key[apart:] == key[:-apart]
            one, other = order[:-apart][same], order[apart:][same]
            found.append(np.minimum(one, other) * count + np.maximum(one, other))
    pairs = np.unique(np.concatenate(found))
    for start in range(0, len(pairs), _BLOCK_PAIRS):
        one, other = np.divmod(pairs[start : start + _BLOCK_PAIRS], count)
        estimate = (minima[one] == minima[other]).mean(axis=1)  # (pairs,)
        near = estimate >= LEAST_ESTIMATE
        yield from zip(one[near].tolist(), other[near].tolist(), strict=True)


_BLOCK_PAIRS = 16_384


def _alike(one: str, other: str) -> bool:
    first, second = _shingles(one), _shingles(other)
    both = len(first & second)
    return both >= NEAR * (len(first) + len(second) - both)


@functools.lru_cache(maxsize=256)  # candidates come sorted: a text is in many pairs in a row
def _shingles(text: str) -> frozenset[str]:
    starts = range(len(text) - SHINGLE_CHARACTERS + 1)
    return frozenset({text[start : start + SHINGLE_CHARACTERS] for start in starts})


def groups_of(examples: Sequence[Example]) -> list[int]:
    """Number examples so that those which no split may tell apart have one number."""
    return near_duplicate_groups(
        [example.text for example in examples], [example.group for example in examples]
    )
