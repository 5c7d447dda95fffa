"""Labelled data: a file's columns, or the corpus, as examples and tasks."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from types import MappingProxyType

from core.config import DataChoice
from core.data.corpus import load_corpus
from core.data.renames import labels_there, renamed
from core.data.splits import sample_rows
from core.errors import InputError, marked, setting
from core.sentences import clean
from core.tables.cells import those_there
from core.tables.columns import GROUP_NAMES, SPLIT_NAMES, Roles, Table, choose_columns
from core.tables.labels import (
    Cell,
    Nested,
    changes_made,
    label_text,
    spans_in,
)
from core.tables.table_files import read_table
from core.task import (
    ENTITIES,
    SENTIMENT,
    SHIPPED_TASKS,
    TOPIC,
    Example,
    Label,
    Span,
    Task,
    check_spans,
    kind_of,
)

CORPUS = "corpus"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled sentences, and the tasks that their labels make.

    Attributes:
        name: The file's name, or `corpus`.
        examples: One a row, in the file's order; the text is "" where the cell was empty, and a
            label is missing where its cell was.
        tasks: Made from the columns. Labels are sorted, except that those of a shipped task keep
            its order.
        places: Each example's line or row in its file, from 1.
        unit: What a place counts: `line` or `row`.
        splits: Each example's `train`, `validation` or `test`; "" where no split column was named.
        notes: What was guessed, left out or changed: sentences for people.
        text_column: Where the texts came from.
        label_columns: By task's name, where its labels came from.
        columns: All the columns there are.
        facets: What else is known of each example, by name, such as the corpus' `register`.
    """

    name: str
    examples: tuple[Example, ...]
    tasks: tuple[Task, ...]
    places: tuple[int, ...]
    unit: str
    splits: tuple[str, ...]
    notes: tuple[str, ...]
    text_column: str
    label_columns: Mapping[str, str]
    columns: tuple[str, ...]
    facets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, over the texts, labels, splits and groups: the data's hash."""
        digest = hashlib.sha256()
        for example, split in zip(self.examples, self.splits, strict=True):
            labels = {task.name: example.labels.get(task.name) for task in self.tasks}
            row = [example.text, labels, split, example.group]
            digest.update(json.dumps(row, sort_keys=True).encode() + b"\n")
        return digest.hexdigest()

    def usable(self) -> "Dataset":
        """Give the rows that have a text: what everything but the doctor works on.

        Raises:
            ValueError: If there is none.
        """
        kept = [row for row, example in enumerate(self.examples) if example.text]
        if not kept:
            raise ValueError(f"{self.name}: column {self.text_column!r} has no text in any row")
        return self if len(kept) == len(self.examples) else self.select(kept)

    def select(self, rows: Sequence[int]) -> "Dataset":
        """Give some of the rows, in the order asked for; the tasks stay as they are."""
        return replace(
            self,
            examples=tuple(self.examples[row] for row in rows),
            places=tuple(self.places[row] for row in rows),
            splits=tuple(self.splits[row] for row in rows),
            facets={
                name: tuple(values[row] for row in rows) for name, values in self.facets.items()
            },
        )


def read_dataset(choice: DataChoice) -> Dataset:
    """Read labelled data and make tasks of its columns.

    Raises:
        ValueError: If the data cannot be read, a named column, task or label is not there, a
            column does not hold classes or spans, or a task has no two classes; in one sentence,
            which names the line where there is one.
    """
    return dataset_of(labelled_table(choice), choice)


def labelled_table(choice: DataChoice) -> Table:
    """Read the table that labelled data is made of.

    Raises:
        ValueError: If it cannot be read; in one sentence, which names the line where there is one.
    """
    if choice.source == "-":
        raise ValueError("standard input holds no labelled data: give a file, or the word corpus")
    return corpus_table() if choice.source == CORPUS else read_table(choice.source, _wanted(choice))


def dataset_of(table: Table, choice: DataChoice) -> Dataset:
    """Make tasks of the columns of a table that was read. For what is raised see `read_dataset`."""
    roles = choose_columns(table, choice)
    notes = [*table.notes, *roles.notes]
    texts = _texts(table, roles.text)
    columns = _asked_for(table, roles, choice.tasks)
    labels = {task: _labels(table, column, notes) for task, column in columns.items()}
    labels = renamed(labels, choice.renames)
    tasks = tuple(_task(table, task, column, labels[task]) for task, column in columns.items())
    dataset = Dataset(
        name=PurePath(choice.source).name,
        examples=tuple(_examples(table, roles, texts, tasks, labels)),
        tasks=tasks,
        places=tuple(table.places),
        unit=table.unit,
        splits=_splits(table, roles.split),
        notes=tuple(notes),
        text_column=roles.text,
        label_columns=MappingProxyType(dict(columns)),
        columns=table.names,
        facets=_facets(table, choice),
    )
    return dataset if choice.rows is None else _sampled(dataset, choice.rows, choice.seed)


