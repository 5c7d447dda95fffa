"""Labels too rare to be tested: with fewer groups of rows than folds, some fold has none."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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


_APART = "that are not near-duplicates of each other or of one group"


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
        seen = _groups_by_label(examples, task, groups)
        rare = [label for label in task.labels if len(seen[label]) < folds]
        left = tuple(label for label in task.labels if label not in rare)
        if len(left) < task.of_kind.least_labels:
            counts = ", ".join(f"{label[:40]!r} has {len(seen[label])}" for label in rare[:5])
            raise ValueError(
                f"task {task.name} cannot be tested: each label needs {folds} rows {_APART}, and "
                f"{counts}: label more rows"
            )
        notes += [
            f"{task.name}: {label[:40]!r} has {len(seen[label])} rows {_APART}, needs {folds} to "
            "be tested: its labels are left out"
            for label in rare
        ]
        dropped[task.name] = set(rare)
        kept.append(replace(task, labels=left))
    rows = (_without(example, dropped) for example in examples) if notes else examples
    return Tested(examples=tuple(rows), tasks=tuple(kept), notes=tuple(notes))


def _groups_by_label(
    examples: Sequence[Example], task: Task, groups: Sequence[int]
) -> Mapping[str, set[int]]:
    seen: defaultdict[str, set[int]] = defaultdict(set)
    for example, group in zip(examples, groups, strict=True):
        for label in labels_in(example.labels.get(task.name)):
            seen[label].add(group)
    return seen


def _without(example: Example, dropped: dict[str, set[str]]) -> Example:
    labels: dict[str, Label] = {}
    for name, label in example.labels.items():
        kept = relabelled(label, dict.fromkeys(dropped.get(name, ())))
        if label is None or kept is not None:
            labels[name] = kept
    return replace(example, labels=labels)
