"""What commands are given: sentences, labelled data, an encoder, a model; opened and spoken of.

What is heavy is imported where it is first needed, so that bad input is answered before torch is
there.
"""

import contextlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli import terminal
from core.cli.options import Given, Machine
from core.config import DataChoice, EncoderChoice
from core.errors import InputError, setting
from core.tables.sentence_files import given_sentences, open_sentences
from core.tables.stream import Sentences

if TYPE_CHECKING:
    from core.data.dataset import Dataset
    from core.encoder.encoder import Encoder
    from core.model.model import MultiTaskModel


def opened(given: Given) -> Sentences:
    """Open what a command was given: sentences, or a file of them.

    Raises:
        ValueError: If it is both or neither, or the file cannot be read.
    """
    file, column = given.file, given.column
    if given.texts and file is not None:
        raise ValueError("there are sentences and --file: give either")
    if file is None and column is not None:
        raise ValueError("--column names a column of a file: give --file too")
    if file is None and not given.texts:
        raise ValueError("there is nothing to read: give sentences, or --file F")
    if file == "-" and sys.stdin is not None and sys.stdin.isatty():
        terminal.say("reading standard input, one sentence a line; end with Ctrl-D")
    sentences = given_sentences(given.texts) if file is None else open_sentences(file, column)
    for note in sentences.notes:
        terminal.say(note)
    return sentences


def check_not_read(target: Path | None, *read: str | None) -> None:
    """Refuse to write to a file that is read.

    Raises:
        InputError: If it is one of them.
    """
    if any(
        target is not None and name is not None and Path(name).resolve() == target for name in read
    ):
        raise InputError(f"{setting('out')} {target} is the file that is read: give another")


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
        terminal.say(too_long(truncated, sentences.read, encoder))


def too_long(truncated: int, count: int, encoder: "Encoder") -> str:
    """Say how many of so many sentences are longer than an encoder reads."""
    verb = "is" if truncated == 1 else "are"
    return (
        f"{truncated:,} of {count:,} sentences {verb} longer than the {encoder.max_tokens:,} "
        f"tokens that {encoder.name} reads: the rest was left out"
    )


def read_data(choice: DataChoice) -> "Dataset":
    """Read labelled data and say what was guessed; rows without text are left out.

    Raises:
        ValueError: If it cannot be read, or no row has a text.
    """
    with terminal.waiting(f"reading {choice.source}"):
        from core.data.dataset import read_dataset

        dataset = read_dataset(choice)
    for note in dataset.notes:
        terminal.say(note)
    usable = dataset.usable()
    empty = len(dataset.examples) - len(usable.examples)
    if empty:
        rows = "row without text was" if empty == 1 else "rows without text were"
        terminal.say(f"{empty:,} {rows} left out")
    return usable


def load_chosen(choice: EncoderChoice, threads: int | None) -> "Encoder":
    """Load an encoder. What it raises see `core.encoder.encoder.load_encoder`."""
    with terminal.waiting(f"loading {choice.name}"):
        from core.encoder.encoder import load_encoder

        return load_encoder(choice, threads=threads)


def load_predictor(folder: str | None, machine: Machine) -> "MultiTaskModel":
    """Load a model. What it raises see `core.model.model_folder.load_model`."""
    with terminal.waiting("loading the model"):
        from core.model.model_folder import load_model

        return load_model(folder, threads=machine.threads, device=machine.device)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Sentences that were counted before.

    Attributes:
        expected: How many.
    """

    expected: int


@contextlib.contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """Run a block with this many torch threads; None leaves them as they are."""
    from core.system.machine import torch_threads

    with contextlib.nullcontext() if threads is None else torch_threads(threads):
        yield
