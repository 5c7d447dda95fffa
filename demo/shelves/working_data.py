"""Which labelled data a visitor works with: the corpus, or a file of theirs that is kept here."""

import contextlib
import secrets
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import DataChoice
from demo.shelves.shelf import Bounds, OwnFolder, Shelf

if TYPE_CHECKING:  # the page is on screen before data is read
    from core.data.dataset import Dataset

CORPUS = "corpus"

MOST_ROWS = 50_000
MOST_CHARACTERS = 20_000_000
"""What one visitor's data may hold on the page; the command line takes more."""

MOST_FILES = 40
MOST_FILE_BYTES = 200_000_000
"""How many visitors' files are kept, and how large they may be together."""

MOST_HELD = 24
MOST_HELD_BYTES = 250_000_000
"""How much of what was read is kept in memory: it is read again from its file when asked for."""

PREFIX = "thaw-data-"
"""Of temporary folders: those that a killed server left are removed by the next one."""

BYTES_A_ROW = 600
"""What a row takes in memory beside its text."""

READING_AT_ONCE = 2
"""Files that are read at the same time: a broken one may take much memory before it is refused."""


class TooMuchError(ValueError):
    """Raised for data that can be read, and is more than a page holds."""


@dataclass(frozen=True, kw_only=True)
class WorkingData:
    """Which data, and which of its columns: all that a visitor's state holds.

    Attributes:
        id: Whose file it is cannot be guessed from it; empty for the corpus.
        choice: What to read and how; its source is `corpus` or a file in the shelf's own folder.
    """

    id: str = ""
    choice: DataChoice = field(default_factory=lambda: DataChoice(source=CORPUS))

    @property
    def is_corpus(self) -> bool:
        """Whether it is the data that ships with Thaw."""
        return not self.id

    @property
    def name(self) -> str:
        """What people call it: the word corpus, or the file's own name."""
        return Path(self.choice.source).name

    def reading(self, choice: DataChoice) -> "WorkingData":
        """Give the same file, read in another way."""
        return replace(self, choice=replace(choice, source=self.choice.source))


CORPUS_DATA = WorkingData()
CORPUS_TASKS = ("topic", "sentiment", "entities")
"""The corpus, and what it is labelled for; the page is laid out before it is read."""


@dataclass(frozen=True, kw_only=True)
class _File:
    path: Path
    visitor: str
    size: int


class DataShelf:
    """Keeps visitors' files, each in a folder of its own that nothing serves, and what was read.

    Both are bounded, and the one unused for longest goes first. A visitor's files go with their
    page, and all of them with the server.
    """

    def __init__(self) -> None:
        self._folder = OwnFolder(PREFIX)
        self._files: Shelf[str, _File] = Shelf(
            Bounds(most=MOST_FILES, most_bytes=MOST_FILE_BYTES, size_of=lambda file: file.size),
            dropped=self._remove,
        )
        self._held: Shelf[tuple[str, WorkingData], Any] = Shelf(
            Bounds(most=MOST_HELD, most_bytes=MOST_HELD_BYTES, size_of=_size_of),
            stays=lambda key, _: key[1].is_corpus,
        )
        self._reading = threading.BoundedSemaphore(READING_AT_ONCE)

    def take(self, upload: str, visitor: str) -> WorkingData:
        """Take an uploaded file away from where it could be downloaded, and keep it.

        Args:
            upload: Where the upload lies.
            visitor: Whose page it came from.

        Raises:
            ValueError: If it is there no more.
        """
        source = Path(upload)
        if not source.is_file():
            raise ValueError("the file is no longer here: upload it again")
        size, name = source.stat().st_size, secrets.token_urlsafe(16)
        folder = self._folder.path / name
        folder.mkdir()
        path = folder / source.name
        shutil.move(source, path)
        with contextlib.suppress(OSError):  # another upload of the same content is in it
            source.parent.rmdir()
        self._files.put(name, _File(path=path, visitor=visitor, size=size))
        return WorkingData(id=name, choice=DataChoice(source=str(path)))

    def get(self, data: WorkingData) -> "Dataset":
        """Read data as a training does; what was read lately is at hand.

        Raises:
            ValueError: If the file is not kept any more, cannot be read, or holds too much.
        """
        from core.data.dataset import read_dataset

        return self.made("read", data, lambda: self.read(data, read_dataset))

    def read(self, data: WorkingData, how: Callable[[DataChoice], "Dataset"]) -> "Dataset":
        """Read data from its file now, within what a page may hold.

        Args:
            data: Which data.
            how: `read_dataset`, or another function like it.

        Raises:
            TooMuchError: If it holds more.
            ValueError: If it cannot be read.
        """
        with self._reading:
            dataset = how(data.choice)
        rows = len(dataset.examples)
        characters = sum(len(example.text) for example in dataset.examples)
        if rows > MOST_ROWS or characters > MOST_CHARACTERS:
            raise TooMuchError(
                f"{data.name} has {rows:,} rows and {characters:,} characters of text, must be at "
                f"most {MOST_ROWS:,} and {MOST_CHARACTERS:,} on the page: give a part of it, or "
                "use python -m core"
            )
        return dataset

    def made(self, what: str, data: WorkingData, make: Callable[[], Any]) -> Any:  # noqa: ANN401 (whatever was made)
        """Return what was made of data, making it if it is not at hand; thread-safe.

        Args:
            what: Names it; the same name for the same data is the same thing.
            data: What it is made of.
            make: Makes it.

        Raises:
            ValueError: If the file is not kept any more.
        """
        self._check_kept(data)
        return self._held.get((what, data), make)

    def keep_only(self, visitor: str, *wanted: WorkingData) -> None:
        """Remove a visitor's files but those that are still wanted; none are when a page closes."""
        kept = {data.id for data in wanted}
        gone = {n for n, file in self._files.items() if file.visitor == visitor and n not in kept}
        self._files.drop(gone.__contains__)

    def folder_of(self, data: WorkingData) -> Path:
        """Return the folder of a visitor's file, where something may be written for a moment.

        Raises:
            ValueError: If it is the corpus, or the file is not kept any more.
        """
        if data.is_corpus:
            raise ValueError("the corpus ships with Thaw and is no file: upload one of yours")
        return self._kept(data).path.parent

    def _check_kept(self, data: WorkingData) -> None:
        if not data.is_corpus:
            self._kept(data)

    def _kept(self, data: WorkingData) -> _File:
        found = self._files.find(data.id)
        if found is None:
            raise ValueError(
                f"{data.name} is not kept here any more, as others have uploaded since: upload it "
                "again under Data"
            )
        return found

    def _remove(self, name: str, file: _File) -> None:
        self._held.drop(lambda key: key[1].id == name)
        shutil.rmtree(file.path.parent, ignore_errors=True)


def _size_of(made: Any) -> int:  # noqa: ANN401 (whatever was made)
    """Judge how many bytes something made of data takes; what is no data is small beside it."""
    examples = getattr(made, "examples", ())
    return sum(sys.getsizeof(example.text) + BYTES_A_ROW for example in examples)
