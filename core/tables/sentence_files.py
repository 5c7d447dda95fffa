"""Reading sentences: from the command line, standard input, TXT, CSV, TSV, JSONL and Parquet.

Everything is read as a stream and bounded before it is held: a file may have millions of
sentences, but no line or cell may go on without end.
"""

import io
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.config import MAX_SENTENCE_CHARACTERS
from core.errors import InputError, setting
from core.sentences import clean
from core.tables.cells import Cells, ParquetColumn, csv_cells, json_cells
from core.tables.formats import _ALLOWED, KINDS, kind_of
from core.tables.lines import Lines


class Sentences:
    """Sentences read one after another, and what was met on the way.

    Iterate once; a cell without text is left out and counted. Close it, or use it as a context.

    Args:
        name: What is read, for messages.
        cells: The texts as they stand, with their places.
        unit: What a place counts: `line`, `row` or `sentence`.
        notes: What a person should know before anything is read, such as a guessed column.
        share: Says how much of it is read, 0 to 1; 0 where nobody knows.
        close: Lets go of the file.

    Attributes:
        read: Sentences yielded so far.
        skipped: Empty lines or cells met so far.

    Raises:
        ValueError: While iterating: if a sentence is too long, or there is none at all.
    """

    def __init__(
        self,
        name: str,
        cells: Cells,
        *,
        unit: str = "line",
        notes: Sequence[str] = (),
        share: Callable[[], float] = lambda: 0.0,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.unit = unit
        self.notes = tuple(notes)
        self.close = close
        self.read = 0
        self.skipped = 0
        self._cells = cells
        self._share = share

    @property
    def expected(self) -> int | None:
        """How many sentences there will be, judged by how far it is read; None if unknown."""
        share = self._share()
        return max(self.read, round(self.read / share)) if share > 0 else None

    def __iter__(self) -> Iterator[str]:
        for place, cell in self._cells:
            text = clean(cell or "")
            if not text:
                self.skipped += 1
                continue
            if len(text) > MAX_SENTENCE_CHARACTERS:
                raise ValueError(
                    f"{self.name}: {self.unit} {place:,} has {len(text):,} characters, must be "
                    f"at most {MAX_SENTENCE_CHARACTERS:,}: split it"
                )
            self.read += 1
            yield text
        if self.read == 0:
            skipped = f": {self.skipped:,} empty {self.unit}s were read" if self.skipped else ""
            raise ValueError(f"{self.name} has no sentence{skipped}")

    def __enter__(self) -> "Sentences":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def given_sentences(texts: Sequence[str], name: str = "") -> Sentences:
    """Take sentences typed on a command line, where an empty one is a mistake.

    Args:
        texts: As they were typed.
        name: What a single one is called in messages.

    Raises:
        ValueError: If one is empty, or was typed in bytes that are no text.
    """
    for number, text in enumerate(texts, 1):
        called = name or f"sentence {number}"
        if any("\udc80" <= character <= "\udcff" for character in text):
            raise ValueError(f"{called} holds bytes that are not UTF-8: type it anew")
        if not clean(text):
            raise ValueError(f"{called} is empty: write it, or leave it out")
    cells: Cells = ((number, text) for number, text in enumerate(texts, 1))
    return Sentences("the command line", cells, unit="sentence", share=lambda: 1.0)


def open_sentences(given: str, column: str | None = None) -> Sentences:
    """Open a file of sentences; nothing but its head is read yet.

    Args:
        given: A file, read by how its name ends, or `-` for standard input: one sentence a line
            or, where a column is named, JSONL or CSV, whichever it starts like.
        column: Which column holds them; None guesses by `COLUMN_NAMES`.

    Raises:
        ValueError: If there is no such file, it is not of a kind that is read here, or it has
            no such column. Iterating raises it for what is wrong further down.
    """
    if given == "-":
        if sys.stdin is None:
            raise ValueError("there is no standard input to read")
        stdin: Any = sys.stdin.buffer
        return _read_text("standard input", stdin, "guess" if column else "txt", column)
    path = Path(given)
    try:
        kind = kind_of(path, KINDS, _ALLOWED)
        if kind == "parquet":
            notes: list[str] = []
            found = ParquetColumn(path, column, notes)
            return Sentences(
                given, iter(found), unit="row", notes=notes, share=found.share, close=found.close
            )
        file = path.open("rb")
    except OSError as error:
        raise ValueError(f"{given[:200]} cannot be opened: {error.strerror}") from error
    try:
        size = path.stat().st_size
        sentences = _read_text(
            given, file, kind, column, lambda: file.tell() / size if size else 0.0
        )
    except BaseException:
        file.close()
        raise
    sentences.close = file.close
    return sentences


def _read_text(
    name: str,
    file: io.BufferedReader,
    kind: str,
    column: str | None,
    share: Callable[[], float] = lambda: 0.0,
) -> Sentences:
    lines = Lines(name, file)
    texts = iter(lines)
    notes: list[str] = []
    if kind == "guess":
        first = next(texts, "")
        kind = "jsonl" if first.lstrip().startswith("{") else "csv"
        texts = itertools.chain([first], texts)
    if kind == "txt":
        if column is not None:
            raise InputError(
                f"{name} has one sentence a line and no columns: leave {setting('column')} out"
            )
        cells: Cells = ((lines.number, text) for text in texts)
    elif kind == "jsonl":
        cells = json_cells(lines, texts, column, notes)
    else:
        cells = csv_cells(name, texts, kind, column, notes)
    return Sentences(name, cells, notes=notes, share=share)
