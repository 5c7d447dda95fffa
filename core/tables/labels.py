"""What the cells of one column say: a class each, or labelled spans; what is neither is refused."""

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from core.errors import Said, setting
from core.sentences import clean
from core.task import Span

MAX_CLASSES = 1_000
"""More classes than this are names or numbers, not something a head learns to tell apart."""

MAX_LABEL_CHARACTERS = 200

FEW_NUMBERS = 20
"""So many different numbers may be grades or classes by their numbers, whatever they are."""

FEW_FRACTIONS = 5
ROWS_PER_NUMBER = 5
"""More numbers than these are classes only if they come so often each, and whole ones count up."""

MISSING = frozenset({"", "nan", "NaN", "NAN", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL"})
"""What programs write into a cell that has no value. "None" and "none" are words, and classes."""

_WHOLE = re.compile(r"-?\d+\.0+")


class Nested(str):
    """A list or an object in a cell, held as its JSON text, which takes less memory."""


Cell = str | int | float | bool | None
"""What a cell of a table may hold; a list or an object is `Nested`."""


def as_json(cell: Cell) -> Any:  # noqa: ANN401 (any JSON)
    """Give a cell as JSON has it: a list or an object where it holds one."""
    return json.loads(cell) if isinstance(cell, Nested) else cell


def label_text(cell: Cell) -> str | None:
    """Give a cell as a label: without surrounding space, or None where it is empty."""
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = clean(str(cell))
    return None if text in MISSING else text


def class_labels(cells: Sequence[Cell]) -> list[str | None]:
    """Give a column's labels, None where a cell is empty.

    Numbers are classes by their text; `1.0`, which programs write for a whole number in a column
    with gaps, is `1` where all are whole.
    """
    labels = [label_text(cell) for cell in cells]
    if all(_WHOLE.fullmatch(label) for label in set(labels) if label is not None):
        return [label and label.partition(".")[0] for label in labels]
    return labels


def changes_made(cells: Sequence[Cell], labels: Sequence[str | None]) -> list[str]:
    """Say in words where a column's labels are not what its cells hold."""
    written = Counter(cell for cell in cells if isinstance(cell, str))
    empty = [cell for cell in written if clean(cell) in MISSING - {""}]
    there = set(labels)
    joined = [cell for cell in written if cell != clean(cell) and written[clean(cell)]]
    changes = [f"{written[cell]:,} cells hold {cell!r}, which is no label" for cell in empty]
    if len(there) and joined:
        changes.append(f"{joined[0]!r} is read as {clean(joined[0])!r}")
    return changes


def why_no_classes(cells: Sequence[Cell], labels: Sequence[str | None]) -> str:
    """Say why a column is nothing to choose from, classes as they are meant here.

    Args:
        cells: The column's cells, as they were read.
        labels: The same by `class_labels`.

    Returns:
        What it holds, and what to do; empty where nothing is wrong with it.
    """
    counts = Counter(label for label in labels if label is not None)
    longest = max(counts, key=len, default="")
    if any(isinstance(cell, Nested) for cell in cells) or any(map(_is_list, counts)):
        return "holds lists or objects, must hold one label a cell: give each label its own row"
    several = _several_in_a_cell(list(counts))
    if several:
        return (
            f"holds several labels in one cell ({several[:60]!r}), must hold one: keep the main "
            "one, or make a column of yes and no for each label"
        )
    if _is_measured(counts):
        return (
            f"holds {len(counts):,} different numbers: Thaw predicts classes, no quantities; "
            "write a few ranges into the cells, such as low, middle and high"
        )
    if len(longest) > MAX_LABEL_CHARACTERS:
        return (
            f"holds a text of {len(longest):,} characters ({longest[:30]!r}…), must hold labels "
            f"of at most {MAX_LABEL_CHARACTERS}: name another column"
        )
    if len(counts) > MAX_CLASSES:
        return Said(
            f"holds {len(counts):,} different labels, must be at most {MAX_CLASSES:,}: name "
            f"another column, or join labels with {setting('renames')}"
        )
    return ""


def _is_list(label: str) -> bool:
    short = len(label) <= 5 * MAX_LABEL_CHARACTERS  # a longer one is refused as it is
    return label.startswith("[") and short and isinstance(_parsed(label), list)


def _parsed(cell: str) -> Any:  # noqa: ANN401 (any JSON)
    """Parse JSON, or the way Python writes a list, as pandas does into CSV; None for neither."""
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(cell.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _several_in_a_cell(labels: Sequence[str]) -> str:
    """Find a cell that plainly holds several labels, which also come alone or otherwise joined."""
    for separator in ";|,":
        joined = [label for label in labels if separator in label]
        parts = Counter(
            part for label in labels for part in {clean(each) for each in label.split(separator)}
        )
        inside = {clean(part) for label in joined for part in label.split(separator)} - {""}
        again = [part for part in inside if parts[part] > 1]
        # A comma is also in names such as "Paris, France": there every part must come again.
        enough = len(inside) if separator == "," else len(inside) / 2
        if len(inside) >= 2 and len(again) >= max(2, enough):
            return next(label for label in joined if label.count(separator) >= 1)
    return ""


def _is_measured(counts: Counter[str]) -> bool:
    """Judge whether all labels are numbers that measure something rather than name classes."""
    try:
        numbers = sorted(float(label) for label in counts)
    except ValueError:
        return False
    seldom = sum(counts.values()) < ROWS_PER_NUMBER * len(counts)
    if any(not number.is_integer() for number in numbers):
        return len(counts) > FEW_NUMBERS or (seldom and len(counts) > FEW_FRACTIONS)
    counting_up = numbers[:1] in ([0], [1]) and numbers[-1] - numbers[0] < 1.2 * len(numbers)
    return len(counts) > FEW_NUMBERS and (seldom or not counting_up)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the cells of one column can be labels of; judged once, however often it is asked.

    Args:
        cells: The column's cells, as they were read.
    """

    cells: Sequence[Cell]

    @cached_property
    def spans(self) -> bool:
        """Whether they are labelled spans."""
        return holds_spans(self.cells)

    @cached_property
    def classes(self) -> list[str | None]:
        """As classes, None where a cell is empty."""
        return class_labels(self.cells)

    @cached_property
    def why_none(self) -> str:
        """Why they are no classes; empty where nothing is wrong with them."""
        return why_no_classes(self.cells, self.classes)


def holds_spans(cells: Sequence[Cell]) -> bool:
    """Say whether a column holds labelled spans: its first list that is not empty has some."""
    broken = 0
    for cell in cells:
        if broken > _BROKEN_LISTS:
            return False
        if isinstance(cell, Nested) or (isinstance(cell, str) and cell.lstrip().startswith("[")):
            parsed = _parsed(cell)
            if parsed in ([], None):
                broken += parsed is None
                continue
            try:
                return bool(_spans(parsed))
            except ValueError:
                return _looks_meant_as_spans(parsed)
    return False


_BROKEN_LISTS = 20  # so many cells that only begin like one, and the column is text


def _looks_meant_as_spans(parsed: Any) -> bool:  # noqa: ANN401 (any JSON)
    first = parsed[0] if isinstance(parsed, list) else parsed
    return isinstance(first, dict) and {"start", "end"} <= set(first)


def spans_in(cell: Cell) -> tuple[Span, ...] | None:
    """Read the spans that a cell holds; None where it is empty, () where its list is.

    A span is `{"start": 0, "end": 4, "label": "LOC"}` or `[0, 4, "LOC"]`, in characters.

    Raises:
        ValueError: If it holds anything else.
    """
    if cell is None or (not isinstance(cell, Nested) and label_text(cell) is None):
        return None
    parsed = _parsed(cell) if isinstance(cell, str) else None
    if parsed is None:
        raise ValueError(f"holds {str(cell)[:40]!r}, {_SPANS_ARE}")
    return tuple(sorted(_spans(parsed)))


_SPANS_ARE = 'must hold a list of spans such as [{"start": 0, "end": 4, "label": "LOC"}]'


def _spans(parsed: Any) -> list[Span]:  # noqa: ANN401 (any JSON)
    if isinstance(parsed, dict) and {"start", "end", "label"} <= set(parsed):
        columns = [parsed[key] for key in ("start", "end", "label")]  # as Parquet may hold lists
        if all(isinstance(each, list) and len(each) == len(columns[0]) for each in columns):
            parsed = [list(row) for row in zip(*columns, strict=True)]
    if not isinstance(parsed, list):
        raise ValueError(f"holds {json.dumps(parsed)[:40]}, {_SPANS_ARE}")
    return [_span(each) for each in parsed]


def _span(given: Any) -> Span:  # noqa: ANN401 (any JSON)
    if isinstance(given, dict):
        given = [given.get(key) for key in ("start", "end", "label")]
    if isinstance(given, list | tuple) and len(given) == 3:
        start, end, label = given
        whole = all(isinstance(n, int) and not isinstance(n, bool) for n in (start, end))
        if whole and isinstance(label, str | int) and label_text(label):
            return Span(start, end, label_text(label) or "")
    raise ValueError(f"holds the span {str(given)[:60]}, {_SPANS_ARE}")
