"""The file formats that hold sentences or labelled rows: how a file's name says which it is."""

from collections.abc import Sequence
from pathlib import Path

from core.tables.conll import Conll
from core.tables.format import Format, TextFormat
from core.tables.json_lines import JsonLines
from core.tables.parquet import Parquet
from core.tables.plain_text import PlainText
from core.tables.separated import Csv, Tsv

FORMATS: tuple[Format, ...] = (PlainText(), Csv(), Tsv(), JsonLines(), Parquet(), Conll())
"""Every file format that is read or written, in the order in which they are told."""

LISTS = tuple(each for each in FORMATS if each.lists)
"""Those that sentences are read from; labelled tables are read from all."""

TABLES = tuple(each for each in FORMATS if each.has_columns)
"""Those to name where a labelled table is asked for."""

WRITTEN = tuple(each for each in FORMATS if each.writes)
"""Those that rows are written in."""


def format_of(path: Path, formats: Sequence[Format], *, told: Sequence[Format]) -> Format:
    """Judge by a file's name how to read it; refuse what is not there or is no file.

    Args:
        path: The file.
        formats: Those that it may have.
        told: Those to name where it has none of them.

    Raises:
        ValueError: If it is a folder, is not there, is empty or ends otherwise.
        OSError: If the system cannot tell.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, must be a file of sentences")
    if not path.exists():
        raise ValueError(f"there is no file {path}")
    found = named(path, formats)
    if found is None:
        raise ValueError(f"{path} ends in {path.suffix}, must be {endings_in_words(told)}")
    if path.is_file() and path.stat().st_size == 0:
        raise ValueError(f"{path} is empty")
    return found


def named(path: Path, formats: Sequence[Format]) -> Format | None:
    """Find the format that a file's name ends like; None where it is none of them."""
    return next((each for each in formats if path.suffix.lower() in each.suffixes), None)


def format_of_text(first_line: str) -> TextFormat:
    """Judge by its first line what a text without a name is, which has columns."""
    texts = [each for each in FORMATS if isinstance(each, TextFormat)]
    return next((each for each in texts if each.begins(first_line)), Csv())


def suffixes_of(formats: Sequence[Format]) -> list[str]:
    """List how names of such files may end."""
    return [suffix for each in formats for suffix in each.suffixes if suffix]


def endings_in_words(formats: Sequence[Format]) -> str:
    """Say how names of such files end, each format by its own suffix."""
    told = [each.suffixes[0] + each.remark for each in formats]
    return f"{', '.join(told[:-1])} or {told[-1]}"
