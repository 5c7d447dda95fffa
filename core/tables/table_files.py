"""Labelled tables read whole: CSV, TSV, JSONL, Parquet and CoNLL, bounded before they are held."""

import itertools
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.config import MAX_SENTENCE_CHARACTERS
from core.tables.cells import (
    check_columns,
    csv_table,
    first_line,
    is_text,
    parquet_cells,
    parsed_json,
)
from core.tables.columns import Table
from core.tables.conll import conll_sentences, looks_like_conll
from core.tables.formats import KINDS, kind_of
from core.tables.hub_tables import hub_file, is_hub_name
from core.tables.labels import Cell, Nested
from core.tables.lines import Lines

MAX_BYTES = 100_000_000
MAX_ROWS = 200_000
MAX_CELLS = 4_000_000
MAX_CHARACTERS = 200_000_000
"""What a table may hold: far more labelled data than one trains on with a laptop."""

_CONLL = dict.fromkeys((".conll", ".bio", ".iob", ".iob2", ".bioes"), "conll")
_ALLOWED = ".csv, .tsv, .jsonl, .parquet or .conll"
_SHORT = 40  # characters; a cell as short may well come again, and is then held once
_LINES_JUDGED = 50
_BATCH_ROWS = 256


def read_table(source: str, wanted: Collection[str] | None = None) -> Table:
    """Read a labelled table whole: a file, by how its name ends, or a data set of the hub.

    Args:
        source: The file, or `owner/name` where there is no file of that name.
        wanted: The columns to hold; None holds all. Their names are known either way.

    Raises:
        ValueError: If there is no such file, it is of no kind that is read here, it is broken
            (naming the line) or over a bound.
        RuntimeError: If a download breaks midway.
    """
    if is_hub_name(source):
        table = read_table(str(hub_file(source, MAX_BYTES)), wanted)
        note = f"{source} is read from the Hugging Face Hub: its training rows"
        return replace(table, name=source, notes=(note, *table.notes))
    path = Path(source)
    try:
        kind = kind_of(path, {**KINDS, **_CONLL}, _ALLOWED)
        size = path.stat().st_size
        if not path.is_file():
            raise ValueError(f"{source} is no plain file: labelled data is read from files only")
        if size > MAX_BYTES:
            raise ValueError(
                f"{source} has {size:,} bytes, must be at most {MAX_BYTES:,}: give a part of it"
            )
        if kind == "parquet":
            return _read_parquet(path, wanted)
        with path.open("rb") as file:
            return _read_text(Lines(source, file), kind, wanted)
    except OSError as error:
        raise ValueError(f"{source[:200]} cannot be opened: {error.strerror}") from error


class _Held:
    """Columns that grow row by row, within the bounds."""

    def __init__(self, name: str, unit: str, wanted: Collection[str] | None) -> None:
        self.name = name
        self.unit = unit
        self.names: dict[str, None] = {}
        self.notes: list[str] = []
        self.certain = False
        self._wanted = wanted
        self._places: list[int] = []
        self._columns: dict[str, list[Cell]] = {}
        self._characters = 0
        self._short: dict[str, str] = {}

    def know(self, names: Sequence[str]) -> None:
        """Learn columns' names before their cells come.

        Raises:
            ValueError: If they are too many, or two are the same.
        """
        check_columns(self.name, names)
        name, often = next(iter(Counter(names).most_common(1)), ("", 0))
        if often > 1:
            raise ValueError(f"{self.name} has {often} columns {name[:40]!r}: rename one")
        for name in names:
            self.names.setdefault(name)
            if self._wanted is None or name in self._wanted:
                self._columns.setdefault(name, [])
        check_columns(self.name, tuple(self.names))

    def add(self, place: int, cells: Mapping[str, Any]) -> None:
        """Hold a row's cells.

        Raises:
            ValueError: If it goes over a bound, naming the row.
        """
        rows = len(self._places)
        if rows >= MAX_ROWS:
            raise ValueError(f"{self.name} has more than {MAX_ROWS:,} rows: give a part of them")
        if not cells.keys() <= self.names.keys():
            self.know(tuple(cells))
        if len(self._columns) * (rows + 1) > MAX_CELLS or self._characters > MAX_CHARACTERS:
            raise ValueError(
                f"{self.name} holds more than {MAX_CELLS:,} cells or {MAX_CHARACTERS:,} "
                f"characters up to {self.unit} {place:,}: give fewer rows or columns"
            )
        for column, given in cells.items():
            held = self._columns.get(column)
            if held is not None:
                held.extend(itertools.repeat(None, rows - len(held)))
                held.append(self._cell(place, column, given))
        self._places.append(place)

    def table(self) -> Table:
        """Give what is held.

        Raises:
            ValueError: If no row is.
        """
        if not self._places:
            raise ValueError(f"{self.name} has no rows")
        for held in self._columns.values():
            held.extend(itertools.repeat(None, len(self._places) - len(held)))
        return Table(
            name=self.name,
            names=tuple(self.names),
            columns=MappingProxyType(self._columns),
            places=self._places,
            unit=self.unit,
            notes=tuple(self.notes),
            certain=self.certain,
        )

    def _cell(self, place: int, column: str, given: Any) -> Cell:  # noqa: ANN401 (any JSON)
        if given is None or isinstance(given, bool | int | float):
            return given
        if isinstance(given, list | dict):
            given = Nested(_as_json(given))
        elif isinstance(given, bytes):
            given = Nested(_as_json(f"{len(given):,} bytes"))
        elif not isinstance(given, str):  # dates, decimals
            given = str(given)
        self._characters += len(given)
        if len(given) > MAX_SENTENCE_CHARACTERS:
            raise ValueError(
                f"{self.name}: {self.unit} {place:,}, {column[:40]!r}, has {len(given):,} "
                f"characters, must be at most {MAX_SENTENCE_CHARACTERS:,}: split it"
            )
        if len(given) > _SHORT or isinstance(given, Nested):
            return given
        return self._short.setdefault(given, given)


