"""A copy of a labelled file with fewer rows: the columns and cells are the file's own."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from core.errors import InputError, setting
from core.system.files import check_target, replaced_whole
from core.tables.formats import FORMATS, WRITTEN, named
from core.tables.table_files import read_table

SUFFIXES = tuple(each.suffixes[0] for each in WRITTEN)


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
    kept, written_as = frozenset(places), named(target, WRITTEN)
    assert written_as is not None, "check_copy_target was asked first"
    with replaced_whole(target) as file:
        if written_as is named(Path(source), FORMATS):
            copied = written_as.copy(Path(source), kept, file)
            if copied is not None:
                return Written(rows=copied)
        table = read_table(source)
        rows = [row for row, place in enumerate(table.places) if place in kept]
        formulas = written_as.write(table, rows, file, safe=for_spreadsheets)
        return Written(rows=len(rows), formulas=formulas)
