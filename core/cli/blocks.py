"""How the blocks of a report read in a terminal."""

from rich.console import Console
from rich.table import Table as Laid
from rich.text import Text

from core.cli.terminal import fits, output, plain_table, readable
from core.report.blocks import FLOOR, Block, Cell, Chart, Code, Note, Report, Sentence, Table


def show_report(report: Report) -> None:
    """Show a report, all but its long blocks."""
    console = output()
    for section in report.sections:
        blocks = [block for block in section.blocks if not block.long]
        if blocks and section.title:
            console.print()
            console.print(Text(readable(section.title), style="bold"), soft_wrap=True)
        for block in blocks:
            show_block(console, block)


def show_block(console: Console, block: Block) -> None:
    """Show one block, a long one too."""
    if isinstance(block, Table):
        _show_table(console, block)
    elif isinstance(block, Chart):
        console.print(Text(readable(f"{block.figure.title}: {block.figure.told}")), soft_wrap=True)
    else:
        style = "bold" if isinstance(block, Sentence) and block.lead else ""
        console.print(Text(readable(line_of(block)), style=style), soft_wrap=True)


def line_of(block: Block) -> str:
    """Say a block that is words in a line.

    Raises:
        TypeError: If it is none.
    """
    if isinstance(block, Sentence):
        return f"{block.of}: {block.text}" if block.of else block.text
    if isinstance(block, Note):
        return block.text
    if isinstance(block, Code):
        return f"plain {block.library}: {block.note or block.file}"
    raise TypeError(f"a block is {type(block).__name__}, which is no words")


def _show_table(console: Console, table: Table) -> None:
    """Show a table, its parts one under another, as much of each as there is room for."""
    if table.title:
        console.print(Text(readable(table.title)), soft_wrap=True)
    for part in sorted({column.part for column in table.columns}):
        rooms = sorted({c.room for c in table.columns if c.part == part}, reverse=True)
        tries = [*((room, len(table.columns)) for room in rooms), (0, 1), (0, 0)]
        laid = [_laid(table, part, room, intervals) for room, intervals in tries]
        console.print(next((each for each in laid if fits(console, each)), laid[-1]))


def _laid(table: Table, part: int, room: int, intervals: int) -> Laid:
    """Lay out one part of a table, without columns that take more room.

    Args:
        table: Which.
        part: Of its columns.
        room: The most that a column may take.
        intervals: In how many columns after the first there is room for an interval.
    """
    chosen = [
        place
        for place, column in enumerate(table.columns)
        if place == 0 or (column.part == part and column.room <= room)
    ]
    laid = plain_table(show_header=True)
    for place in chosen:
        column = table.columns[place]
        laid.add_column(
            Text(readable(column.heading)),
            style="cyan" if place == 0 else "",
            justify="left" if column.words else "right",
            no_wrap=place == 0 or not column.words,
            overflow="ellipsis",
        )
    for row in table.rows:
        cells = [
            Text(readable(written(row.cells[place], interval=at <= intervals)))
            for at, place in enumerate(chosen)
        ]
        if any(cell.plain for cell in cells[1:]):
            laid.add_row(*cells, style="dim" if row.look == FLOOR else "")
    return laid


def written(cell: Cell, *, interval: bool = True) -> str:
    """Write a cell, with its interval where there is room."""
    return f"{cell.text} ({cell.interval})" if cell.interval and interval else cell.text
