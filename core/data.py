"""Reading sentences: from the command line, standard input, TXT, CSV, TSV, JSONL and Parquet.

Everything is read as a stream and bounded before it is held: a file may have millions of
sentences, but no line or cell may go on without end.
"""

import csv
import io
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from core.config import MAX_SENTENCE_CHARACTERS
from core.lines import Lines
from core.sentences import clean

MAX_COLUMNS = 10_000

COLUMN_NAMES = (
    *("text", "sentence", "sentences", "content", "body", "review", "comment", "message"),
    *("question", "query", "headline", "title", "description", "document", "utterance", "tweet"),
)
"""Names by which a column of sentences is guessed, the likeliest first."""

Cells = Iterator[tuple[int, str | None]]
"""Each line or row by its number, and the text in it, if any."""

_KINDS = {  # how a file's name ends → how it is read
    "": "txt",
    ".txt": "txt",
    ".text": "txt",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}


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
        kind = _kind(path)
        if kind == "parquet":
            return _read_parquet(path, column)
        file = path.open("rb")
    except OSError as error:
        raise ValueError(f"{given[:200]} cannot be opened: {error.strerror}") from error
    try:
        size = path.stat().st_size
        found = _read_text(given, file, kind, column, lambda: file.tell() / size if size else 0.0)
    except BaseException:
        file.close()
        raise
    found.close = file.close
    return found


def _kind(path: Path) -> str:
    """Judge by a file's name how to read it; refuse what is not there or is no file."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder, must be a file of sentences")
    if not path.exists():
        raise ValueError(f"there is no file {path}")
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(
            f"{path} ends in {path.suffix}, must be .txt (one sentence a line), .csv, .tsv, "
            ".jsonl or .parquet"
        )
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    return kind


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
            raise ValueError(f"{name} has one sentence a line and no columns: drop --column")
        cells: Cells = ((lines.number, text) for text in texts)
    elif kind == "jsonl":
        cells = _json_cells(lines, texts, column, notes)
    else:
        cells = _csv_cells(name, texts, kind, column, notes)
    return Sentences(name, cells, notes=notes, share=share)


def _csv_cells(
    name: str, texts: Iterator[str], kind: str, column: str | None, notes: list[str]
) -> Cells:
    """Read the header now, and return the cells of one column, to be read later."""
    first = next(texts, "")
    delimiter = "\t" if kind == "tsv" else max(",;\t", key=first.count)
    if kind == "csv" and delimiter != ",":
        notes.append(f"{name}: columns are parted by {'tabs' if delimiter != ';' else ';'}")
    rows = _csv_rows(name, itertools.chain([first], texts), delimiter)
    header = [clean(cell) for cell in next(rows, (1, []))[1]]
    place = choose_column(name, header, column, notes)

    def cells() -> Cells:
        for number, row in rows:
            if any(row[len(header) :]):
                raise ValueError(
                    f"{name}: line {number:,} has {len(row):,} cells and the header has "
                    f"{len(header):,}: put quotes round a cell that holds {delimiter!r}"
                )
            yield number, row[place] if place < len(row) else None

    return cells()


def _csv_rows(name: str, texts: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Parse CSV strictly: each row with the line it starts in, as quoted cells may hold lines."""
    reader = csv.reader(texts, delimiter=delimiter, strict=True)
    while True:
        number = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            reason = str(error)
            if "unexpected end" in reason or "field larger" in reason:
                reason = "a quote opens there and does not close, or a cell is too long"
            elif "expected after" in reason:
                reason = "a quote closes before its cell ends; a quote inside is written twice"
            raise ValueError(f"{name}: line {number:,} is not CSV: {reason}") from error
        if row is None:
            return
        yield number, row


