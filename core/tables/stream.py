"""Sentences that are read one after another, and what was met on the way."""

from collections.abc import Callable, Iterator, Sequence

from core.config import MAX_SENTENCE_CHARACTERS
from core.sentences import clean

Cells = Iterator[tuple[int, str | None]]
"""Each line or row by its number, and the text in it, if any."""


class Sentences:
    """Sentences read one after another, and what was met on the way.

    Iterate once; a cell without text is left out and counted. Close it, or use it as a context.

    Args:
        name: What is read, for messages.
        cells: The texts as they stand, with their places.
        unit: What a place counts: `line`, `row` or `sentence`.
        notes: What a person should know before anything is read, such as a guessed column.
        share: Says how much of it is read, 0 to 1; 0 where nobody knows.
        close: Lets go of the file.

    Attributes:
        read: Sentences yielded so far.
        skipped: Empty lines or cells met so far.

    Raises:
        ValueError: While iterating: if a sentence is too long, or there is none at all.
    """

    def __init__(
        self,
        name: str,
        cells: Cells,
        *,
        unit: str = "line",
        notes: Sequence[str] = (),
        share: Callable[[], float] = lambda: 0.0,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.unit = unit
        self.notes = tuple(notes)
        self.close = close
        self.read = 0
        self.skipped = 0
        self._cells = cells
        self._share = share

    @property
    def expected(self) -> int | None:
        """How many sentences there will be, judged by how far it is read; None if unknown."""
        share = self._share()
        return max(self.read, round(self.read / share)) if share > 0 else None

    def __iter__(self) -> Iterator[str]:
        for place, cell in self._cells:
            text = clean(cell or "")
            if not text:
                self.skipped += 1
                continue
            if len(text) > MAX_SENTENCE_CHARACTERS:
                raise ValueError(
                    f"{self.name}: {self.unit} {place:,} has {len(text):,} characters, must be "
                    f"at most {MAX_SENTENCE_CHARACTERS:,}: split it"
                )
            self.read += 1
            yield text
        if self.read == 0:
            skipped = f": {self.skipped:,} empty {self.unit}s were read" if self.skipped else ""
            raise ValueError(f"{self.name} has no sentence{skipped}")

    def __enter__(self) -> "Sentences":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
