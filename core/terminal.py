"""How results, progress and messages read in a terminal.

Text from people is never read as markup, and no character of theirs moves the cursor.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
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

from core.sentences import clean

MATRIX_SENTENCES = 12
"""A matrix of more than this is no longer read by eye; ranked pairs are."""

SHOWN_PAIRS = 10
SHOWN_CELLS = 12

_SECONDS_WITHOUT_BAR = 0.5
_SECONDS_BETWEEN_LINES = 10.0
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # they reorder what follows


def readable(text: str) -> str:
    """Return text that a terminal shows and does not obey."""
    return _TURNS.sub("", clean(text))


def say(message: str) -> None:
    """Write one line to standard error."""
    if sys.stderr is not None:
        sys.stderr.write(f"{readable(message)}\n")
        sys.stderr.flush()


def print_json(document: Any) -> None:  # noqa: ANN401 (any JSON)
    """Print a document as UTF-8, which JSON is, whatever the terminal's own encoding."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
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


def show_similarity(document: dict[str, Any]) -> None:
    """Show sentences, their matrix where it can be read, the best pairs and the token table."""
    console = output()
    sentences = document["sentences"]
    if len(sentences) <= MATRIX_SENTENCES:
        console.print(_numbered(sentences))
        console.print()
    if 2 < len(sentences) <= MATRIX_SENTENCES:
        matrix = _matrix(document["matrix"])
        if fits(console, matrix):
            console.print(matrix)
            console.print()
    console.print(_pairs(document))
    if document["metric"] in ("euclidean", "manhattan"):
        console.print("a distance is negated: higher is more alike")
    hidden = len(document["pairs"]) - SHOWN_PAIRS
    if hidden > 0:
        console.print(f"and {hidden:,} pairs that are less alike; --json lists all")
    if "tokens" in document:
        console.print()
        _show_tokens(console, document["tokens"], document["metric"])


def _line(text: str) -> Text:
    return Text(readable(text), no_wrap=True, overflow="ellipsis")


def plain_table(**options: Any) -> Table:  # noqa: ANN401 (rich's own)
    """Return a table without lines."""
    return Table(box=None, padding=(0, 2, 0, 0), **options)


def fits(console: Console, table: Table) -> bool:
    """Tell whether a table is no wider than the console."""
    unbounded = console.options.update(width=10_000)
    return console.measure(table, options=unbounded).maximum <= console.width


def _numbered(sentences: Sequence[str]) -> Table:
    table = plain_table(show_header=False)
    table.add_column(justify="right", style="cyan", no_wrap=True)
    table.add_column()
    for number, text in enumerate(sentences, 1):
        table.add_row(str(number), _line(text))
    return table


def _matrix(matrix: Sequence[Sequence[float]]) -> Table:
    table = plain_table(show_header=True)
    table.add_column("", justify="right", style="cyan", no_wrap=True)
    others = [cell for a, row in enumerate(matrix) for b, cell in enumerate(row) if a != b]
    digits = 2 if max(map(abs, others)) < 10 else 1
    for number in range(1, len(matrix) + 1):
        header = Text(str(number), style="cyan")
        table.add_column(header, justify="right", no_wrap=True)
    for a, row in enumerate(matrix):
        styles = ["dim" if a == b else _weight(cell, others) for b, cell in enumerate(row)]
        shown = [f"{round(cell, digits) + 0.0:.{digits}f}" for cell in row]  # no -0.00
        cells = [Text(cell, style=s) for cell, s in zip(shown, styles, strict=True)]
        table.add_row(str(a + 1), *cells)
    return table


def _weight(cell: float, cells: Sequence[float]) -> str:
    """Print the upper third of the cells' range bold."""
    low, high = min(cells), max(cells)
    return "bold" if cell >= high - (high - low) / 3 else ""


def _pairs(document: dict[str, Any]) -> Table:
    sentences = document["sentences"]
    table = plain_table(show_header=True)
    table.add_column(document["metric"], justify="right", style="bold", no_wrap=True)
    table.add_column("", justify="right", style="cyan", no_wrap=True)
    table.add_column("pair")
    table.add_column("")
    for pair in document["pairs"][:SHOWN_PAIRS]:
        a, b = pair["a"], pair["b"]
        numbers = f"{a + 1} · {b + 1}"
        table.add_row(f"{pair['score']:.4f}", numbers, _line(sentences[a]), _line(sentences[b]))
    return table


def _show_tokens(console: Console, tokens: dict[str, Any], metric: str) -> None:
    table = _token_table(tokens)
    if fits(console, table):
        console.print(table)
    else:
        console.print(_best_cells(tokens))
        console.print(
            f"the {SHOWN_CELLS} largest cells of {len(tokens['a'])} × "
            f"{len(tokens['b'])} pieces; --json lists all"
        )
    total = sum(sum(row) for row in tokens["table"])
    if tokens["exact"]:
        console.print(f"the cells add up to the {metric}: {total:.4f}")
    else:
        console.print(f"not exact: {tokens['reason']}")


