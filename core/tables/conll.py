"""CoNLL files: a token and its tag a line, read as sentences with labelled spans."""

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

from core.config import MAX_SENTENCE_CHARACTERS
from core.tables.format import TextFormat
from core.tables.held import Held
from core.tables.lines import Lines
from core.task import OUTSIDE, Span

DOCUMENT_START = "-DOCSTART-"

_TAG = re.compile(r"([BIELMSU])-(\S+)")
_CLOSES = re.compile(r"[.,;:!?%)\]}’”…]+|'[A-Za-z]{0,2}|’[A-Za-z]{1,2}|n't|n’t")
_OPENS = frozenset("([{“‘$£€#")


class Conll(TextFormat):
    """A token and its tag a line; its columns are the text and its entities."""

    suffixes: ClassVar[tuple[str, ...]] = (".conll", ".bio", ".iob", ".iob2", ".bioes")
    lists: ClassVar[bool] = False

    def hold_lines(self, lines: Lines, texts: Iterator[str], held: Held) -> None:
        self.hold_tagged(((lines.number, text) for text in texts), held)

    def hold_tagged(self, numbered: Iterable[tuple[int, str]], held: Held) -> None:
        """Hold the sentences of lines that come with their numbers."""
        held.know(["text", "entities"])
        held.certain = True
        for line, text, spans, document in conll_sentences(held.name, numbered):
            cells = {"text": text, "entities": [span._asdict() for span in spans]}
            held.add(line, {**cells, "document": str(document)} if document else cells)


class TaggedSentence(NamedTuple):
    """A sentence of a CoNLL file: its first line, text, spans and document.

    Lines count from 1, and documents too; 0 is before the first that is marked.
    """

    line: int
    text: str
    spans: tuple[Span, ...]
    document: int


def conll_sentences(name: str, lines: Iterable[tuple[int, str]]) -> Iterator[TaggedSentence]:
    """Read sentences: a token a line, its tag in the last column, blank lines between them.

    Columns are separated by tabs, or by spaces where a line has no tab. Tags are `O`, or a mark
    and a label: IOB1, IOB2, BIOES and BILOU are told apart by nothing and all read alike, as an
    `I-` that continues nothing begins a span. Lines that begin with `# ` and end in no tag are
    comments.

    Args:
        name: What the file is called in messages.
        lines: Each line with its number.

    Raises:
        ValueError: Naming the line that has no tag, or the sentence that is too long.

    Source:
        Tjong Kim Sang & De Meulder 2003, Introduction to the CoNLL-2003 shared task, section 2.
    """
    tokens: list[tuple[str, str]] = []
    first, document = 0, 0
    for number, line in lines:
        columns = _columns(line)
        if columns and columns[0] == DOCUMENT_START:
            document += 1
            columns = []
        if not columns:
            if tokens:
                yield _sentence(name, first, tokens, document)
            tokens = []
        elif not _is_comment(line, columns):
            first = number if not tokens else first
            tokens.append(_token_and_tag(f"{name}: line {number:,}", columns))
            if len(tokens) > MAX_SENTENCE_CHARACTERS:
                raise ValueError(
                    f"{name}: the sentence at line {first:,} has more than "
                    f"{MAX_SENTENCE_CHARACTERS:,} tokens: put blank lines between sentences"
                )
    if tokens:
        yield _sentence(name, first, tokens, document)


def _token_and_tag(where: str, columns: list[str]) -> tuple[str, str]:
    tag = columns[-1]
    if len(columns) < 2 or not (tag == OUTSIDE or _TAG.fullmatch(tag)):
        raise ValueError(
            f"{where} ends in {tag[:40]!r}, must be a token and a tag in the last column: O, "
            "B-LABEL or I-LABEL"
        )
    return columns[0], tag


def looks_like_conll(lines: Iterable[str]) -> bool:
    """Judge by a file's first lines whether each is a token with a tag."""
    found = False
    for line in lines:
        columns = _columns(line)
        if columns and columns[0] != DOCUMENT_START and not _is_comment(line, columns):
            if len(columns) < 2 or not (columns[-1] == OUTSIDE or _TAG.fullmatch(columns[-1])):
                return False
            found = True
    return found


def _columns(line: str) -> list[str]:
    pieces = line.strip().split("\t") if "\t" in line.strip() else line.split()
    return [piece.strip() for piece in pieces if piece.strip()]


def _is_comment(line: str, columns: list[str]) -> bool:
    tagged = columns[-1] == OUTSIDE or _TAG.fullmatch(columns[-1])
    return line.startswith("# ") and not tagged


def _sentence(name: str, line: int, tokens: list[tuple[str, str]], document: int) -> TaggedSentence:
    text, spans, going = "", list[Span](), False
    quoted = False
    glue = ""
    for token, tag in tokens:
        straight = token in ('"', "''", "``")
        closing = token == "''" or (straight and quoted)
        text += "" if closing or _CLOSES.fullmatch(token) else glue
        start = len(text)
        text += token
        glue = "" if token in _OPENS or (straight and not closing) else " "
        quoted = not closing if straight else quoted
        mark, _, label = tag.partition("-")
        if not label:
            going = False
        elif mark in "IELM" and going and spans[-1].label == label:
            spans[-1] = spans[-1]._replace(end=len(text))
            going = mark in "IM"
        else:
            spans.append(Span(start, len(text), label))
            going = mark in "BIM"
    if len(text) > MAX_SENTENCE_CHARACTERS:
        raise ValueError(
            f"{name}: the sentence at line {line:,} has {len(text):,} characters, must be at most "
            f"{MAX_SENTENCE_CHARACTERS:,}: put blank lines between sentences"
        )
    return TaggedSentence(line, text, tuple(spans), document)
