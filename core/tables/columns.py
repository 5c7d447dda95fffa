"""The columns of a table, and which of them are the text, the labels and the groups."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.config import DataChoice
from core.errors import InputError, Said, marked, setting
from core.tables.cells import COLUMN_NAMES, those_there
from core.tables.labels import (
    MAX_LABEL_CHARACTERS,
    Cell,
    Judged,
    Nested,
    label_text,
)

LABEL_NAMES = (
    *("label", "labels", "class", "category", "target", "topic", "sentiment", "entities"),
    *("intent", "emotion", "polarity", "stars", "tag", "ner"),
)
"""Names by which a column is taken for labels, whatever it holds."""

NO_LABEL_NAMES = (
    *("split", "fold", "set", "subset", "partition", "group", "thread", "conversation", "cluster"),
    *("id", "idx", "index", "key", "uuid", "guid", "row", "no", "nr", "number", "url", "link"),
    *("source", "register", "author", "user", "username", "speaker", "annotator", "worker"),
    *("date", "time", "timestamp", "year", "month", "day", "language", "lang", "document"),
    *("file", "filename", "path", "length", "words", "characters", "tokens", "hard", "notes"),
)
"""Names by which a column is passed over when labels are guessed, whatever it holds."""

MAX_GUESSED_CLASSES = 100
MAX_GUESSED_NUMBERS = 10
FEW_ROWS = 20
"""With so few rows one class that comes twice is enough; else they come twice on average."""

LONG_LABEL_CHARACTERS = 40
"""A column whose cells are longer on average is not guessed to be labels."""

GROUP_NAMES = ("group", "Group", "GROUP")
LEAST_GROUPS = 10
"""A column called group with fewer is a class of some sort: taking it would leave no folds."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""How a split may be called, in any case, and what it is."""

_ID_NAME = re.compile(r"[_\- ](id|ID|Id)$|[a-z](Id|ID)$")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table, held whole.

    Attributes:
        name: What it is called in messages.
        names: The names of all its columns, in order.
        columns: The cells of those columns that were read, one a row.
        places: Each row's line or row in the file, from 1.
        unit: What a place counts: `line` or `row`.
        notes: What a person should know of how it was read.
        certain: Whether its columns are known to be what they are called, so that finding them
            by their names is no guess.
    """

    name: str
    names: tuple[str, ...]
    columns: Mapping[str, Sequence[Cell]]
    places: Sequence[int]
    unit: str
    notes: tuple[str, ...] = ()
    certain: bool = False
    _judged: dict[str, Judged] = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def judged(self, column: str) -> Judged:
        """Say what the cells of a column can be labels of."""
        return self._judged.setdefault(column, Judged(cells=self.columns[column]))


@dataclass(frozen=True, kw_only=True)
class Roles:
    """What each column is for.

    Attributes:
        text: The column of sentences.
        labels: By task's name, the column of its labels.
        split: The column of splits, if one was named.
        group: The column of what belongs together, if there is one.
        notes: What was guessed or left out, in words.
    """

    text: str
    labels: Mapping[str, str]
    split: str | None = None
    group: str | None = None
    notes: tuple[str, ...] = ()


def choose_columns(table: Table, choice: DataChoice) -> Roles:
    """Find what each column is for: as named, else guessed, which the notes then say.

    Raises:
        ValueError: If a named column is not there or named twice over, nothing can be guessed, or
            all that could be labels is none; the sentence names the columns there are.
    """
    notes: list[str] = []
    for field in ("split_column", "group_column"):
        if getattr(choice, field) is not None:
            _check_there(table, getattr(choice, field), field)
    text = _text_column(table, choice.text_column, notes)
    group = choice.group_column or _guessed_group(table, text, choice, notes)
    if choice.label_columns:
        labels = _named_labels(table, choice.label_columns)
    else:
        labels = _guessed_labels(table, text, {text, choice.split_column, group}, notes)
    if text in labels.values():
        raise InputError(
            f"{table.name}: column {text!r} is the text and cannot be labels too: name another "
            f"with {setting('text_column')} or {setting('label_columns')}"
        )
    return Roles(
        text=text,
        labels=labels,
        split=choice.split_column,
        group=group,
        notes=() if table.certain else tuple(notes),
    )


def task_name(column: str) -> str:
    """Turn a column's name into a task's: what is no letter, digit, `_` or `-` becomes `_`."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in column)


def _check_there(table: Table, column: str, field: str) -> None:
    if column not in table.names:
        there = those_there(table.names)
        raise InputError(
            f"{table.name} has no column {column!r}, which {setting(field)} names; it has {there}"
        )