def _json_cells(lines: Lines, texts: Iterator[str], column: str | None, notes: list[str]) -> Cells:
    """Read up to the first object now, and return the texts of one key, to be read later."""
    rows = ((lines.number, _parsed(lines, text)) for text in texts)
    head: list[tuple[int, Any]] = []
    for pair in rows:
        head.append(pair)
        if pair[1] is not None:
            break
    key = column
    if head and isinstance(head[-1][1], dict):
        names = list(head[-1][1])
        key = names[choose_column(lines.name, names, column, notes)]

    def cells() -> Cells:
        for number, row in itertools.chain(head, rows):
            found = row.get(key) if isinstance(row, dict) else row
            if found is not None and not isinstance(found, str):
                kind = {"dict": "an object", "list": "a list"}.get(type(found).__name__, "no text")
                where = f"line {number:,}" + (f", {key!r}" if isinstance(row, dict) else "")
                raise ValueError(f"{lines.name}: {where} holds {kind}, must be text in quotes")
            yield number, found

    return cells()


def _parsed(lines: Lines, text: str) -> Any:  # noqa: ANN401 (any JSON)
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos + 1:,}"
    except (ValueError, RecursionError):
        reason = "a number is too long, or lists lie too deep in each other"
    raise ValueError(f"{lines.name}: line {lines.number:,} is not JSON: {reason}")


def _read_parquet(path: Path, column: str | None) -> Sentences:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read as Parquet: {_first_line(error)}") from error
    notes: list[str] = []
    try:
        schema = file.schema_arrow
        texts = [field.name for field in schema if _is_text(field.type)]
        names = texts if column is None and texts else list(schema.names)
        name = names[choose_column(str(path), names, column, notes)]
        if name not in texts:
            raise ValueError(
                f"{path}: column {name!r} holds {schema.field(name).type}, must be text"
            )
    except BaseException:
        file.close()
        raise
    rows = file.metadata.num_rows
    read = 0

    def cells() -> Cells:
        nonlocal read
        try:
            for batch in file.iter_batches(batch_size=256, columns=[name]):
                for text in batch.column(0).to_pylist():
                    read += 1
                    yield read, text
        except (pa.ArrowException, OSError) as error:
            raise ValueError(
                f"{path} cannot be read beyond row {read:,}: {_first_line(error)}"
            ) from error

    def share() -> float:
        return read / rows if rows else 0.0

    return Sentences(str(path), cells(), unit="row", notes=notes, share=share, close=file.close)


def _is_text(kind: Any) -> bool:  # noqa: ANN401 (pyarrow has no types)
    import pyarrow.types as t

    inner = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_string(inner) or t.is_large_string(inner) or t.is_string_view(inner))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:150]


def choose_column(name: str, columns: Sequence[str], asked: str | None, notes: list[str]) -> int:
    """Find the column of sentences by the name asked for, or guess it.

    Args:
        name: What the file is called in messages.
        columns: The names it has, in order.
        asked: The one wanted, or None to guess: by `COLUMN_NAMES`, or the only one there is.
        notes: A guess is added here, in words.

    Returns:
        Its place in `columns`.

    Raises:
        ValueError: If it is not there, is there twice, or none can be guessed; the sentence
            names those there are.
    """
    if len(columns) > MAX_COLUMNS:
        raise ValueError(f"{name} has {len(columns):,} columns, must be at most {MAX_COLUMNS:,}")
    there = ", ".join(repr(each[:40]) for each in columns[:12])
    there += f" and {len(columns) - 12:,} more" if len(columns) > 12 else ""
    if asked is None:
        lowered = [each.strip().lower() for each in columns]
        known = next((each for each in COLUMN_NAMES if each in lowered), None)
        if known is None and len(columns) != 1:
            raise ValueError(
                f"{name}: no column is called {', '.join(COLUMN_NAMES[:3])} or the like; name "
                f"one with --column: it has {there or 'none'}"
            )
        place = lowered.index(known) if known else 0
        how = "guessed; --column names another" if len(columns) > 1 else "the only one"
        notes.append(f"{name}: reading column {columns[place][:40]!r} ({how})")
        return place
    matches = [place for place, each in enumerate(columns) if each == asked]
    if len(matches) != 1:
        often = f"{len(matches)} columns" if matches else "no column"
        raise ValueError(f"{name} has {often} {asked!r}; it has {there or 'none'}")
    return matches[0]
