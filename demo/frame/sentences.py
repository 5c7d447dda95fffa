"""From what a person types or pastes to a list of sentences."""

import csv
from dataclasses import dataclass

from core.sentences import split_sentences

MAX_CHARACTERS = 2_000_000
"""What one box may hold: 200 sentences of 10,000 characters, or 10,000 of 200."""

HEADINGS = frozenset({"text", "texts", "sentence", "sentences", "title", "comment", "message"})


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """What was read from a box.

    Attributes:
        texts: The sentences, without surrounding space or control characters.
        note: How a pasted sheet was read; empty for plain lines.
    """

    texts: tuple[str, ...]
    note: str = ""


def read_sentences(box: str) -> Sentences:
    """Read sentences one a line, or a block of cells copied from a spreadsheet.

    Of several columns the one with the most text is taken; one row of cells is a list.

    Raises:
        ValueError: If the box holds more text than the page reads, or the cells make no sense.
    """
    if len(box) > MAX_CHARACTERS:
        raise ValueError(
            f"the text has {len(box):,} characters, must be at most {MAX_CHARACTERS:,}: "
            "paste a part of it, or use python -m core with --file"
        )
    if "\t" not in box.strip("\t\n\r "):
        return Sentences(texts=tuple(split_sentences(box)))
    rows = _cells(box)
    if len(rows) == 1:
        cells = tuple(split_sentences(rows[0]))
        return Sentences(texts=cells, note=f"Read {len(cells)} cells of one row.")
    column = _fullest_column(rows)
    found = split_sentences([row[column] for row in rows if column < len(row)])
    heading = f" without its heading “{found[0]}”" if _is_heading(found) else ""
    note = f"Read column {column + 1} of {max(map(len, rows))}, the one with most text{heading}."
    return Sentences(texts=tuple(found[1:] if heading else found), note=note)


def _cells(box: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(box.splitlines(keepends=True), delimiter="\t"))
    except csv.Error as error:
        raise ValueError(f"the pasted cells cannot be read ({error}): paste one column") from error
    return [row for row in rows if any(cell.strip() for cell in row)]


def _fullest_column(rows: list[list[str]]) -> int:
    lengths = [0] * max(map(len, rows))
    for row in rows:
        for index, cell in enumerate(row):
            lengths[index] += sum(character.isalpha() for character in cell)
    return lengths.index(max(lengths))


def _is_heading(texts: list[str]) -> bool:
    return len(texts) > 1 and texts[0].lower() in HEADINGS
