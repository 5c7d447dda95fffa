"""CSV and TSV: columns with names, separated by commas, semicolons or tabs."""

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from typing import BinaryIO, ClassVar

from core.sentences import clean
from core.system.files import spreadsheet_safe
from core.tables.cells import choose_column
from core.tables.columns import Table
from core.tables.format import TextFormat
from core.tables.held import Held
from core.tables.labels import Cell
from core.tables.lines import Lines
from core.tables.stream import Cells


class Separated(TextFormat):
    """Rows of cells, the first row their names."""

    separator: ClassVar[str]

    def separator_of(self, name: str, first: str, notes: list[str]) -> str:
        """Say what separates the cells, by the first line."""
        del name, first, notes
        return self.separator

    def cells(
        self, lines: Lines, texts: Iterator[str], column: str | None, notes: list[str]
    ) -> Cells:
        header, rows = self.rows(lines.name, texts, notes)
        place = choose_column(lines.name, header, column, notes)
        return ((number, row[place] if place < len(row) else None) for number, row in rows)

    def hold_lines(self, lines: Lines, texts: Iterator[str], held: Held) -> None:
        header, rows = self.rows(lines.name, texts, held.notes)
        names = [name or f"column {place}" for place, name in enumerate(header, 1)]
        held.know(names)
        for number, row in rows:
            if row:  # a blank line is no row
                held.add(number, dict(zip(names, row, strict=False)))

    def rows(
        self, name: str, texts: Iterator[str], notes: list[str]
    ) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
        """Read the header now, and return it with the rows, to be read later.

        Returns:
            The columns' names, and each row with the line it starts in; a row may be shorter
            than the header.
        """
        first = next(texts, "")
        separator = self.separator_of(name, first, notes)
        rows = _parsed(name, itertools.chain([first], texts), separator)
        header = [clean(cell) for cell in next(rows, (1, []))[1]]

        def checked() -> Iterator[tuple[int, list[str]]]:
            for number, row in rows:
                if any(row[len(header) :]):
                    raise ValueError(
                        f"{name}: line {number:,} has {len(row):,} cells and the header has "
                        f"{len(header):,}: put quotes round a cell that holds {separator!r}"
                    )
                yield number, row

        return header, checked()

    def write(self, table: Table, rows: Sequence[int], file: BinaryIO, *, safe: bool) -> int:
        formulas = 0

        def shown(cell: Cell) -> str:
            nonlocal formulas
            text = _written(cell)
            harmless = spreadsheet_safe(text)
            formulas += harmless != text
            return harmless if safe else text

        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        writer = csv.writer(text, delimiter=self.separator, lineterminator="\n")
        writer.writerow([shown(name) for name in table.names])
        columns = [table.columns[name] for name in table.names]
        writer.writerows([shown(column[row]) for column in columns] for row in rows)
        text.detach()
        return 0 if safe else formulas


class Csv(Separated):
    """Cells separated by commas; by semicolons or tabs where the first line has more of them."""

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    media: ClassVar[str] = "text/csv;charset=utf-8"
    separator: ClassVar[str] = ","

    def separator_of(self, name: str, first: str, notes: list[str]) -> str:
        separator = max(",;\t", key=first.count)
        if separator != self.separator:
            notes.append(f"{name}: columns are separated by {'tabs' if separator != ';' else ';'}")
        return separator


class Tsv(Separated):
    """Cells separated by tabs."""

    suffixes: ClassVar[tuple[str, ...]] = (".tsv", ".tab")
    media: ClassVar[str] = "text/tab-separated-values;charset=utf-8"
    separator: ClassVar[str] = "\t"


def _parsed(name: str, texts: Iterator[str], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Parse CSV strictly: each row with the line it starts in, as quoted cells may hold lines."""
    reader = csv.reader(texts, delimiter=separator, strict=True)
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


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell)