def corpus_table() -> Table:
    """Lay out the corpus' train and validation rows as a table; places count all its rows."""
    rows = [(n, row) for n, row in enumerate(load_corpus(), 1) if row.split != "test"]
    columns: dict[str, list[Cell]] = {
        "text": [row.text for _, row in rows],
        TOPIC.name: [row.topic for _, row in rows],
        SENTIMENT.name: [row.sentiment for _, row in rows],
        ENTITIES.name: [
            Nested(json.dumps([span._asdict() for span in row.entities])) for _, row in rows
        ],
        "register": [row.register for _, row in rows],
        "group": [row.group for _, row in rows],
        "split": [row.split for _, row in rows],
    }
    return Table(
        name=CORPUS,
        names=tuple(columns),
        columns=columns,
        places=[n for n, _ in rows],
        unit="row",
        certain=True,
    )


def _wanted(choice: DataChoice) -> set[str] | None:
    """Name the columns to hold; None where some are guessed."""
    if choice.text_column is None or not choice.label_columns:
        return None
    wanted = {choice.text_column, *choice.label_columns, choice.split_column or ""}
    wanted |= {typed.partition("=")[2] for typed in choice.label_columns}
    return wanted | ({choice.group_column} if choice.group_column else set(GROUP_NAMES))


def _asked_for(table: Table, roles: Roles, tasks: Sequence[str]) -> dict[str, str]:
    unknown = next((task for task in tasks if task not in roles.labels), None)
    if unknown is not None:
        raise InputError(
            f"{table.name} has no task {unknown!r}, which {setting('tasks')} names; it has "
            f"{those_there(list(roles.labels))}"
        )
    return {task: name for task, name in roles.labels.items() if not tasks or task in tasks}


def _at(table: Table, row: int, column: str) -> str:
    return f"{table.name}: {table.unit} {table.places[row]:,}, {column!r},"


def _texts(table: Table, column: str) -> list[str]:
    """Give the texts as they stand, "" where a cell is empty."""
    texts = []
    for row, cell in enumerate(table.columns[column]):
        if isinstance(cell, Nested) or not (cell is None or isinstance(cell, str)):
            kind = "a list or an object" if isinstance(cell, Nested) else f"the number {cell}"
            raise ValueError(f"{_at(table, row, column)} holds {kind}, must be text in quotes")
        texts.append(cell or "")
    return texts


def _labels(table: Table, column: str, notes: list[str]) -> list[Label]:
    judged, cells = table.judged(column), table.columns[column]
    if judged.spans:
        spans: list[Label] = []
        for row, cell in enumerate(cells):
            try:
                spans.append(spans_in(cell))
            except ValueError as error:
                raise ValueError(f"{_at(table, row, column)} {error}") from error
        return spans
    if judged.why_none:
        raise InputError(f"{table.name}: column {column!r} {marked(judged.why_none)}")
    changes = changes_made(cells, judged.classes)
    notes.extend(f"column {column!r}: {change}" for change in changes)
    return list(judged.classes)


def _task(table: Table, name: str, column: str, rows: Sequence[Label]) -> Task:
    """Make a task of the labels there are; those of a shipped task keep its order."""
    labels = labels_there(rows)
    kind = kind_of(rows)
    if len(labels) < kind.least_labels:
        there = f"only the label {labels[0]!r}" if labels else "no label"
        raise ValueError(
            f"{table.name}: column {column!r} holds {there}, must hold at least two: there is "
            "nothing to tell apart"
        )
    shipped = next((task.labels for task in SHIPPED_TASKS if task.name == name), ())
    if set(labels) <= set(shipped):
        labels = [label for label in shipped if label in labels]
    return Task(name=name, kind=kind.word, labels=tuple(labels))


