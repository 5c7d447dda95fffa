"""A table while it is read: columns that grow row by row, within bounds."""

import itertools
import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from core.config import MAX_SENTENCE_CHARACTERS
from core.tables.cells import check_columns
from core.tables.columns import Table
from core.tables.labels import Cell, Nested

MAX_ROWS = 200_000
MAX_CELLS = 4_000_000
MAX_CHARACTERS = 200_000_000
"""What a table may hold: far more labelled data than one trains on with a laptop."""

_SHORT = 40  # characters; a cell as short may well come again, and is then held once


class Held:
    """Columns that grow row by row, within the bounds.

    Args:
        name: What the file is called in messages.
        unit: What a place counts: `line` or `row`.
        wanted: The columns to hold; None holds all.

    Attributes:
        names: The names of all columns, in order.
        notes: What a person should know of how the file was read.
        certain: Whether the columns are known to be what they are called.
    """

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

    @property
    def rows(self) -> int:
        """How many rows are held."""
        return len(self._places)

    def wants(self, column: str) -> bool:
        """Tell whether the cells of a column are to be held."""
        return self._wanted is None or column in self._wanted

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
            if self.wants(name):
                self._columns.setdefault(name, [])
        check_columns(self.name, tuple(self.names))

    def expect(self, rows: int, unpacked: int) -> None:
        """Hear what a file says of itself, before anything of it is unpacked.

        Args:
            rows: How many it has.
            unpacked: Bytes of the columns that are wanted, when unpacked.

        Raises:
            ValueError: If that would be too much.
        """
        if rows > MAX_ROWS:
            raise ValueError(
                f"{self.name} has {rows:,} rows, must be at most {MAX_ROWS:,}: give a part of them"
            )
        if unpacked > MAX_CHARACTERS:
            raise ValueError(
                f"{self.name} has {unpacked:,} bytes when unpacked, must be at most "
                f"{MAX_CHARACTERS:,}: give fewer rows, or name the columns that are needed"
            )

    def add(self, place: int, cells: Mapping[str, Any]) -> None:
        """Hold a row's cells.

        Raises:
            ValueError: If it goes over a bound, naming the row.
        """
        rows = self.rows
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