def _as_json(given: Any) -> str:  # noqa: ANN401 (any JSON)
    return json.dumps(given, ensure_ascii=False, default=str)


def _read_text(lines: Lines, kind: str, wanted: Collection[str] | None) -> Table:
    texts = iter(lines)
    held = _Held(lines.name, "line", wanted)
    if kind in ("txt", "conll"):
        _hold_conll(held, lines, texts, certain=kind == "conll")
    elif kind == "jsonl":
        _hold_jsonl(held, lines, texts)
    else:
        _hold_csv(held, texts, kind)
    return held.table()


def _hold_csv(held: _Held, texts: Iterator[str], kind: str) -> None:
    header, rows = csv_table(held.name, texts, kind, held.notes)
    names = [name or f"column {place}" for place, name in enumerate(header, 1)]
    held.know(names)
    for number, row in rows:
        if row:  # a blank line is no row
            held.add(number, dict(zip(names, row, strict=False)))


def _hold_jsonl(held: _Held, lines: Lines, texts: Iterator[str]) -> None:
    for text in texts:
        row = parsed_json(lines, text)
        if row is not None and not isinstance(row, dict):
            raise ValueError(
                f"{held.name}: line {lines.number:,} holds {text.strip()[:30]!r}, must be an "
                'object such as {"text": "It rains.", "topic": "news"}'
            )
        if row is not None:
            held.add(lines.number, row)


def _hold_conll(held: _Held, lines: Lines, texts: Iterator[str], *, certain: bool) -> None:
    numbered = ((lines.number, text) for text in texts)
    head = list(itertools.islice(numbered, _LINES_JUDGED))
    if not certain and not looks_like_conll(text for _, text in head):
        raise ValueError(
            f"{held.name} has neither columns nor a token and its tag a line, so that it has no "
            f"labels: give {_ALLOWED}"
        )
    held.know(["text", "entities"])
    held.certain = True
    for line, text, spans, document in conll_sentences(held.name, itertools.chain(head, numbered)):
        cells = {"text": text, "entities": [span._asdict() for span in spans]}
        held.add(line, {**cells, "document": str(document)} if document else cells)


def _read_parquet(path: Path, wanted: Collection[str] | None) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = _Held(str(path), "row", wanted)
    broken = (pa.ArrowException, OSError, UnicodeDecodeError, RecursionError)
    row = 0
    try:
        with pq.ParquetFile(path) as file:
            names = list(file.schema_arrow.names)
            held.know(names)
            chosen = [name for name in names if wanted is None or name in wanted]
            _check_footer(path, file.metadata, chosen)
        texts = [field.name for field in file.schema_arrow if is_text(field.type)]
        classes = _class_names(file.schema_arrow.metadata or {})
        with pq.ParquetFile(path, read_dictionary=texts) as file:
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=chosen):
                columns = [
                    _named(parquet_cells(held.name, column, row), classes.get(name, ()))
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                for cells in zip(*columns, strict=True):
                    row += 1
                    held.add(row, dict(zip(batch.schema.names, cells, strict=True)))
    except broken as error:
        where = f" beyond row {row:,}" if row else " as Parquet"
        raise ValueError(f"{path} cannot be read{where}: {first_line(error)}") from error
    return held.table()


def _check_footer(path: Path, footer: Any, chosen: Sequence[str]) -> None:  # noqa: ANN401 (as above)
    """Refuse by what a Parquet file says of itself what would be too much unpacked."""
    if footer.num_rows > MAX_ROWS:
        raise ValueError(
            f"{path} has {footer.num_rows:,} rows, must be at most {MAX_ROWS:,}: give a part of "
            "them"
        )
    unpacked = 0
    for group in range(footer.num_row_groups):
        for place in range(footer.num_columns):
            column = footer.row_group(group).column(place)
            if column.path_in_schema.partition(".")[0] in chosen:
                unpacked += column.total_uncompressed_size
    if unpacked > MAX_CHARACTERS:
        raise ValueError(
            f"{path} has {unpacked:,} bytes when unpacked, must be at most {MAX_CHARACTERS:,}: "
            "give fewer rows, or name the columns that are needed"
        )


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Find what a file that the `datasets` library wrote calls the numbers of its classes."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        names = {column: about["names"] for column, about in features.items() if "names" in about}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return {
        column: called
        for column, called in names.items()
        if isinstance(called, list) and all(isinstance(name, str) for name in called)
    }


def _named(cells: list[Any], names: Sequence[str]) -> list[Any]:
    """Write classes by their names; -1 is how `datasets` writes that there is none."""
    if not names:
        return cells
    called: dict[int, str | None] = {**dict(enumerate(names)), -1: None}
    return [called.get(cell, cell) if type(cell) is int else cell for cell in cells]
