"""The sentences that a command is given, on its line or in a file, and what is said of them."""

import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from core import terminal
from core.data import Sentences, given_sentences, open_sentences

if TYPE_CHECKING:
    from core.encoder import Encoder


def given_or_file(texts: list[str] | None, file: str | None, column: str | None) -> Sentences:
    """Open what a command was given: sentences, or a file of them.

    Raises:
        ValueError: If it is both or neither, or the file cannot be read.
    """
    if texts and file is not None:
        raise ValueError("there are sentences and --file: give either")
    if file is None and column is not None:
        raise ValueError("--column names a column of a file: give --file too")
    if file is None and not texts:
        raise ValueError("there is nothing to read: give sentences, or --file F")
    if file == "-" and sys.stdin is not None and sys.stdin.isatty():
        terminal.say("reading standard input, one sentence a line; end with Ctrl-D")
    sentences = given_sentences(texts or []) if file is None else open_sentences(file, column)
    for note in sentences.notes:
        terminal.say(note)
    return sentences


def begun(sentences: Sentences) -> Iterator[str]:
    """Read the first sentence now, so that a file without any is refused before torch loads.

    Raises:
        ValueError: If there is none, or it cannot be read.
    """
    listed = iter(sentences)
    return itertools.chain([next(listed)], listed)


def say_what_was_left_out(sentences: Sentences, truncated: int, encoder: "Encoder") -> None:
    """Say how many empty lines were skipped, and how many sentences were too long to be read."""
    if sentences.skipped:
        many = f"{sentences.skipped:,} empty {sentences.unit}"
        terminal.say(f"{many}s were skipped" if sentences.skipped > 1 else f"{many} was skipped")
    if truncated:
        verb = "is" if truncated == 1 else "are"
        terminal.say(
            f"{truncated:,} of {sentences.read:,} sentences {verb} longer than the "
            f"{encoder.max_tokens:,} tokens that {encoder.name} reads: the rest was left out"
        )
