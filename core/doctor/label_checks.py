"""What the doctor looks for in the labels: too few, lopsided, misspelt, or cutting words in two."""

import itertools
import math
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from core.config import FOLDS
from core.doctor.findings import Finding, Patient, counted, listed
from core.doctor.language import script_of
from core.errors import Said, setting
from core.task import Span, Task

LEAST_GROUPS = FOLDS
"""A class needs rows for each of the folds of a cross-validation."""

_FEW_ROWS = 50
_LIKELY_ACCURACY = 0.8
_NORMAL_95 = 1.96

_HEAVY_RATIO = 10
_HEAVY_SHARE = 0.8

_RARE_SHARE = 0.1
"""A label this rare beside one that is a letter apart is likelier misspelt than meant."""

_LEAST_LETTERS = 4
_JOINTS = re.compile(r"(?<=\w)[-/&](?=\w)|[_.,;:'\"]")
_SHOWN = 5


def few_rows(patient: Patient) -> Iterator[Finding]:
    """Say what so few rows can tell at all."""
    rows = len(patient.texts)
    if 0 < rows < _FEW_ROWS:
        spread = math.sqrt(_LIKELY_ACCURACY * (1 - _LIKELY_ACCURACY) / rows)
        points = round(100 * _NORMAL_95 * spread)
        yield Finding(
            kind="few_rows",
            severity="warning",
            message=f"there {'is' if rows == 1 else 'are'} {patient.many(rows)} with text: an "
            f"accuracy of {_LIKELY_ACCURACY:.0%} measured on them is sure to about ±{points} "
            "points only, so that most strategies cannot be told apart; a few hundred can",
        )


def unlabelled(patient: Patient) -> Iterator[Finding]:
    """Find rows with no label for any task."""
    tasks = patient.dataset.tasks
    bare = [
        index
        for index in patient.texts
        if all(patient.dataset.examples[index].labels.get(task.name) is None for task in tasks)
    ]
    if tasks and bare:
        verb = "has" if len(bare) == 1 else "have"
        yield Finding(
            kind="unlabelled",
            severity="note",
            message=f"{patient.many(len(bare))} {verb} no label for any task: no head learns from "
            "that; label or drop such rows",
            rows=patient.places(bare),
        )


def small_classes(patient: Patient) -> Iterator[Finding]:
    """Find labels with too few rows to be learned and tested, and tasks that this leaves bare."""
    for task in patient.dataset.tasks:
        found = patient.with_label(task)
        small = [label for label in task.labels if _groups(patient, found[label]) < LEAST_GROUPS]
        if small:
            have = "has" if len(small) == 1 else "have"
            yield Finding(
                kind="small_class",
                severity="warning",
                message=f"{task.name}: {listed(small)} {have} fewer than {LEAST_GROUPS} rows, "
                "nearly equal ones counted once: too few to learn from and test on, so that the "
                "label is dropped and its rows are not used for it; add rows, or rename it",
                rows=patient.places(index for label in small for index in found[label]),
                task=task.name,
            )
        least, left = task.of_kind.least_labels, len(task.labels) - len(small)
        if left < least:
            yield Finding(
                kind="few_classes",
                severity="error",
                message=f"{task.name}: {counted(left, 'label')} with enough rows, must be at "
                f"least {least}: there is nothing to tell apart, and it cannot be trained; add "
                "rows of other labels, or leave this task out",
                task=task.name,
            )


def _groups(patient: Patient, indices: list[int]) -> int:
    return len({patient.group_of[index] for index in indices})


def missing_classes(patient: Patient) -> Iterator[Finding]:
    """Find labels that a split named by the data has no row of."""
    splits = patient.dataset.splits
    for task, split in itertools.product(patient.dataset.tasks, dict.fromkeys(splits)):
        if not split:
            continue
        found = patient.with_label(task)
        missing = [
            label
            for label, indices in found.items()
            if indices and all(splits[index] != split for index in indices)
        ]
        if missing:
            result = {
                "train": "it can never be predicted, and all its rows count as wrong",
                "validation": "nothing is tuned for it",
                "test": "nothing is known of how well it is predicted",
            }[split]
            yield Finding(
                kind="missing_class",
                severity="warning",
                message=f"{task.name}: no row of {split} is {listed(missing)}: {result}; move "
                "rows over, or let Thaw make the splits",
                rows=patient.places(index for label in missing for index in found[label]),
                task=task.name,
            )


