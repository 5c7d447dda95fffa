"""A copy of a labelled file with fewer rows: the columns and cells are the file's own."""

import csv
import io
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import InputError, setting
from core.system.files import check_target, replaced_whole, spreadsheet_safe
from core.tables.cells import first_line
from core.tables.columns import Table
from core.tables.labels import Cell, Nested
from core.tables.lines import Lines
from core.tables.table_files import read_table

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a copy came to.

    Attributes:
        rows: Rows that it holds.
        formulas: Cells in it that a spreadsheet would run as formulas.
    """

    rows: int
    formulas: int = 0


def check_copy_target(path: Path, source: str) -> Path:
    """Refuse a file that a cleaned copy cannot be written to, before anything is read.

    Args:
        path: Where the copy goes; its suffix says its kind.
        source: The file that is copied.

    Returns:
        The path, with links followed.

    Raises:
        ValueError: If the suffix is none of `SUFFIXES`, the file cannot be written, or it is the
            source itself.
    """
    target = check_target(path, suffixes=SUFFIXES, field="cleaned")
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise InputError(f"{setting('cleaned')} {path} is the file that is read: give another")
    return target


def write_copy(
    source: str, places: Collection[int], target: Path, *, for_spreadsheets: bool = False
) -> Written:
    """Write a copy of a labelled file that holds some of its rows, in their order.

    A copy of the same kind (JSONL of JSONL, Parquet of Parquet) repeats rows exactly, types
    included; one of another kind holds the same cells. Cells that a spreadsheet would run as a
    formula stay as they are, unless asked otherwise: the copy is data to train on, and an
    apostrophe before `@name` or `-1` would be read as part of the text or label.

    Args:
        source: A file as `read_dataset` reads it.
        places: The rows to keep, by their place in the file.
        target: Where to write; its suffix, one of `SUFFIXES`, says the kind. It is there, whole,
            when this returns, and else not at all.
        for_spreadsheets: Whether to put an apostrophe before each cell of CSV or TSV that is a
            formula, as for a download.

    Raises:
        ValueError: If the source cannot be read, or holds what the kind asked for cannot.
    """
    kept, kind = frozenset(places), target.suffix.lower()
    with replaced_whole(target) as file:
        if kind == ".parquet" and Path(source).suffix.lower() == ".parquet":
            return Written(rows=_copy_parquet(Path(source), kept, file))
        if kind == ".jsonl" and Path(source).suffix.lower() in (".jsonl", ".ndjson"):
            return Written(rows=_copy_lines(source, kept, file))
        table, formulas = read_table(source), 0
        rows = [row for row, place in enumerate(table.places) if place in kept]
        if kind == ".parquet":
            _write_parquet(table, rows, file)
        elif kind == ".jsonl":
            _write_jsonl(table, rows, file)
        else:
            delimiter = "\t" if kind == ".tsv" else ","
            formulas = _write_csv(table, rows, file, delimiter, for_spreadsheets)
        return Written(rows=len(rows), formulas=formulas)


def _copy_lines(source: str, kept: Collection[int], file: BinaryIO) -> int:
    written = 0
    with Path(source).open("rb") as bytes_read:
        lines = Lines(source, bytes_read)
        for text in lines:
            if lines.number in kept:
                file.write(text.rstrip("\r\n").encode() + b"\n")
                written += 1
    return written


def _copy_parquet(source: Path, kept: Collection[int], file: BinaryIO) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = written = 0
    try:
        with pq.ParquetFile(source) as read, pq.ParquetWriter(file, read.schema_arrow) as copy:
            for batch in read.iter_batches():
                chosen = [at for at in range(batch.num_rows) if row + at + 1 in kept]
                copy.write_batch(batch.take(pa.array(chosen, type=pa.int64())))
                row += batch.num_rows
                written += len(chosen)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{source} cannot be copied: {first_line(error)}") from error
    return written


def _write_csv(
    table: Table, rows: list[int], file: BinaryIO, delimiter: str, for_spreadsheets: bool
) -> int:
    """Write CSV, and count the cells that are a formula to a spreadsheet."""
    formulas = 0

    def shown(cell: Cell) -> str:
        nonlocal formulas
        text = _in_csv(cell)
        safe = spreadsheet_safe(text)
        formulas += safe != text
        return safe if for_spreadsheets else text

    text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow([shown(name) for name in table.names])
    columns = [table.columns[name] for name in table.names]
    writer.writerows([shown(column[row]) for column in columns] for row in rows)
    text.detach()
    return 0 if for_spreadsheets else formulas


def _in_csv(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell)


def _write_jsonl(table: Table, rows: list[int], file: BinaryIO) -> None:
    for row in rows:
        cells = {name: _in_json(table.columns[name][row]) for name in table.names}
        file.write(json.dumps(cells, ensure_ascii=False).encode(errors="replace") + b"\n")


def _in_json(cell: Cell) -> Any:  # noqa: ANN401 (any JSON)
    return json.loads(cell) if isinstance(cell, Nested) else cell


def _write_parquet(table: Table, rows: list[int], file: BinaryIO) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = []
    for name, cells in _columns(table, rows):
        try:
            arrays.append(pa.array(cells))
        except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise InputError(
                f"column {name[:40]!r} cannot be written as Parquet, which holds one kind of "
                f"value a column ({first_line(error)}): give {setting('cleaned')} a name in .jsonl"
            ) from error
    pq.write_table(pa.table(arrays, names=list(table.names)), file)


def _columns(table: Table, rows: list[int]) -> Iterator[tuple[str, list[Any]]]:
    for name in table.names:
        yield name, [_in_json(table.columns[name][row]) for row in rows]
