"""What the Data tab draws of labelled data: plain values for data.js."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from core.config import FOLDS
from core.encoder.catalogue import find_spec
from demo.data.form import renames_of
from demo.frame.spoken import as_page_says
from demo.frame.views import View, shorten
from demo.shelves.working_data import DataShelf, WorkingData

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.task import Example, Task

SPLITS = ("train", "validation", "test")
MOST_BARS = 12
MOST_CROSSED = 8
"""Two tasks are laid against each other up to so many labels each."""

MOST_LABELS = 1_000
MOST_COLUMNS = 300
"""What is offered for a choice; the command line takes any."""

MOST_IN_SPLITS = 60
MOST_LABEL_CHARACTERS = 80

CORPUS_ORIGIN = (
    "Written and labelled for Thaw, one by one, by language models; the rows kept for testing are "
    "not shown."
)


@dataclass(frozen=True, kw_only=True)
class Looked:
    """Data that was read and looked over.

    Attributes:
        dataset: As the doctor reads it: with splits that were only guessed.
        document: What `core.doctor.doctor.check_document` says of it.
        view: What is drawn of both, but for `inUse`.
    """

    dataset: "Dataset"
    document: dict[str, Any]
    view: View

    @property
    def examples(self) -> tuple["Example", ...]:
        """By which the shelf judges its size."""
        return self.dataset.examples


def look_over(shelf: DataShelf, data: WorkingData, encoder: str) -> Looked:
    """Read data, examine it and lay it out; what was looked over lately is at hand.

    Args:
        shelf: Where the data is kept.
        data: Which data.
        encoder: Name of the encoder that is to read it.

    Raises:
        ValueError: If it cannot be read, in the page's words.
    """

    def look() -> Looked:
        from core.doctor.doctor import check_document, read_for_examination
        from core.doctor.findings import find_reader

        reader = None
        with contextlib.suppress(ValueError):  # an encoder nobody knows says nothing of its limits
            reader = find_reader(encoder)
        dataset = shelf.read(data, read_for_examination)
        document = check_document(dataset, reader)
        original = dataset.tasks
        if data.choice.renames:
            original = shelf.get(data.reading(replace(data.choice, renames=()))).tasks
        view = overview(data, dataset, document, original)
        return Looked(dataset=dataset, document=document, view=view)

    looked: Looked = shelf.made(f"looked over by {encoder}", data, look)
    return looked


def overview(
    data: WorkingData, dataset: "Dataset", document: dict[str, Any], original: Sequence["Task"]
) -> View:
    """Lay out data: what it is, what the doctor says of it, its columns, counts and splits.

    Args:
        data: Which data.
        dataset: What was read of it, as the doctor reads it.
        document: What `core.doctor.doctor.check_document` says of it.
        original: Its tasks without any renaming.
    """
    notes = [] if data.is_corpus else dataset.notes
    return {
        "key": f"{document['fingerprint']} {document['encoder']} {hash(data)}",
        "name": shorten(data.name),
        "corpus": data.is_corpus,
        "answer": _answer(data, document),
        "notes": [as_page_says(note, data.choice.source) for note in notes],
        "encoder": _encoder_name(document["encoder"]),
        "unit": dataset.unit,
        "findings": [_finding(found, data) for found in document["findings"]],
        "columns": None if data.is_corpus else columns_view(data, dataset, document, original),
        "cross": _crossed(dataset),
        "bars": [*_task_bars(dataset, document), *_facet_bars(dataset)],
        "splits": splits_view(data, dataset),
    }


def _encoder_name(name: str | None) -> str:
    spec = find_spec(name or "")
    return spec.label.split(",")[0] if spec else shorten(name or "")


def unread(data: WorkingData, names: Sequence[str], refused: str) -> View:
    """Lay out a file whose columns could not be guessed: they are to be chosen."""
    return {
        "key": data.id,
        "name": shorten(data.name),
        "corpus": False,
        "answer": {"lead": f"{shorten(data.name)} needs its columns.", "rest": ""},
        "notes": [],
        "refused": as_page_says(refused, data.choice.source),
        "findings": None,
        "columns": {
            "names": list(names[:MOST_COLUMNS]),
            "more": max(0, len(names) - MOST_COLUMNS),
            "text": "",
            "group": "",
            "split": "",
            "tasks": {},
            "labels": [],
            "renames": [],
        },
        "cross": None,
        "bars": [],
        "splits": None,
    }


def _answer(data: WorkingData, document: dict[str, Any]) -> View:
    rows, unit = document["rows"], document["unit"]
    counted = f"{rows:,} {unit if rows == 1 else unit + 's'}"
    tasks = [f"{name} ({len(task['labels']):,})" for name, task in document["tasks"].items()]
    several = "tasks" if len(tasks) > 1 else "task"
    if data.is_corpus:
        lead = f"The corpus: {rows:,} sentences."
    else:
        lead = f"{shorten(data.name)}: {counted}."
    return {
        "lead": lead,
        "rest": f"{len(tasks)} {several}, each with the number of its labels: {_joined(tasks)}.",
        "origin": CORPUS_ORIGIN if data.is_corpus else "",
    }


def _joined(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + words[-1]


def _finding(found: dict[str, Any], data: WorkingData) -> View:
    return {
        "kind": found["kind"],
        "severity": found["severity"],
        "message": as_page_says(found["message"], data.choice.source)[:2_000],
        "count": len(found["rows"]),
    }


def columns_view(
    data: WorkingData, dataset: "Dataset", document: dict[str, Any], original: Sequence["Task"]
) -> View:
    """Lay out which column is what: the form that corrects what was guessed."""
    used = {dataset.text_column, *dataset.label_columns.values()}
    used |= {data.choice.group_column or "", data.choice.split_column or ""}
    names = [name for name in dataset.columns if name in used]
    names += [name for name in dataset.columns if name not in used]
    shown = set(names[:MOST_COLUMNS])
    tasks = document["tasks"]
    renames = renames_of(data.choice, original)
    return {
        "names": [name for name in dataset.columns if name in shown],
        "more": len(dataset.columns) - len(shown),
        "text": dataset.text_column,
        "group": data.choice.group_column or "",
        "split": data.choice.split_column or "",
        "tasks": {column: task for task, column in dataset.label_columns.items()},
        "labels": [
            {
                "task": name,
                "rows": task["rows"],
                "labels": list(task["labels"])[:MOST_LABELS],
            }
            for name, task in tasks.items()
        ],
        "renames": [
            {"task": task, "before": before, "after": after}
            for task, pairs in renames.items()
            for before, after in pairs
        ],
    }


def _task_bars(dataset: "Dataset", document: dict[str, Any]) -> list[View]:
    views = []
    for number, task in enumerate(dataset.tasks):
        rows = document["tasks"][task.name]
        what = "labelled" if task.of_kind.one_label else "with at least one"
        bars = _bars(rows["labels"].items())
        views.append({"title": task.name, "task": number, "what": what, **bars})
    return views


def _facet_bars(dataset: "Dataset") -> list[View]:
    return [
        {"title": name, "facet": name, "what": "", **_bars(sorted(Counter(values).items()))}
        for name, values in dataset.facets.items()
    ]


def _bars(counts: Iterable[tuple[str, int]]) -> View:
    """Lay out counts; of many the largest, with their place among all."""
    numbered = [(label, count, index) for index, (label, count) in enumerate(counts)]
    shown = numbered
    if len(numbered) > MOST_BARS:
        shown = sorted(numbered, key=lambda each: -each[1])[:MOST_BARS]
    left = sum(count for _, count, _ in numbered) - sum(count for _, count, _ in shown)
    return {
        "bars": [
            {"label": _cut(label), "count": count, "index": index} for label, count, index in shown
        ],
        "more": {"labels": len(numbered) - len(shown), "count": left},
    }


def _crossed(dataset: "Dataset") -> View | None:
    """Lay the first two tasks of a label a row and few labels against each other."""
    few = [
        (number, task)
        for number, task in enumerate(dataset.tasks)
        if task.of_kind.one_label and len(task.labels) <= MOST_CROSSED
    ]
    if len(few) < 2:
        return None
    (first, outer), (second, inner) = few[:2]
    counts = Counter(
        (example.labels.get(outer.name), example.labels.get(inner.name))
        for example in dataset.examples
        if example.text
    )
    return {
        "outer": {"task": first, "name": outer.name},
        "inner": {"task": second, "name": inner.name},
        "panels": [
            {
                "label": _cut(label),
                "bars": [
                    {"label": _cut(each), "count": counts[label, each], "index": index}
                    for index, each in enumerate(inner.labels)
                ],
            }
            for label in outer.labels
        ],
    }


def splits_view(data: WorkingData, dataset: "Dataset") -> View:
    """Count each label in each split of the data's own, or in the folds that Thaw would make."""
    from core.data.near_duplicates import near_duplicate_groups
    from core.data.splits import iterative_folds

    if data.choice.split_column is not None:
        own = [name for name in SPLITS if name in dataset.splits]
        sides = [[row for row, split in enumerate(dataset.splits) if split == name] for name in own]
        return {"own": True, "names": own, **_shares(dataset, sides)}
    dataset = dataset.usable()
    examples = dataset.examples
    texts, given = [each.text for each in examples], [each.group for each in examples]
    groups = near_duplicate_groups(texts, given)
    try:
        sides = iterative_folds(examples, dataset.tasks, groups, FOLDS, seed=0)
    except ValueError as error:
        return {"own": False, "names": [], "refused": str(error)}
    names = [f"fold {number}" for number in range(1, FOLDS + 1)]
    return {"own": False, "names": names, "groups": len(set(groups)), **_shares(dataset, sides)}


def _shares(dataset: "Dataset", sides: Sequence[Sequence[int]]) -> View:
    from core.task import labels_in

    tasks = []
    for task in dataset.tasks:
        counts: list[Counter[str]] = [Counter() for _ in sides]
        for count, side in zip(counts, sides, strict=True):
            for row in side:
                count.update(set(labels_in(dataset.examples[row].labels.get(task.name))))
        labels = sorted(task.labels, key=lambda label: -sum(count[label] for count in counts))
        shown = [label for label in task.labels if label in set(labels[:MOST_IN_SPLITS])]
        tasks.append(
            {
                "name": task.name,
                "more": len(task.labels) - len(shown),
                "labels": [[_cut(label), *(count[label] for count in counts)] for label in shown],
            }
        )
    return {"rows": [len(side) for side in sides], "tasks": tasks}


def _cut(label: str) -> str:
    most = MOST_LABEL_CHARACTERS
    return label if len(label) <= most else f"{label[: most - 1]}…"