def _examples(
    table: Table,
    roles: Roles,
    texts: Sequence[str],
    tasks: Sequence[Task],
    labels: Mapping[str, Sequence[Label]],
) -> Iterator[Example]:
    groups = table.columns[roles.group] if roles.group is not None else [None] * len(texts)
    for row, text in enumerate(texts):
        given: dict[str, Label] = {}
        for task in tasks:
            label = labels[task.name][row]
            if isinstance(label, tuple):
                try:
                    check_spans(text, label, task)
                except ValueError as error:
                    where = _at(table, row, roles.labels[task.name])
                    raise ValueError(f"{where} {error}") from error
                label = moved_spans(text, label)
            if label is not None:
                given[task.name] = label
        yield Example(text=clean(text), labels=given, group=label_text(groups[row]) or "")


def moved_spans(text: str, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Move spans along where cleaning takes characters out of a text."""
    if clean(text) == text:
        return spans
    # What stands between two letters is cleaned in itself, but never stripped.
    dropped = len(clean(f"{text}x")) - len(clean(f"x{text}x")) + 1  # at the start, less than 1
    return tuple(
        span._replace(
            start=len(clean(f"x{text[: span.start]}x")) - 2 + dropped,
            end=len(clean(f"x{text[: span.end]}x")) - 2 + dropped,
        )
        for span in spans
    )


def _splits(table: Table, column: str | None) -> tuple[str, ...]:
    if column is None:
        return ("",) * len(table.places)
    splits = []
    for row, cell in enumerate(table.columns[column]):
        given = label_text(cell)
        split = SPLIT_NAMES.get(given.lower()) if given is not None else None
        if split is None:
            raise ValueError(
                f"{_at(table, row, column)} holds {given or 'nothing'!r}, must be a split: one "
                f"of {', '.join(SPLIT_NAMES)}"
            )
        splits.append(split)
    return tuple(splits)


def _facets(table: Table, choice: DataChoice) -> Mapping[str, tuple[str, ...]]:
    if choice.source != CORPUS:
        return MappingProxyType({})
    return MappingProxyType({"register": tuple(map(str, table.columns["register"]))})


def _sampled(dataset: Dataset, rows: int, seed: int) -> Dataset:
    """Draw rows, and leave out of the tasks the labels that none of them has."""
    if rows > len(dataset.examples):
        note = f"all {len(dataset.examples):,} rows are taken: there are no {rows:,}"
        return replace(dataset, notes=(*dataset.notes, note))
    drawn = dataset.select(sample_rows(dataset.examples, dataset.tasks, rows, seed))
    tasks = []
    for task in dataset.tasks:
        there = labels_there([example.labels.get(task.name) for example in drawn.examples])
        kept = tuple(label for label in task.labels if label in there)
        if len(kept) < task.of_kind.least_labels:
            raise InputError(
                f"{dataset.name}: a sample of {rows:,} rows leaves task {task.name} "
                f"{len(kept)} labels of {len(task.labels)}: raise {setting('rows')}"
            )
        tasks.append(replace(task, labels=kept))
    return replace(drawn, tasks=tuple(tasks))


def shared_tasks(tasks: Sequence[Task], dataset: Dataset) -> list[Task]:
    """Find which of a model's tasks some data has labels for.

    Raises:
        ValueError: If it is none, or one does not fit the model's.
    """
    labelled = {
        name
        for example in dataset.examples
        for name, label in example.labels.items()
        if label is not None
    }
    shared = [_shared_task(task, dataset) for task in tasks if task.name in labelled]
    if not shared:
        there = ", ".join(task.name for task in dataset.tasks) or "none"
        wanted = ", ".join(task.name for task in tasks)
        raise InputError(
            f"{dataset.name} has the tasks {there}, must have labelled rows for one of the "
            f"model's: {wanted}; name its column with {setting('label_columns')} TASK=COLUMN"
        )
    return shared


def _shared_task(task: Task, dataset: Dataset) -> Task:
    """Check that the data's labels of a task are among the model's.

    Raises:
        ValueError: If the kinds differ, or the data has a label that the model has not.
    """
    own = next(each for each in dataset.tasks if each.name == task.name)
    if own.kind != task.kind:
        raise ValueError(
            f"{task.name} is a {own.kind} task in the data, a {task.kind} task in the model"
        )
    unknown = [label for label in own.labels if label not in task.labels]
    if unknown:
        some = ", ".join(repr(label[:40]) for label in unknown[:5])
        raise InputError(
            f"{task.name} has the labels {some} in the data, the model has: "
            f"{', '.join(task.labels)}; rename them with {setting('renames')} {task.name}:FROM=TO"
        )
    return task
