"""How results, progress and messages read in a terminal.

Text from people is never read as markup, and no character of theirs moves the cursor.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from core.cli.options import flag_of
from core.errors import worded, worded_all
from core.sentences import clean

_SECONDS_WITHOUT_BAR = 0.5
_SECONDS_BETWEEN_LINES = 10.0
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # they reorder what follows


def readable(text: str) -> str:
    """Return text that a terminal shows and does not obey; a setting is called by its option."""
    return _TURNS.sub("", clean(worded(text, flag_of)))


def say(message: str) -> None:
    """Write one line to standard error."""
    if sys.stderr is not None:
        sys.stderr.write(f"{readable(message)}\n")
        sys.stderr.flush()


def print_json(document: Any) -> None:  # noqa: ANN401 (any JSON)
    """Print a document as UTF-8, which JSON is, whatever the terminal's own encoding."""
    text = json.dumps(worded_all(document, flag_of), ensure_ascii=False, allow_nan=False)
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.write(b"\n")
    sys.stdout.flush()


def output() -> Console:
    """Return standard output as rich writes to it, with no text taken for markup."""
    return Console(highlight=False, markup=False, emoji=False)


def errors() -> Console:
    """Return standard error as rich writes to it, with no text taken for markup."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


@contextlib.contextmanager
def waiting(message: str) -> Iterator[None]:
    """Show that something is going on, on a terminal's standard error only."""
    console = errors()
    if not console.is_terminal:
        yield
        return
    with console.status(Text(readable(message))):
        yield


class Expecting(Protocol):
    """Sentences of which it may be known how many there will be."""

    @property
    def expected(self) -> int | None:
        """How many; None where nobody knows."""


class Bar:
    """Progress on standard error: a bar on a terminal, else a line now and then.

    What is quick shows nothing. Use it as a context.

    Args:
        sentences: What is read, which knows how many there may be.
        doing: What happens to them.
        did: What has happened to those that are done.
    """

    def __init__(
        self, sentences: Expecting, *, doing: str = "embedding", did: str = "embedded"
    ) -> None:
        self._sentences = sentences
        self._doing, self._did = doing, did
        self._console = errors()
        self._start = self._last = time.monotonic()
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._share = 0.0

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, done: int, _: int = 0) -> None:
        """Show how many sentences are done."""
        expected, now = self._sentences.expected, time.monotonic()
        if expected:
            self._share = max(self._share, done / expected)
        if self._console.is_terminal and now - self._start > _SECONDS_WITHOUT_BAR:
            progress = self._progress or self._begin()
            total = 1.0 if expected else None  # a share, as a total that moves upsets the clock
            count = f"{done:,} sentences"
            progress.update(self._task, completed=self._share, total=total, count=count)
        elif not self._console.is_terminal and now - self._last > _SECONDS_BETWEEN_LINES:
            self._last = now
            of = f", {self._share:.0%}" if expected else ""
            say(f"{self._did} {done:,} sentences{of}")

    def _begin(self) -> Progress:
        self._progress = Progress(
            TextColumn(self._doing),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, count="")
        self._progress.start()
        return self._progress


def plain_table(**options: Any) -> Table:  # noqa: ANN401 (rich's own)
    """Return a table without lines."""
    return Table(box=None, padding=(0, 2, 0, 0), **options)


def fits(console: Console, table: Table) -> bool:
    """Tell whether a table is no wider than the console."""
    unbounded = console.options.update(width=10_000)
    return console.measure(table, options=unbounded).maximum <= console.width


def clock(seconds: float) -> str:
    """Write a time as a clock counts it: 1:05, 2:00:00."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
