"""Which rows a training learns from, and which it looks at to stop and to calibrate."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.data.dataset import Dataset, shared_tasks
from core.data.near_duplicates import groups_of
from core.data.splits import hold_out
from core.task import Example, Task

HELD_OUT = 0.15
"""The share of the rows that validates, where nobody says otherwise."""


@dataclass(frozen=True, kw_only=True)
class DealtRows:
    """What a run learns from, and what it looks at to stop and to calibrate.

    Attributes:
        training: The rows to learn from.
        validation: The rows held out; may be empty.
        notes: How they were dealt, each one sentence for people.
    """

    training: tuple[Example, ...]
    validation: tuple[Example, ...]
    notes: tuple[str, ...]


def deal_rows(
    dataset: Dataset, *, validation: Dataset | None = None, hold: bool = True, seed: int = 0
) -> DealtRows:
    """Deal rows to training and validation.

    Rows given apart win, then the validation rows of a named split column; else 15 % are held
    out, the labels in like shares and near-duplicates on one side. Test rows take no part.

    Args:
        dataset: The data.
        validation: Rows to validate on, from elsewhere.
        hold: Whether there are to be any; False leaves all of them out, given ones too.
        seed: Draws what is held out.

    Raises:
        ValueError: If there is no row to learn from, or the rows given do not fit the tasks.
    """
    dataset = dataset.usable()
    pairs = list(zip(dataset.examples, dataset.splits, strict=True))
    training = [example for example, split in pairs if split in ("", "train")]
    notes = _never_learned(training, dataset.tasks)
    left_out = sum(split == "test" for split in dataset.splits)
    if left_out:
        notes.append(f"{left_out:,} test rows take no part in training")
    if not training:
        raise ValueError(f"{dataset.name} has no training row: none is in the split train")
    if not hold:
        notes.append(
            "nothing is held out: the epochs are as given, probabilities are not calibrated, and "
            "there are no figures"
        )
        return DealtRows(training=tuple(training), validation=(), notes=tuple(notes))
    own = [example for example, split in pairs if split == "validation"]
    if validation is not None:
        validation = validation.usable()
        shared_tasks(dataset.tasks, validation)
        own = list(validation.examples)
    if own:
        return _given(training, own, notes)
    return _held_out(training, dataset.tasks, seed, notes)


def _never_learned(training: Sequence[Example], tasks: Sequence[Task]) -> list[str]:
    there = _labels_of(training)
    missing = [(task.name, label) for task in tasks for label in task.labels]
    return [
        f"{task}: {label[:40]!r} has no training row, and so will hardly be predicted"
        for task, label in missing
        if (task, label) not in there
    ]


def _given(training: Sequence[Example], own: Sequence[Example], notes: list[str]) -> DealtRows:
    """Take validation rows as they were given, and say where they are none of new text."""
    groups = groups_of([*training, *own])
    seen = set(groups[: len(training)])
    again = sum(group in seen for group in groups[len(training) :])
    if again:
        notes.append(
            f"{again:,} of {len(own):,} validation rows have a near-duplicate, or one of their "
            "group, among the training rows: the figures are too good"
        )
    return DealtRows(training=tuple(training), validation=tuple(own), notes=tuple(notes))


def _held_out(
    training: Sequence[Example], tasks: Sequence[Task], seed: int, notes: list[str]
) -> DealtRows:
    kept, held = hold_out(training, tasks, groups_of(training), HELD_OUT, seed)
    lost = _labels_of(training) - _labels_of([training[i] for i in kept])
    if not held or not kept or lost:
        named = next((f": {label!r} of {task} would lose all" for task, label in sorted(lost)), "")
        notes.append(
            f"{len(training):,} rows are too few to hold any out to validate{named}; the epochs "
            "are as given, probabilities are not calibrated, and there are no figures"
        )
        return DealtRows(training=tuple(training), validation=(), notes=tuple(notes))
    return DealtRows(
        training=tuple(training[i] for i in kept),
        validation=tuple(training[i] for i in held),
        notes=tuple(notes),
    )


def _labels_of(examples: Sequence[Example]) -> set[tuple[str, str]]:
    found = set()
    for example in examples:
        for task, label in example.labels.items():
            if isinstance(label, str):
                found.add((task, label))
            elif label is not None:
                found.update((task, span.label) for span in label)
    return found