def _token_table(tokens: dict[str, Any]) -> Table:
    cells = [cell for row in tokens["table"] for cell in row]
    table = plain_table(show_header=True)
    table.add_column("", style="cyan", no_wrap=True)
    for piece in tokens["b"]:
        table.add_column(Text(readable(piece), style="cyan"), justify="right", no_wrap=True)
    for piece, row in zip(tokens["a"], tokens["table"], strict=True):
        shown = [Text(f"{cell:.3f}", style=_weight(cell, cells)) for cell in row]
        table.add_row(Text(readable(piece)), *shown)
    return table


def _best_cells(tokens: dict[str, Any]) -> Table:
    pieces = [(a, b) for a in tokens["a"] for b in tokens["b"]]
    cells = [cell for row in tokens["table"] for cell in row]
    ranked = sorted(zip(cells, pieces, strict=True), key=lambda pair: -pair[0])
    table = plain_table(show_header=False)
    table.add_column(justify="right", style="bold", no_wrap=True)
    table.add_column()
    for cell, (a, b) in ranked[:SHOWN_CELLS]:
        table.add_row(f"{cell:.3f}", _line(f"{a} · {b}"))
    return table


def show_hits(document: dict[str, Any]) -> None:
    """Show what a search found, best first."""
    table = plain_table(show_header=True)
    table.add_column(document["metric"], justify="right", style="bold", no_wrap=True)
    table.add_column("sentence", justify="right", style="cyan", no_wrap=True)
    table.add_column("")
    for hit in document["hits"]:
        table.add_row(f"{hit['score']:.4f}", f"{hit['index'] + 1:,}", _line(hit["text"]))
    output().print(table)


def show_written(sentences: int, header: dict[str, Any], name: str) -> None:
    """Show what `embed` wrote, and where."""
    length = "length one" if header["normalized"] else "own length"
    many = "1 sentence" if sentences == 1 else f"{sentences:,} sentences"
    made = f"{header['model']}, {header['pooling']} pooling, {length}"
    text = f"{many} × {header['dimension']:,} numbers → {name} ({made})"
    output().print(readable(text), soft_wrap=True)


def show_info(document: dict[str, Any]) -> None:
    """Show what there is here, section by section."""
    console = output()
    packages = [f"{name} {number or 'missing'}" for name, number in document["versions"].items()]
    threads = document["threads"]["many_sentences"]
    facts = {
        "versions": ", ".join(packages),
        "machine": document["machine"],
        "devices": ", ".join(f"{each['name']} ({each['label']})" for each in document["devices"]),
        "device": document["device"],
        "cores": f"{document['cores']} usable",
        "threads": f"{threads or 'not measured yet'} for many sentences, "
        f"{document['threads']['few_sentences']} for a few",
    }
    console.print(_facts(facts))
    console.print()
    console.print(_facts(_encoder_facts(document["encoder"], document["fast"])))
    console.print()
    console.print(_catalogue(document["catalogue"]))
    console.print()
    kept = Text(readable(f"self-tests are kept in {document['kept']}; --self-test runs them"))
    console.print(kept, soft_wrap=True)


def _facts(facts: dict[str, str]) -> Table:
    table = plain_table(show_header=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        table.add_row(name, Text(readable(fact)))
    return table


def _encoder_facts(encoder: dict[str, Any], fast: dict[str, Any] | None) -> dict[str, str]:
    length = "length one" if encoder["normalized"] else "their own length"
    facts = {
        "encoder": encoder["name"] + ("" if encoder["loaded"] else " (not on this machine)"),
        "size": f"{encoder['layers']} layers, {encoder['parameters']:,} parameters",
        "embedding": f"{encoder['dimension']:,} numbers, {encoder['pooling']} pooling, {length}",
        "reads": f"{encoder['max_tokens']:,} tokens",
    }
    facts |= {f"prompt {use}": repr(text) for use, text in encoder["prompts"].items()}
    if fast is not None and not fast["measured"]:
        facts["fast"] = "not measured yet"
    elif fast is not None:
        offered = "offered" if fast["offered"] else "not worth having here"
        facts["fast"] = (
            f"{offered}: {fast['speedup']:.1f}× the speed of exact, cosines differ by up to "
            f"{fast['cosine_error']:.4f}"
        )
    return facts


def _catalogue(specs: Sequence[dict[str, Any]]) -> Table:
    table = plain_table(show_header=True)
    table.add_column("catalogue", style="cyan", no_wrap=True)
    for heading in ("layers", "numbers", "weights", "tokens"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("pooling", no_wrap=True)
    table.add_column("download", justify="right", no_wrap=True)
    for spec in specs:
        table.add_row(
            spec["name"],
            str(spec["layers"]),
            f"{spec['dimension']:,}",
            f"{spec['parameters'] / 1e6:,.0f}M",
            str(spec["max_tokens"]),
            spec["pooling"],
            "here" if spec["here"] else f"{spec['download_megabytes']:,} MB",
        )
    return table
