"""Labelled tables read whole, in any format, bounded before they are held."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from core.tables.columns import Table
from core.tables.formats import FORMATS, TABLES, format_of
from core.tables.held import Held
from core.tables.hub_tables import hub_file, is_hub_name

MAX_BYTES = 100_000_000
"""What a file may hold: far more labelled data than one trains on with a laptop."""


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
        found = format_of(path, FORMATS, told=TABLES)
        size = path.stat().st_size
        if not path.is_file():
            raise ValueError(f"{source} is no plain file: labelled data is read from files only")
        if size > MAX_BYTES:
            raise ValueError(
                f"{source} has {size:,} bytes, must be at most {MAX_BYTES:,}: give a part of it"
            )
        held = Held(source, found.unit, wanted)
        found.hold(path, held)
    except OSError as error:
        raise ValueError(f"{source[:200]} cannot be opened: {error.strerror}") from error
    return held.table()