def _text_column(table: Table, asked: str | None, notes: list[str]) -> str:
    if asked is not None:
        _check_there(table, asked, "text_column")
        return asked
    texts = [name for name in table.names if _holds_text(table.columns[name])]
    lowered = {name.strip().lower(): name for name in reversed(texts)}
    known = next((lowered[each] for each in COLUMN_NAMES if each in lowered), None)
    chosen = known or max(texts, key=lambda name: _mean_length(table.judged(name)), default=None)
    if chosen is None:
        raise InputError(
            f"{table.name} has no column of text; it has {those_there(table.names)}: name one "
            f"with {setting('text_column')}"
        )
    how = "guessed by its name" if known else "guessed, as its cells are the longest"
    other = f"{setting('text_column')} names another"
    notes.append(Said(f"the text is read from column {chosen!r} ({how}; {other})"))
    return chosen


def _holds_text(cells: Sequence[Cell]) -> bool:
    return any(isinstance(cell, str) and not isinstance(cell, Nested) and cell for cell in cells)


def _mean_length(judged: Judged) -> float:
    cells = judged.cells
    lengths = [len(cell) for cell in cells if isinstance(cell, str) and cell]
    plain = not any(isinstance(cell, Nested) for cell in cells) and not judged.spans
    return sum(lengths) / max(1, len(lengths)) if plain else 0.0


def _guessed_group(table: Table, text: str, choice: DataChoice, notes: list[str]) -> str | None:
    taken = {text, choice.split_column, *choice.label_columns}
    name = next((name for name in GROUP_NAMES if name in table.names and name not in taken), None)
    if name is None:
        return None
    if len({label_text(cell) for cell in table.columns[name]} - {None}) < LEAST_GROUPS:
        return None
    other = f"{setting('group_column')} names another"
    kept = f"rows of one {name!r} are kept on one side of every split"
    notes.append(Said(f"{kept} (guessed by its name; {other})"))
    return name


def _named_labels(table: Table, typed: Sequence[str]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for given in typed:
        task, equals, column = given.partition("=")
        if given in table.names or not equals:
            task, column = task_name(given), given
        _check_there(table, column, "label_columns")
        _add_task(table, labels, task.strip(), column)
    return labels


def _add_task(table: Table, labels: dict[str, str], task: str, column: str) -> None:
    if task == "text" or not task:
        raise InputError(
            f"{table.name}: column {column!r} cannot give a task called {task!r}: give it another "
            f"name with {setting('label_columns')} NAME={column}"
        )
    if task in labels:
        raise InputError(
            f"{table.name}: columns {labels[task]!r} and {column!r} both give the task {task!r}: "
            f"name one with {setting('label_columns')} OTHER={column}"
        )
    labels[task] = column


def _guessed_labels(
    table: Table, text: str, taken: set[str | None], notes: list[str]
) -> dict[str, str]:
    labels: dict[str, str] = {}
    refused: list[str] = []
    left = [name for name in table.names if name not in taken]
    for name in list(left):
        guess, reason = _could_be_labels(name, table.judged(name))
        if guess:
            _add_task(table, labels, task_name(name), name)
            left.remove(name)
        elif reason:
            refused.append(f"column {name!r} {marked(reason)}")
    if not labels:
        none = f"no column beside {text!r}, the text, looks like labels"
        why, there = refused[0] if refused else none, those_there(table.names)
        raise InputError(
            f"{table.name}: {why} ({setting('label_columns')} names one; it has {there})"
        )
    named = ", ".join(f"{task} from column {name!r}" for task, name in labels.items())
    other = f"{setting('label_columns')} names others"
    notes.append(Said(f"labels are read as {named} (guessed; {other})"))
    if left:
        notes.append(f"columns left out: {those_there(left)}")
    return labels


def _could_be_labels(name: str, judged: Judged) -> tuple[bool, str]:
    """Judge a column: whether to take it for labels and, where it is plainly none, why not."""
    called = name.strip().lower()
    if called in LABEL_NAMES or judged.spans:
        return True, ""
    if called in NO_LABEL_NAMES or _ID_NAME.search(name.strip()) or not called:
        return False, ""
    there = [label for label in judged.classes if label is not None]
    classes = set(there)
    if len(classes) < 2:
        return False, ""
    reason = judged.why_none
    length = sum(map(len, there)) / len(there)
    if reason:
        return False, "" if length > MAX_LABEL_CHARACTERS else reason
    numbers = all(label.lstrip("-").replace(".", "", 1).isdigit() for label in classes)
    few = len(classes) <= (MAX_GUESSED_NUMBERS if numbers else MAX_GUESSED_CLASSES)
    again = 2 * len(classes) <= len(there) or len(classes) < len(there) <= FEW_ROWS
    other = all(map(_DATE.match, classes)) or all(each.lower() in SPLIT_NAMES for each in classes)
    return few and again and not other and length <= LONG_LABEL_CHARACTERS, ""
