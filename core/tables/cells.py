"""Tables read as a stream, bounded before they are held: CSV, TSV, JSONL or Parquet."""

import csv
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from core.config import MAX_SENTENCE_CHARACTERS
from core.errors import InputError, Said, setting
from core.sentences import clean
from core.tables.lines import Lines

MAX_COLUMNS = 10_000

COLUMN_NAMES = (
    *("text", "sentence", "sentences", "content", "body", "review", "comment", "message"),
    *("question", "query", "headline", "title", "description", "document", "utterance", "tweet"),
)
"""Names by which a column of sentences is guessed, the likeliest first."""

Cells = Iterator[tuple[int, str | None]]
"""Each line or row by its number, and the text in it, if any."""


def csv_cells(
    name: str, texts: Iterator[str], kind: str, column: str | None, notes: list[str]
) -> Cells:
    """Read the header now, and return the cells of one column, to be read later."""
    header, rows = csv_table(name, texts, kind, notes)
    place = choose_column(name, header, column, notes)
    return ((number, row[place] if place < len(row) else None) for number, row in rows)


def csv_table(
    name: str, texts: Iterator[str], kind: str, notes: list[str]
) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """Read the header now, and return it with the rows, to be read later.

    Returns:
        The columns' names, and each row with the line it starts in; a row may be shorter than
        the header.
    """
    first = next(texts, "")
    delimiter = "\t" if kind == "tsv" else max(",;\t", key=first.count)
    if kind == "csv" and delimiter != ",":
        notes.append(f"{name}: columns are separated by {'tabs' if delimiter != ';' else ';'}")
    rows = _csv_rows(name, itertools.chain([first], texts), delimiter)
    header = [clean(cell) for cell in next(rows, (1, []))[1]]

    def checked() -> Iterator[tuple[int, list[str]]]:
        for number, row in rows:
            if any(row[len(header) :]):
                raise ValueError(
                    f"{name}: line {number:,} has {len(row):,} cells and the header has "
                    f"{len(header):,}: put quotes round a cell that holds {delimiter!r}"
                )
            yield number, row

    return header, checked()


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


def json_cells(lines: Lines, texts: Iterator[str], column: str | None, notes: list[str]) -> Cells:
    """Read up to the first object now, and return the texts of one key, to be read later."""
    rows = ((lines.number, parsed_json(lines, text)) for text in texts)
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


def parsed_json(lines: Lines, text: str) -> Any:  # noqa: ANN401 (any JSON)
    """Parse the line read last, or give None for a blank one.

    Raises:
        ValueError: Naming the line and what is not JSON in it.
    """
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos + 1:,}"
    except (ValueError, RecursionError):
        reason = "a number is too long, or lists lie too deep in each other"
    raise ValueError(f"{lines.name}: line {lines.number:,} is not JSON: {reason}")


