"""What the doctor looks for between rows: repeats, contradictions and leaks across splits."""

import re
import unicodedata
from collections.abc import Hashable, Iterator, Sequence

from core.doctor.findings import Finding, Patient, counted, gathered
from core.task import Label

_MARKS = r"[.,;!\"'“”‘’«»…]"
_LOOSE_MARKS = re.compile(rf"(?<!\w){_MARKS}+|{_MARKS}+(?!\w)")  # not those of 1.5 and don't

_LEAKS = {  # from a split into a later one: what comes of it
    ("train", "test"): "what was learned by heart counts as skill, and figures are too good",
    ("validation", "test"): "what was tuned on these rows is tested on them, and looks too good",
    ("train", "validation"): "training stops too late, and probabilities come out too sure",
}


def exact_repeats(patient: Patient) -> list[list[int]]:
    """Put together the indices of rows with the same text and the same labels."""
    examples, tasks = patient.dataset.examples, patient.dataset.tasks
    return gathered(
        ((text, tuple(examples[index].labels.get(task.name) for task in tasks)), index)
        for index, text in patient.texts.items()
    )


def duplicates(patient: Patient) -> Iterator[Finding]:
    """Find rows that stand in the data more than once."""
    groups = exact_repeats(patient)
    if groups:
        again = sum(len(group) - 1 for group in groups)
        verb = "repeats" if again == 1 else "repeat"
        yield Finding(
            kind="duplicate",
            severity="warning",
            message=f"{patient.many(again)} {verb} another exactly, text and labels: each "
            "weighs more than its due, and there is less to learn from than it seems; a cleaned "
            "copy keeps the first of each",
            rows=patient.places(index for group in groups for index in group),
            groups=patient.placed(groups),
        )


def conflicts(patient: Patient) -> Iterator[Finding]:
    """Find texts that were given different labels, case, spaces and loose marks apart."""
    for task in patient.dataset.tasks:
        groups = _conflicting(patient, task.name)
        if groups:
            stands = "has" if len(groups) == 1 else "have"
            yield Finding(
                kind="conflict",
                severity="warning",
                message=f"{task.name}: {counted(len(groups), 'text')} {stands} been given "
                "different labels: whatever a head answers, some of these rows count as wrong; "
                "decide which label is right, or drop them",
                rows=patient.places(index for group in groups for index in group),
                groups=patient.placed(groups),
                task=task.name,
            )


def _conflicting(patient: Patient, task: str) -> list[list[int]]:
    examples = patient.dataset.examples
    labelled = [i for i in patient.texts if examples[i].labels.get(task) is not None]
    same = gathered((plain(patient.texts[index]), index) for index in labelled)

    def said(index: int) -> Hashable:
        return _said(patient.texts[index], examples[index].labels[task])

    return [group for group in same if len({said(index) for index in group}) > 1]


def _said(text: str, label: Label) -> Hashable:
    """Give a label in a form that is equal for texts that are the same but for case and spaces."""
    if label is None or isinstance(label, str):
        return label
    return tuple((plain(text[start:end]), name) for start, end, name in sorted(label))


def plain(text: str) -> str:
    """Take from a text what does not change what it says: case, spaces and loose marks.

    >>> plain("“Great   phone”, he said!") == plain("great phone he said")
    True
    >>> plain("It costs 1.5 :)") == plain("It costs 15 :(")
    False
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_LOOSE_MARKS.sub(" ", folded).split())


def near_duplicates(patient: Patient) -> Iterator[Finding]:
    """Find texts that are nearly the same as others, where that was not said already."""
    said = {
        frozenset(group)
        for task in patient.dataset.tasks
        for group in _conflicting(patient, task.name)
    }
    groups = [
        group
        for group in patient.alike
        if len({patient.texts[index] for index in group}) > 1 and frozenset(group) not in said
    ]
    if groups:
        rows = patient.places(index for group in groups for index in group)
        yield Finding(
            kind="near_duplicate",
            severity="note",
            message=f"{patient.many(len(rows))} are nearly the same as others "
            f"({counted(len(groups), 'group')}): each group is kept on one side of every split "
            "that Thaw makes, and counts for little more than one row",
            rows=rows,
            groups=patient.placed(groups),
        )


def leaks(patient: Patient) -> Iterator[Finding]:
    """Find what stands on both sides of a split that the data names."""
    examples = patient.dataset.examples
    named = gathered((each.group, i) for i, each in enumerate(examples) if each.group)
    for first, second in _LEAKS:
        across = _across(patient, patient.alike, first, second)
        if across:
            shared = f"{counted(len(across), 'text')} of {second} {_stand(across)} in {first} too"
            yield _leak(patient, across, f"{shared}, the same or nearly so", (first, second))
        across = _across(patient, named, first, second)
        if across:
            shared = f"{counted(len(across), 'group')} {_have(across)} rows in {first} and {second}"
            yield _leak(patient, across, shared, (first, second))


def _across(
    patient: Patient, groups: Sequence[Sequence[int]], first: str, second: str
) -> list[list[int]]:
    """Keep, of each group, what lies in two splits; groups that do not lie in both go."""
    splits = patient.dataset.splits
    kept = [[index for index in group if splits[index] in (first, second)] for group in groups]
    return [group for group in kept if len({splits[index] for index in group}) > 1]


def _leak(
    patient: Patient, across: list[list[int]], what: str, between: tuple[str, str]
) -> Finding:
    return Finding(
        kind="leakage",
        severity="error" if between == ("train", "test") else "warning",
        message=f"{what}: {_LEAKS[between]}; keep each on one side, or let Thaw make the splits",
        rows=patient.places(index for group in across for index in group),
        groups=patient.placed(across),
    )


def _stand(groups: list[list[int]]) -> str:
    return "stands" if len(groups) == 1 else "stand"


def _have(groups: list[list[int]]) -> str:
    return "has" if len(groups) == 1 else "have"
