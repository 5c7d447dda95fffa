"""Which rows each seed of a comparison learns from, validates on and is tested on."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from core.config import FOLDS
from core.data.dataset import Dataset
from core.data.dealing import HELD_OUT
from core.data.near_duplicates import groups_of
from core.data.rare_labels import without_rare_labels
from core.data.splits import hold_out, iterative_folds
from core.task import Example, Task, labels_in


@dataclass(frozen=True, kw_only=True)
class Deal:
    """The rows of one seed, by their places in the data.

    Attributes:
        seed: Whose.
        fold: Which fold is tested; None with a test split of the person's own.
        repetition: Of which deal of the folds; 0 with a test split.
        training: The rows to learn from.
        validation: The rows to stop, to choose rates and to calibrate by; may be empty.
        tested: The rows that nothing looks at before the end.
        notes: What a person should know of it.
    """

    seed: int
    fold: int | None
    repetition: int
    training: tuple[int, ...]
    validation: tuple[int, ...]
    tested: tuple[int, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ComparedData:
    """Labelled rows as strategies are compared on them.

    Attributes:
        dataset: The rows that have a text, without the labels that cannot be tested.
        own_split: Whether the person named a split that has test rows.
        notes: What was left out and why, each one sentence for people.
    """

    dataset: Dataset
    own_split: bool
    notes: tuple[str, ...]
    groups: tuple[int, ...] = field(repr=False)

    @property
    def folds(self) -> int | None:
        """How many folds there are; None with a test split of the person's own."""
        return None if self.own_split else FOLDS

    def deal(self, seed: int) -> Deal:
        """Deal the rows for a seed; what a seed gets depends on no other.

        Seed s tests fold s mod 3 of repetition s div 3, and each repetition is a split of its
        own. With a test split, seeds change what validates, unless validation rows are named too.

        Raises:
            ValueError: If there are too few groups of rows to deal.
        """
        if self.own_split:
            return self._split(seed)
        repetition, fold = divmod(seed, FOLDS)
        examples, tasks = self.dataset.examples, self.dataset.tasks
        folds = iterative_folds(examples, tasks, self.groups, FOLDS, repetition)
        tested = folds[fold]
        if not tested:
            raise ValueError(
                f"{self.dataset.name}: one of {FOLDS} folds is left without a row, as most rows "
                "are near-duplicates of each other or of one group: add other rows"
            )
        rest = sorted(row for other in folds if other is not tested for row in other)
        training, validation, notes = self._validated(rest, seed)
        return Deal(
            seed=seed,
            fold=fold,
            repetition=repetition,
            training=training,
            validation=validation,
            tested=tuple(tested),
            notes=(*notes, *self._never_learned(training, tested)),
        )

    def _split(self, seed: int) -> Deal:
        by_split: dict[str, list[int]] = {"train": [], "validation": [], "test": []}
        for row, split in enumerate(self.dataset.splits):
            by_split[split or "train"].append(row)
        training, validation = tuple(by_split["train"]), tuple(by_split["validation"])
        notes: tuple[str, ...] = ()
        if not validation:
            training, validation, notes = self._validated(training, seed)
        return Deal(
            seed=seed,
            fold=None,
            repetition=0,
            training=training,
            validation=validation,
            tested=tuple(by_split["test"]),
            notes=(*notes, *self._never_learned(training, by_split["test"])),
        )

    def _validated(
        self, rows: Sequence[int], seed: int
    ) -> tuple[tuple[int, ...], tuple[int, ...], tuple[str, ...]]:
        """Hold some of the rows that are not tested out, unless a label would lose all its rows."""
        examples, tasks = self.dataset.examples, self.dataset.tasks
        some = [examples[row] for row in rows]
        kept, held = hold_out(some, tasks, [self.groups[row] for row in rows], HELD_OUT, seed)
        lost = sorted(_labels(some, tasks) - _labels([some[i] for i in kept], tasks))
        if held and kept and not lost:
            return tuple(rows[i] for i in kept), tuple(rows[i] for i in held), ()
        named = f": {lost[0][1][:40]!r} of {lost[0][0]} would keep none" if lost else ""
        note = (
            f"seed {seed}: {len(rows):,} rows are too few to hold any out to validate{named}; "
            "every epoch is trained, and probabilities are not calibrated"
        )
        return tuple(rows), (), (note,)

    def _never_learned(self, training: Sequence[int], tested: Sequence[int]) -> list[str]:
        examples, tasks = self.dataset.examples, self.dataset.tasks
        known = _labels([examples[row] for row in training], tasks)
        missing = sorted(_labels([examples[row] for row in tested], tasks) - known)
        return [
            f"{task}: {label[:40]!r} is tested, but no training row has it"
            for task, label in missing
        ]


def compared_data(dataset: Dataset) -> ComparedData:
    """Get labelled data ready to be compared on.

    Without test rows in a split that the person named, the rows are cross-validated, and a label
    with fewer groups of rows than folds is left out: it cannot be tested.

    Raises:
        ValueError: If there are too few rows, or a task is left with too few labels.
    """
    dataset = dataset.usable()
    # A read-only view of a mapping cannot be sent to another process.
    dataset = replace(
        dataset, label_columns=dict(dataset.label_columns), facets=dict(dataset.facets)
    )
    groups = groups_of(dataset.examples)
    if "test" in dataset.splits:
        return _own_split(dataset, groups)
    notes = []
    if any(dataset.splits):
        notes.append("no row is in the split test: the split is left aside, all rows take part")
    tested = without_rare_labels(dataset.examples, dataset.tasks, groups, FOLDS)
    kept = replace(dataset, examples=tested.examples, tasks=tested.tasks)
    return ComparedData(
        dataset=kept, own_split=False, notes=(*notes, *tested.notes), groups=tuple(groups)
    )


def _own_split(dataset: Dataset, groups: list[int]) -> ComparedData:
    """Check a split of the person's own: every task must be learned and tested."""
    by_split: dict[str, list[Example]] = {"train": [], "validation": [], "test": []}
    seen: dict[str, set[int]] = {"train": set(), "test": set()}
    for example, split, group in zip(dataset.examples, dataset.splits, groups, strict=True):
        by_split[split or "train"].append(example)
        seen["test" if split == "test" else "train"].add(group)
    notes = []
    for task in dataset.tasks:
        learned = {label for _, label in _labels(by_split["train"], [task])}
        least = task.of_kind.least_labels
        if len(learned) < least:
            raise ValueError(
                f"task {task.name} has {len(learned)} label{'s' * (len(learned) != 1)} among the "
                f"training rows, needs at least {least}: move rows to the split train, or leave "
                "the task out"
            )
        if not any(each.labels.get(task.name) is not None for each in by_split["test"]):
            raise ValueError(f"task {task.name} has no label in any test row: nothing to test")
    both = seen["train"] & seen["test"]
    if both:
        notes.append(
            f"{len(both):,} texts of the test rows have a near-duplicate, or one of their group, "
            "among the others: the figures are too good"
        )
    return ComparedData(dataset=dataset, own_split=True, notes=tuple(notes), groups=tuple(groups))


def _labels(examples: Sequence[Example], tasks: Sequence[Task]) -> set[tuple[str, str]]:
    """Name the labels that occur in rows, with their tasks."""
    return {
        (task.name, label)
        for example in examples
        for task in tasks
        for label in labels_in(example.labels.get(task.name))
    }