class ParquetColumn:
    """A column of text in a Parquet file; nothing but the file's footer is read before it is used.

    Args:
        path: The file.
        column: The one wanted, or None to guess.
        notes: A guess is added here, in words.

    Raises:
        ValueError: If it cannot be read, or has no such column of text. Iterating raises it for
            what is broken further down.
    """

    def __init__(self, path: Path, column: str | None, notes: list[str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self._broken = (pa.ArrowException, OSError, UnicodeDecodeError)
        self._read = 0
        try:
            self._file = pq.ParquetFile(path)
        except self._broken as error:
            raise ValueError(f"{path} cannot be read as Parquet: {first_line(error)}") from error
        try:
            self._name = self._choose(column, notes)
        finally:
            self.close()
        # By its dictionary, so that a long text is not held again for each row that repeats it.
        self._file = pq.ParquetFile(path, read_dictionary=[self._name])

    def __iter__(self) -> Cells:
        try:
            for batch in self._file.iter_batches(batch_size=256, columns=[self._name]):
                for text in parquet_cells(str(self._path), batch.column(0), self._read):
                    self._read += 1
                    yield self._read, text
        except self._broken as error:
            raise ValueError(
                f"{self._path} cannot be read beyond row {self._read:,}: {first_line(error)}"
            ) from error

    @property
    def unpacked_bytes(self) -> int:
        """What the file says the column takes when unpacked."""
        footer, found = self._file.metadata, 0
        for group in range(footer.num_row_groups):
            for place in range(footer.num_columns):
                column = footer.row_group(group).column(place)
                if column.path_in_schema == self._name:
                    found += column.total_uncompressed_size
        return found

    def share(self) -> float:
        """Say how much is read, 0 to 1."""
        return self._read / max(1, self._file.metadata.num_rows)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _choose(self, column: str | None, notes: list[str]) -> str:
        schema = self._file.schema_arrow
        texts = [field.name for field in schema if is_text(field.type)]
        names = texts if column is None and texts else list(schema.names)
        name = names[choose_column(str(self._path), names, column, notes)]
        if name not in texts:
            kind = schema.field(name).type
            raise ValueError(f"{self._path}: column {name!r} holds {kind}, must be text")
        return name


def parquet_cells(name: str, column: Any, before: int) -> list[Any]:  # noqa: ANN401 (pyarrow has no types)
    """Unpack a column of a batch, unless a text in its dictionary is too long to be repeated.

    Args:
        name: What the file is called in messages.
        column: A column of a pyarrow batch.
        before: Rows read before it.

    Raises:
        ValueError: If a text in its dictionary is too long.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.DictionaryArray) and is_text(column.type):
        longest = pc.max(pc.binary_length(column.dictionary)).as_py() or 0
        if longest > 4 * MAX_SENTENCE_CHARACTERS:  # bytes of UTF-8
            raise ValueError(
                f"{name} holds a text of {longest:,} bytes after row {before:,}, must be at most "
                f"{MAX_SENTENCE_CHARACTERS:,} characters: split it"
            )
    cells: list[Any] = column.to_pylist()
    return cells


def is_text(kind: Any) -> bool:  # noqa: ANN401 (pyarrow has no types)
    """Say whether a column of Parquet holds text, as it is or by its number in a dictionary."""
    import pyarrow.types as t

    inner = kind.value_type if t.is_dictionary(kind) else kind
    return bool(t.is_string(inner) or t.is_large_string(inner) or t.is_string_view(inner))


def first_line(error: BaseException) -> str:
    """Say what went wrong in one short line, whatever a library wrote."""
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
    check_columns(name, columns)
    there = those_there(columns)
    if asked is None:
        lowered = [each.strip().lower() for each in columns]
        known = next((each for each in COLUMN_NAMES if each in lowered), None)
        if known is None and len(columns) != 1:
            raise InputError(
                f"{name}: no column is called {', '.join(COLUMN_NAMES[:3])} or the like; name "
                f"one with {setting('column')}: it has {there}"
            )
        place = lowered.index(known) if known else 0
        other = f"guessed; {setting('column')} names another"
        how = other if len(columns) > 1 else "the only one"
        notes.append(Said(f"{name}: reading column {columns[place][:40]!r} ({how})"))
        return place
    matches = [place for place, each in enumerate(columns) if each == asked]
    if len(matches) != 1:
        often = f"{len(matches)} columns" if matches else "no column"
        raise ValueError(f"{name} has {often} {asked!r}; it has {there}")
    return matches[0]


def check_columns(name: str, columns: Sequence[str]) -> None:
    """Refuse more columns than a table of sentences can have.

    Raises:
        ValueError: Saying how many there are and how many may be.
    """
    if len(columns) > MAX_COLUMNS:
        raise ValueError(f"{name} has {len(columns):,} columns, must be at most {MAX_COLUMNS:,}")


def those_there(names: Sequence[str]) -> str:
    """List names for a message: the first of them, and how many more there are."""
    more = f" and {len(names) - 12:,} more" if len(names) > 12 else ""
    return (", ".join(repr(each[:40]) for each in names[:12]) or "none") + more
