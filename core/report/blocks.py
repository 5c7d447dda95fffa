"""What a report is made of: sentences, notes, tables, charts and scripts, told once.

Whoever shows a report (a terminal, a file, a page) lays its blocks out and adds no words of its own
about what was found.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from core.report.drawing import Figure


@dataclass(frozen=True, kw_only=True)
class Block:
    """A piece of a report.

    Attributes:
        about: The one of what was compared that it is about; empty for all of them.
        long: Whether it is left out where there is little room, as in a terminal.
    """

    about: str = ""
    long: bool = False


@dataclass(frozen=True, kw_only=True)
class Sentence(Block):
    """What was found, in words.

    Attributes:
        text: One sentence, or a few.
        of: What it is said of, to stand before it; empty for nothing.
        lead: Whether it answers what was asked.
        status: What has been shown, one of `core.report.comparison.STATUS`; empty where nothing
            was to be.
    """

    text: str
    of: str = ""
    lead: bool = False
    status: str = ""


@dataclass(frozen=True, kw_only=True)
class Note(Block):
    """What to know beside it.

    Attributes:
        text: One sentence, or a few.
        warning: Whether it speaks against what was found.
    """

    text: str
    warning: bool = False


BETTER, WORSE = "better", "worse"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A figure, or a text.

    Attributes:
        text: As it is shown.
        interval: In which the truth lies, 19 times in 20; empty where nobody knows.
        sure: `BETTER` or `WORSE` where a difference is more than luck explains.
        aside: What to know of it, in a few words.
    """

    text: str
    interval: str = ""
    sure: str = ""
    aside: str = ""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        heading: Its name.
        unit: What its figures are; left out where there is little room.
        means: What it says, for who meets the word for the first time.
        words: Whether it holds words, which begin at the left.
        part: Columns of one part stay together where a table is too wide for one.
        room: 0 stays; the higher, the sooner it is left out where there is little room.
    """

    heading: str
    unit: str = ""
    means: str = ""
    words: bool = False
    part: int = 0
    room: int = 0


BEST, FLOOR = "best", "floor"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table, a cell for each column.

    Attributes:
        cells: In the columns' order.
        about: Which of those compared it is about.
        look: `BEST`, `FLOOR`, or empty.
    """

    cells: tuple[Cell, ...]
    about: str = ""
    look: str = ""


@dataclass(frozen=True, kw_only=True)
class Table(Block):
    """Figures side by side; the first column names a row.

    Attributes:
        title: What it shows; empty where the section says it.
        columns: The name first.
        rows: In order.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Chart(Block):
    """A figure, with its words and its numbers as a table.

    Attributes:
        figure: As `core.report.figures` builds them.
        of: Of several that show the same, what this one is of; empty where there is one.
    """

    figure: Figure
    of: str = ""


@dataclass(frozen=True, kw_only=True)
class Code(Block):
    """A script to take home.

    Attributes:
        library: What it is written for.
        file: What to call it.
        text: The script, as it is; empty where there is none.
        note: What it leaves out, or why there is none.
    """

    library: str
    file: str
    text: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Blocks under one heading.

    Attributes:
        name: Known to who lays it out; never shown.
        title: The heading; empty for none.
        blocks: In order.
        about: As of a block.
    """

    name: str
    title: str = ""
    blocks: tuple[Block, ...]
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that is told.

    Attributes:
        title: Of the whole.
        sections: In order; none is empty.
    """

    title: str
    sections: tuple[Section, ...]

    def blocks(self) -> Iterator[Block]:
        """Yield every block, in order."""
        for section in self.sections:
            yield from section.blocks
