"""Reading sentences: from the command line, standard input, and files of any format with some.

Everything is read as a stream and bounded before it is held: a file may have millions of
sentences, but no line or cell may go on without end.
"""

import io
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from core.sentences import clean
from core.tables.formats import LISTS, format_of, format_of_text
from core.tables.lines import Lines
from core.tables.plain_text import PlainText
from core.tables.stream import Cells, Sentences


def given_sentences(texts: Sequence[str], name: str = "") -> Sentences:
    """Take sentences typed on a command line, where an empty one is a mistake.

    Args:
        texts: As they were typed.
        name: What a single one is called in messages.

    Raises:
        ValueError: If one is empty, or was typed in bytes that are no text.
    """
    for number, text in enumerate(texts, 1):
        called = name or f"sentence {number}"
        if any("\udc80" <= character <= "\udcff" for character in text):
            raise ValueError(f"{called} holds bytes that are not UTF-8: type it anew")
        if not clean(text):
            raise ValueError(f"{called} is empty: write it, or leave it out")
    cells: Cells = ((number, text) for number, text in enumerate(texts, 1))
    return Sentences("the command line", cells, unit="sentence", share=lambda: 1.0)


def open_sentences(given: str, column: str | None = None) -> Sentences:
    """Open a file of sentences; nothing but its head is read yet.

    Args:
        given: A file, read by how its name ends, or `-` for standard input: one sentence a line
            or, where a column is named, JSONL or CSV, whichever it starts like.
        column: Which column holds them; None guesses by `COLUMN_NAMES`.

    Raises:
        ValueError: If there is no such file, it is not of a kind that is read here, or it has
            no such column. Iterating raises it for what is wrong further down.
    """
    if given == "-":
        return _standard_input(column)
    path = Path(given)
    try:
        return format_of(path, LISTS, told=LISTS).sentences(given, path, column)
    except OSError as error:
        raise ValueError(f"{given[:200]} cannot be opened: {error.strerror}") from error


def _standard_input(column: str | None) -> Sentences:
    if sys.stdin is None:
        raise ValueError("there is no standard input to read")
    lines = Lines("standard input", cast(io.BufferedReader, sys.stdin.buffer))
    texts = iter(lines)
    if column is None:
        return PlainText().listed(lines, texts, None)
    first = next(texts, "")
    return format_of_text(first).listed(lines, itertools.chain([first], texts), column)
