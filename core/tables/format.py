"""What a file format is: how its files are called, what is read of them, how rows are written."""

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

from core.tables.columns import Table
from core.tables.held import Held
from core.tables.lines import Lines
from core.tables.stream import Cells, Sentences


class Format:
    """A file format. A new one is a subclass in a module of its own, and a word in `formats`.

    Attributes:
        suffixes: How names of its files end, its own first.
        media: Its media type, for who hands such a file on; empty where none is written.
        unit: What a place in it counts: `line` or `row`.
        lists: Whether sentences are read from it.
        has_columns: Whether a table in it has columns with names.
        remark: What to say behind its suffix where suffixes are listed.
    """

    suffixes: ClassVar[tuple[str, ...]]
    media: ClassVar[str] = ""
    unit: ClassVar[str] = "line"
    lists: ClassVar[bool] = True
    has_columns: ClassVar[bool] = True
    remark: ClassVar[str] = ""

    @property
    def writes(self) -> bool:
        """Whether rows are written in it."""
        return bool(self.media)

    def begins(self, line: str) -> bool:
        """Tell by its first line whether a text without a name is of this format."""
        del line
        return False

    def sentences(self, name: str, path: Path, column: str | None) -> Sentences:
        """Open a file of sentences; nothing but its head is read yet.

        Args:
            name: What the file is called in messages.
            path: The file.
            column: Which column holds them; None guesses.

        Raises:
            ValueError: If the file is broken, or has no such column.
            OSError: If it cannot be opened.
        """
        raise NotImplementedError(f"no sentences are read from {self.suffixes[0]}")

    def hold(self, path: Path, held: Held) -> None:
        """Read a labelled table whole.

        Args:
            path: The file.
            held: Takes the rows.

        Raises:
            ValueError: If the file is broken (naming the line), or over a bound.
            OSError: If it cannot be opened.
        """
        raise NotImplementedError(f"no table is read from {self.suffixes[0]}")

    def copy(self, source: Path, kept: Collection[int], file: BinaryIO) -> int | None:
        """Copy rows of a file of this format, each exactly as it stands.

        Args:
            source: The file.
            kept: The places of the rows to keep.
            file: Takes the copy.

        Returns:
            How many rows were copied; None where rows are read and written anew.
        """
        del source, kept, file
        return None

    def write(self, table: Table, rows: Sequence[int], file: BinaryIO, *, safe: bool) -> int:
        """Write rows of a table, each cell as it was read.

        Args:
            table: The table.
            rows: Which of its rows, in order.
            file: Takes the bytes.
            safe: Whether a cell that a spreadsheet would run gets an apostrophe before it.

        Returns:
            How many cells a spreadsheet would run.

        Raises:
            ValueError: If the format cannot hold them.
        """
        raise NotImplementedError(f"no rows are written as {self.suffixes[0]}")


class TextFormat(Format):
    """A format of lines of text."""

    def cells(
        self, lines: Lines, texts: Iterator[str], column: str | None, notes: list[str]
    ) -> Cells:
        """Read the head now, and return the cells of one column, to be read later."""
        raise NotImplementedError(f"no sentences are read from {self.suffixes[0]}")

    def hold_lines(self, lines: Lines, texts: Iterator[str], held: Held) -> None:
        """Read the rows of a table. For what is raised see `hold`."""
        raise NotImplementedError(f"no table is read from {self.suffixes[0]}")

    def listed(
        self,
        lines: Lines,
        texts: Iterator[str],
        column: str | None,
        share: Callable[[], float] = lambda: 0.0,
    ) -> Sentences:
        """Read sentences from lines. For the arguments see `cells` and `Sentences`."""
        notes: list[str] = []
        cells = self.cells(lines, texts, column, notes)
        return Sentences(lines.name, cells, unit=self.unit, notes=notes, share=share)

    def sentences(self, name: str, path: Path, column: str | None) -> Sentences:
        file = path.open("rb")
        try:
            size = path.stat().st_size
            lines = Lines(name, file)
            share = functools.partial(lambda: file.tell() / size if size else 0.0)
            sentences = self.listed(lines, iter(lines), column, share)
        except BaseException:
            file.close()
            raise
        sentences.close = file.close
        return sentences

    def hold(self, path: Path, held: Held) -> None:
        with path.open("rb") as file:
            lines = Lines(held.name, file)
            self.hold_lines(lines, iter(lines), held)
