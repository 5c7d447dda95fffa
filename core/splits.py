"""Which rows belong together, and which go to which side: near-duplicates, folds, samples."""

import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from core.task import Example, Task

NEAR = 0.8
"""Texts are near-duplicates from this share of common shingles on (Jaccard)."""

SHINGLE_CHARACTERS = 5
COMPARED_CHARACTERS = 1_000
"""How much of a text is compared: about what an encoder reads before it truncates."""

MAX_SHINGLES = 4_000_000
"""Where texts have more, an even draw of them stands for all, so that memory stays bounded."""

NEIGHBOURS = 32
"""With how many of those that share a rare shingle, next in length, a text is compared."""

Integers = npt.NDArray[np.int64]


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
        Candidates by their rarest shingles: Chaudhuri et al. 2006, A primitive operator for
        similarity joins in data cleaning (prefix filter). Unlike MinHash it misses nothing by
        chance.
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
    sets = _shingle_sets(list(bare))
    for a, b in _candidates(sets):
        one, other = rows[a], rows[b]
        if joined.root(one) != joined.root(other) and _alike(sets[a], sets[b]):
            joined.join(one, other)
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
        folded = "".join(" " if unicodedata.category(c)[0] == "P" else c for c in folded)
    return " ".join(folded.split()) or text.strip()