def imbalance(patient: Patient) -> Iterator[Finding]:
    """Find tasks of a label a row where one has nearly all the rows, or another next to none."""
    for task in patient.dataset.tasks:
        if not task.of_kind.one_label:
            continue
        found = patient.with_label(task).items()
        counts = {label: len(i) for label, i in found if _groups(patient, i) >= LEAST_GROUPS}
        if len(counts) < 2:
            continue
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        share, ratio = counts[most] / sum(counts.values()), counts[most] / counts[least]
        if share >= _HEAVY_SHARE:
            what = f"{share:.0%} of the labels are {most[:40]!r}, so that always answering it is "
            what += f"right {share:.0%} of the time, and accuracy says little"
        elif ratio >= _HEAVY_RATIO:
            what = f"{most[:40]!r} has {ratio:.0f} times the rows of {least[:40]!r}, which is "
            what += "likely learned badly without accuracy showing it"
        else:
            continue
        yield Finding(
            kind="imbalance",
            severity="note",
            message=f"{task.name}: {what}; go by macro-F1, and add rows of what is rare",
            task=task.name,
        )


def twin_labels(patient: Patient) -> Iterator[Finding]:
    """Find labels that are likely one label, written in two ways."""
    for task in patient.dataset.tasks:
        found = patient.with_label(task)
        twins = []
        for pair in _close_pairs(task.labels):
            rare, common = sorted(pair, key=lambda label: len(found[label]))
            if _are_twins(rare, common, len(found[rare]), len(found[common])):
                twins.append((rare, common))
        if twins:
            pairs = "; ".join(f"{rare!r} and {common!r}" for rare, common in twins[:_SHOWN])
            renames = [shlex.quote(f"{task.name}:{a}={b}") for a, b in twins[:_SHOWN]]
            mends = " ".join(f"{setting('renames')} {rename}" for rename in renames)
            yield Finding(
                kind="twin_labels",
                severity="warning",
                message=Said(
                    f"{task.name}: {pairs} look like one label written in two ways: heads learn "
                    f"them as two, and each mix-up counts as wrong; rename one with {mends}"
                ),
                rows=patient.places({index for rare, _ in twins for index in found[rare]}),
                task=task.name,
            )


def _close_pairs(labels: Sequence[str]) -> list[tuple[str, str]]:
    """Pair labels that are the same with at most one letter taken from either.

    Those one slip apart are among them, found without comparing each label with each.
    """
    cut: defaultdict[str, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        bare = _bare(label)
        for variant in {bare, *(bare[:at] + bare[at + 1 :] for at in range(len(bare)))}:
            cut[variant].append(number)
    pairs = {pair for numbers in cut.values() for pair in itertools.combinations(numbers, 2)}
    return [(labels[a], labels[b]) for a, b in sorted(pairs)]


def _are_twins(rare: str, common: str, rare_rows: int, common_rows: int) -> bool:
    a, b = (_bare(label) for label in (rare, common))
    if a == b:
        return True
    if len(a) < _LEAST_LETTERS or len(b) < _LEAST_LETTERS or not _one_slip_apart(a, b):
        return False
    plural = a + "s" == b or b + "s" == a
    return plural or rare_rows <= max(1, _RARE_SHARE * common_rows)


def _bare(label: str) -> str:
    """Take from a label its case, spaces and what joins its words, but not the sign of -1."""
    joined = "".join(label.casefold().split())
    return joined if any(map(str.isdigit, joined)) else _JOINTS.sub("", joined)


def _one_slip_apart(a: str, b: str) -> bool:
    """Say whether one letter added, dropped or changed, or two swapped, makes one the other.

    Numbers are never slips: `class1` and `class2` are two labels.
    """
    same = sum(
        1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False))
    )
    a, b = a[same:], b[same:]
    if any(character.isdigit() for character in a[:1] + b[:1]):
        return False
    if len(a) != len(b):
        longer, shorter = sorted((a, b), key=len, reverse=True)
        return longer[1:] == shorter
    return a[1:] == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])


def cut_spans(patient: Patient) -> Iterator[Finding]:
    """Find labelled spans that begin or end inside a word."""
    for task in patient.dataset.tasks:
        cut = {index: span for index in patient.texts for span in _cut(patient, index, task)}
        if cut:
            texts, one = patient.texts, len(cut) == 1
            shown = [texts[index][span.start : span.end] for index, span in cut.items()]
            yield Finding(
                kind="cut_span",
                severity="warning",
                message=f"{task.name}: in {patient.many(len(cut))} a span begins or ends inside a "
                f"word ({listed(shown, 3)}): what is learned is whole words, and the "
                f"{'span counts' if one else 'spans count'} as wrong for good; mend the offsets, "
                "which count characters from 0, not bytes",
                rows=patient.places(cut),
                task=task.name,
            )


def _cut(patient: Patient, index: int, task: Task) -> list[Span]:
    text, spans = patient.texts[index], patient.dataset.examples[index].labels.get(task.name)
    if spans is None or isinstance(spans, str):
        return []
    return [s for s in spans if _inside_a_word(text, s.start) or _inside_a_word(text, s.end)]


def _inside_a_word(text: str, place: int) -> bool:
    """Say whether a word goes on across a place; scripts without spaces have none to cut."""
    around = text[max(0, place - 1) : place + 1]
    return 0 < place < len(text) and around.isalnum() and script_of(around) is None
