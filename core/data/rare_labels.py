"""Labels too rare to be tested: with fewer groups of rows than folds, some fold has none."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from core.task import Example, Label, Task, labels_in, relabelled


@dataclass(frozen=True, kw_only=True)
class Tested:
    """Labelled sentences without the labels that cannot be tested.

    Attributes:
        examples: All the rows; what was dropped is their labels.
        tasks: The tasks with the labels that are left.
        notes: What was dropped, each one sentence for people.
    """

    examples: tuple[Example, ...]
    tasks: tuple[Task, ...]
    notes: tuple[str, ...]


def without_rare_labels(
    examples: Sequence[Example], tasks: Sequence[Task], groups: Sequence[int], folds: int
) -> Tested:
    """Drop the labels, not the rows, of which there are fewer groups of rows than folds.

    Args:
        examples: Labelled sentences.
        tasks: What to predict.
        groups: A number for each row; near-duplicates share one, and so count as one.
        folds: How many folds there will be.

    Raises:
        ValueError: If a task is left with fewer labels than its kind needs.
    """
    notes: list[str] = []
    dropped: dict[str, set[str]] = {}
    kept = []
    for task in tasks:
        seen: defaultdict[str, set[int]] = defaultdict(set)
        for example, group in zip(examples, groups, strict=True):
            for label in labels_in(example.labels.get(task.name)):
                seen[label].add(group)
        rare = [label for label in task.labels if len(seen[label]) < folds]
        left = tuple(label for label in task.labels if label not in rare)
        if len(left) < task.of_kind.least_labels:
            counts = ", ".join(f"{label[:40]!r} has {len(seen[label])}" for label in rare[:5])
            raise ValueError(
                f"task {task.name} cannot be tested: each label needs {folds} rows that are not "
                f"near-duplicates of each other or of one group, and {counts}: label more rows"
            )
        notes += [
            f"{task.name}: {label[:40]!r} has {len(seen[label])} rows that are not "
            f"near-duplicates of each other or of one group, needs {folds} to be tested: "
            "its labels are left out"
            for label in rare
        ]
        dropped[task.name] = set(rare)
        kept.append(replace(task, labels=left))
    if not notes:
        return Tested(examples=tuple(examples), tasks=tuple(tasks), notes=())
    return Tested(
        examples=tuple(_without(example, dropped) for example in examples),
        tasks=tuple(kept),
        notes=tuple(notes),
    )


def _without(example: Example, dropped: dict[str, set[str]]) -> Example:
    labels: dict[str, Label] = {}
    for name, label in example.labels.items():
        kept = relabelled(label, dict.fromkeys(dropped.get(name, ())))
        if label is None or kept is not None:
            labels[name] = kept
    return replace(example, labels=labels)
