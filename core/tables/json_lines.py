"""JSON Lines: an object or a text in quotes on each line."""

import itertools
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from core.tables.cells import choose_column
from core.tables.columns import Table
from core.tables.format import TextFormat
from core.tables.held import Held
from core.tables.labels import as_json
from core.tables.lines import Lines
from core.tables.stream import Cells


class JsonLines(TextFormat):
    """An object a line, its keys the columns."""

    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")
    media: ClassVar[str] = "application/x-ndjson"

    def begins(self, line: str) -> bool:
        return line.lstrip().startswith("{")

    def cells(
        self, lines: Lines, texts: Iterator[str], column: str | None, notes: list[str]
    ) -> Cells:
        rows = ((lines.number, parsed_json(lines, text)) for text in texts)
        head: list[tuple[int, Any]] = []
        for pair in rows:
            head.append(pair)
            if pair[1] is not None:
                break
        key = column
        if head and isinstance(head[-1][1], dict):
            names = list(head[-1][1])
            key = names[choose_column(lines.name, names, column, notes)]
        return _texts(lines.name, key, itertools.chain(head, rows))

    def hold_lines(self, lines: Lines, texts: Iterator[str], held: Held) -> None:
        for text in texts:
            row = parsed_json(lines, text)
            if row is not None and not isinstance(row, dict):
                raise ValueError(
                    f"{held.name}: line {lines.number:,} holds {text.strip()[:30]!r}, must be an "
                    'object such as {"text": "It rains.", "topic": "news"}'
                )
            if row is not None:
                held.add(lines.number, row)

    def copy(self, source: Path, kept: Collection[int], file: BinaryIO) -> int:
        written = 0
        with source.open("rb") as bytes_read:
            lines = Lines(str(source), bytes_read)
            for text in lines:
                if lines.number in kept:
                    file.write(text.rstrip("\r\n").encode() + b"\n")
                    written += 1
        return written

    def write(self, table: Table, rows: Sequence[int], file: BinaryIO, *, safe: bool) -> int:
        del safe  # no spreadsheet runs JSON
        for row in rows:
            cells = {name: as_json(table.columns[name][row]) for name in table.names}
            file.write(json.dumps(cells, ensure_ascii=False).encode(errors="replace") + b"\n")
        return 0


def _texts(name: str, key: str | None, rows: Iterator[tuple[int, Any]]) -> Cells:
    for number, row in rows:
        found = row.get(key) if isinstance(row, dict) else row
        if found is not None and not isinstance(found, str):
            kind = {"dict": "an object", "list": "a list"}.get(type(found).__name__, "no text")
            where = f"line {number:,}" + (f", {key!r}" if isinstance(row, dict) else "")
            raise ValueError(f"{name}: {where} holds {kind}, must be text in quotes")
        yield number, found


def parsed_json(lines: Lines, text: str) -> Any:  # noqa: ANN401 (any JSON)
    """Parse the line read last, or give None for a blank one.

    Raises:
        ValueError: Naming the line and what is not JSON in it.
    """
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"{error.msg} at character {error.pos + 1:,}"
    except (ValueError, RecursionError):
        reason = "a number is too long, or lists lie too deep in each other"
    raise ValueError(f"{lines.name}: line {lines.number:,} is not JSON: {reason}")
