"""Which rows go to which side: stratified folds, rows held out, samples."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from core.task import Example, Task, labels_in


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
        Sechidis et al. 2011, On the stratification of multi-label data, algorithm 1. Groups stand
        for its examples, the largest are placed first, and ties are broken by a row's other
        labels before the number of rows, which holds those much nearer to their shares.
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
        if given is not None:
            yield from {(task.name, label): None for label in labels_in(given) or [""]}


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
        """Give a group of rows to the side that wants its label most; of equal ones, its others."""
        asked = self._labels[label] if label is not None else self._rows

        def wish(side: int) -> tuple[float, ...]:
            others = sum(count * self._labels[each][side] for each, count in counts.items())
            wishes = (asked[side], others, self._rows[side])
            return (*(round(each, 6) for each in wishes), draw.random())

        side = max(range(len(self._rows)), key=wish)
        for each, count in counts.items():
            self._labels[each][side] -= count
        self._rows[side] -= rows
        return side
