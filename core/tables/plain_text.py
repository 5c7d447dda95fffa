"""Plain text: a sentence a line, or a token and its tag a line, which is CoNLL without its name."""

import itertools
from collections.abc import Iterator
from typing import ClassVar

from core.errors import InputError, setting
from core.tables.conll import Conll, looks_like_conll
from core.tables.held import Held
from core.tables.lines import Lines
from core.tables.stream import Cells

_LINES_JUDGED = 50


class PlainText(Conll):
    """Lines without columns; a file whose name says nothing is taken for one."""

    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".text", "")
    lists: ClassVar[bool] = True
    has_columns: ClassVar[bool] = False
    remark: ClassVar[str] = " (one sentence a line)"

    def cells(
        self, lines: Lines, texts: Iterator[str], column: str | None, notes: list[str]
    ) -> Cells:
        del notes  # nothing is guessed
        if column is not None:
            what = f"{lines.name} has one sentence a line and no columns"
            raise InputError(f"{what}: leave {setting('column')} out")
        return ((lines.number, text) for text in texts)

    def hold_lines(self, lines: Lines, texts: Iterator[str], held: Held) -> None:
        numbered = ((lines.number, text) for text in texts)
        head = list(itertools.islice(numbered, _LINES_JUDGED))
        if not looks_like_conll(text for _, text in head):
            raise ValueError(
                f"{held.name} has neither columns nor a token and its tag a line, so that it has "
                "no labels: give a table, or CoNLL"
            )
        self.hold_tagged(itertools.chain(head, numbered), held)