def _shingle_sets(texts: Sequence[str]) -> list[Integers]:
    """Give each text's shingles as sorted numbers, the rarest of all texts first.

    Texts are padded with space, so that a first or last word weighs like any other. A run of
    characters becomes a number by a polynomial in 64 bits: two that differ practically never
    meet.
    """
    pad = " " * (SHINGLE_CHARACTERS - 1)
    cut = [pad + text[:COMPARED_CHARACTERS] + pad for text in texts]
    total = sum(map(len, cut))
    one_in = np.uint64(1 + total // MAX_SHINGLES)
    found, owners = [], []
    for start in range(0, len(cut), 4_096):
        hashes, owner = _hashed(cut[start : start + 4_096], one_in)
        found.append(hashes)
        owners.append(owner + start)
    if not found:
        return []
    _, number, counts = np.unique(np.concatenate(found), return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(counts, kind="stable")] = np.arange(len(counts))
    owner = np.concatenate(owners)
    ranks = rank[number]
    order = np.lexsort((ranks, owner))
    bounds = np.searchsorted(owner[order], np.arange(1, len(cut)))
    return list(np.split(ranks[order], bounds))


def _hashed(texts: Sequence[str], one_in: np.uint64) -> tuple[npt.NDArray[np.uint64], Integers]:
    """Hash the different shingles of each text, one in so many, beside the text's place."""
    joined = "".join(texts).encode("utf-32-le", errors="surrogatepass")
    codes = np.frombuffer(joined, dtype=np.uint32).astype(np.uint64)  # (characters,)
    owner = np.repeat(np.arange(len(texts)), [len(text) for text in texts])  # (characters,)
    last = len(codes) - SHINGLE_CHARACTERS + 1
    hashes = np.zeros(last, dtype=np.uint64)
    for step in range(SHINGLE_CHARACTERS):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + codes[step : step + last]
    within = owner[:last] == owner[SHINGLE_CHARACTERS - 1 :]  # no shingle of two texts
    drawn = (hashes * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(32)
    within &= drawn % one_in == 0
    pairs = np.stack([owner[:last][within].astype(np.uint64), hashes[within]])  # (2, shingles)
    pairs = pairs[:, np.lexsort((pairs[1], pairs[0]))]
    new = np.ones(pairs.shape[1], dtype=bool)
    new[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
    return pairs[1, new], pairs[0, new].astype(np.int64)


def _candidates(sets: Sequence[Integers]) -> Iterator[tuple[int, int]]:
    """Pair texts that share one of their rarest shingles and are about as long.

    Two sets that share `NEAR` of their union share one of the first `size - NEAR * size + 1` of
    each, in any order that is the same for all; the rarest first leaves the fewest pairs.
    """
    sizes = np.array([len(each) for each in sets])
    heads = [each[: len(each) - int(np.ceil(NEAR * len(each))) + 1] for each in sets]
    if not heads:
        return
    shingles = np.concatenate(heads)
    owners = np.repeat(np.arange(len(sets)), [len(head) for head in heads])
    order = np.lexsort((owners, sizes[owners], shingles))
    shingles, owners = shingles[order], owners[order]
    keys = []
    for apart in range(1, NEIGHBOURS + 1):
        same = shingles[apart:] == shingles[:-apart]
        one, other = owners[:-apart][same], owners[apart:][same]  # the other is the longer
        near = sizes[one] >= NEAR * sizes[other]
        low, high = np.minimum(one, other)[near], np.maximum(one, other)[near]
        keys.append(low * len(sets) + high)
    for key in np.unique(np.concatenate(keys)).tolist():
        yield divmod(key, len(sets))


def _alike(one: Integers, other: Integers) -> bool:
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both >= NEAR * (len(one) + len(other) - both)


def iterative_folds(
    examples: Sequence[Example],
    tasks: Sequence[Task],
    groups: Sequence[int],
    folds: int,
    seed: int,
) -> list[list[int]]:
    """Cut rows into folds that have like shares of every label of every task.

    Args:
        examples: The rows.
        tasks: The tasks whose labels are shared out, all together.
        groups: A number for each row; rows of one number stay in one fold.
        folds: How many.
        seed: Draws among what is equally good.

    Returns:
        The rows of each fold, in order.

    Raises:
        ValueError: If there are fewer than two folds, or fewer groups than folds.

    Source:
        Sechidis et al. 2011, On the stratification of multi-label data, algorithm 1; groups stand
        for its examples, and the largest are placed first.
    """
    if folds < 2:
        raise ValueError(f"folds is {folds}, must be at least 2")
    different = len(set(groups))
    if different < folds:
        raise ValueError(
            f"there are {different} rows that are not near-duplicates of each other or of one "
            f"group, must be at least {folds} for {folds} folds: add rows"
        )
    return _shared_out(examples, tasks, groups, [1 / folds] * folds, seed)


def hold_out(
    examples: Sequence[Example],
    tasks: Sequence[Task],
    groups: Sequence[int],
    share: float,
    seed: int,
) -> tuple[list[int], list[int]]:
    """Hold a share of the rows out, with the labels in like shares on both sides.

    Args:
        examples: The rows.
        tasks: The tasks whose labels are shared out, all together.
        groups: A number for each row; rows of one number stay on one side.
        share: How much is held out, between 0 and 1.
        seed: Draws among what is equally good.

    Returns:
        The rows that stay, and those held out, in order.

    Raises:
        ValueError: If `share` is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share is {share}, must be between 0 and 1")
    kept, held = _shared_out(examples, tasks, groups, [1 - share, share], seed)
    return kept, held


def sample_rows(
    examples: Sequence[Example], tasks: Sequence[Task], rows: int, seed: int
) -> list[int]:
    """Draw so many rows, with the labels in like shares as in all; all where there are no more.

    Raises:
        ValueError: If `rows` is not positive.
    """
    if not rows > 0:
        raise ValueError(f"rows is {rows}, must be at least 1")
    if rows >= len(examples):
        return list(range(len(examples)))
    alone = range(len(examples))
    share = rows / len(examples)
    drawn, rest = _shared_out(examples, tasks, alone, [share, 1 - share], seed)
    draw = random.Random(seed)
    if len(drawn) > rows:
        return sorted(draw.sample(drawn, rows))
    return sorted(drawn + draw.sample(rest, rows - len(drawn)))


def _shared_out(
    examples: Sequence[Example],
    tasks: Sequence[Task],
    groups: Sequence[int],
    shares: Sequence[float],
    seed: int,
) -> list[list[int]]:
    """Share groups of rows out, the rarest label's first, each to where most of it is wanting."""
    draw = random.Random(seed)
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in enumerate(groups):
        members[group].append(row)
    units = list(members.values())
    counts = [Counter(label for row in unit for label in _strata(examples[row], tasks))
              for unit in units]  # fmt: skip
    holders: dict[tuple[str, str], list[int]] = defaultdict(list)
    for unit, count in enumerate(counts):
        for label in count:
            holders[label].append(unit)
    left = {label: sum(counts[unit][label] for unit in units_) for label, units_ in holders.items()}
    wanting = _Wanting(shares, left, len(examples))
    side_of: dict[int, int] = {}
    while left:
        rarest = min(left, key=lambda label: (left[label], label))
        waiting = [unit for unit in holders[rarest] if unit not in side_of]
        draw.shuffle(waiting)
        for unit in sorted(waiting, key=lambda unit: -counts[unit][rarest]):
            side_of[unit] = wanting.place(counts[unit], len(units[unit]), rarest, draw)
            for label, rows in counts[unit].items():
                left[label] -= rows
        left = {label: rows for label, rows in left.items() if rows > 0}
    unlabelled = [unit for unit in range(len(units)) if unit not in side_of]
    draw.shuffle(unlabelled)
    for unit in sorted(unlabelled, key=lambda unit: -len(units[unit])):
        side_of[unit] = wanting.place(Counter(), len(units[unit]), None, draw)
    sides: list[list[int]] = [[] for _ in shares]
    for unit, side in side_of.items():
        sides[side].extend(units[unit])
    return [sorted(side) for side in sides]


def _strata(example: Example, tasks: Sequence[Task]) -> Iterator[tuple[str, str]]:
    """Name the labels that occur in a row; that a labelled row has no span counts as one."""
    for task in tasks:
        given = example.labels.get(task.name)
        if isinstance(given, str):
            yield task.name, given
        elif given is not None:
            yield from {(task.name, label): None for label in ([s.label for s in given] or [""])}


class _Wanting:
    """How many rows of each label, and in all, every side still wants."""

    def __init__(
        self, shares: Sequence[float], labels: dict[tuple[str, str], int], rows: int
    ) -> None:
        self._labels = {
            label: [share * count for share in shares] for label, count in labels.items()
        }
        self._rows = [share * rows for share in shares]

    def place(
        self,
        counts: Counter[tuple[str, str]],
        rows: int,
        label: tuple[str, str] | None,
        draw: random.Random,
    ) -> int:
        """Give a group of rows to the side that wants its label most, then rows, then by lot."""
        asked = self._labels[label] if label is not None else self._rows
        side = max(
            range(len(self._rows)),
            key=lambda each: (round(asked[each], 6), round(self._rows[each], 6), draw.random()),
        )
        for each, count in counts.items():
            self._labels[each][side] -= count
        self._rows[side] -= rows
        return side
