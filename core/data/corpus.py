"""The corpus that ships with Thaw: labelled sentences, read and checked line by line.

python -m core.data.corpus    prints the tables of the data card, assets/corpus/README.md
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.config import ASSETS
from core.measures.metrics import cohen_kappa, span_scores
from core.task import ENTITIES, SENTIMENT, TOPIC, Example, Label, Span, check_spans

FOLDER = ASSETS / "corpus"
SECOND_PASS = "second-pass"
SPLITS = ("train", "validation", "test")

_MARKED = re.compile(r"(?<!\\)\[((?:[^\[\]\\]|\\.)*)\]\(([^()\s]*)\)")
_BARE_BRACKET = re.compile(r"(?<!\\)[\[\]]")


@dataclass(frozen=True, kw_only=True)
class CorpusRow:
    """One sentence of the corpus.

    Attributes:
        name: Its register and line, such as `post:17`.
        text: The sentence, without marks.
        topic: One of `TOPIC.labels`.
        sentiment: One of `SENTIMENT.labels`.
        entities: Its entities, in order.
        register: The file it stands in.
        group: Shared by sentences that belong together.
        hard: Why its labels are hard to give; empty where they are not.
    """

    name: str
    text: str
    topic: str
    sentiment: str
    entities: tuple[Span, ...]
    register: str
    group: str
    hard: str = ""

    @property
    def split(self) -> str:
        """Train, validation or test (70, 15, 15 %), by its group, whatever else is added."""
        draw = int.from_bytes(hashlib.sha256(self.group.encode()).digest()[:8], "big") % 100
        return "train" if draw < 70 else "validation" if draw < 85 else "test"

    @property
    def example(self) -> Example:
        """The row as what a head learns from."""
        labels: dict[str, Label] = {TOPIC.name: self.topic, SENTIMENT.name: self.sentiment}
        labels[ENTITIES.name] = self.entities
        return Example(text=self.text, labels=labels, group=self.group)


def load_corpus(folder: Path = FOLDER) -> list[CorpusRow]:
    """Read and check every register of the corpus, in the order of the files' names.

    Raises:
        ValueError: Naming the file and line of the first thing that is wrong.
    """
    rows: list[CorpusRow] = []
    for path in sorted(folder.glob("*.txt")):
        if path.stem != SECOND_PASS:
            rows.extend(read_register(path))
    if not rows:
        raise ValueError(f"{folder} has no corpus: *.txt files, one sentence a line")
    return rows


def read_register(path: Path) -> Iterator[CorpusRow]:
    """Read and check one register.

    Raises:
        ValueError: Naming the file and line of what is wrong.
    """
    hard = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            hard = line.removeprefix("# hard:").strip() if line.startswith("# hard:") else hard
        elif line.strip():
            try:
                yield _row(line, path.stem, number, hard)
            except ValueError as error:
                raise ValueError(f"{path.name}: line {number}: {error}") from error
            hard = ""


def _row(line: str, register: str, number: int, hard: str) -> CorpusRow:
    fields = line.split(" | ", 3)
    if len(fields) != 4:
        raise ValueError(f"has {len(fields)} fields, must be topic | sentiment | group | text")
    topic, sentiment, group, marked = fields
    for task, label in ((TOPIC, topic), (SENTIMENT, sentiment)):
        if label not in task.labels:
            allowed = ", ".join(task.labels)
            raise ValueError(f"{task.name} is {label!r}, must be one of: {allowed}")
    if not re.fullmatch(rf"{re.escape(register)}-\d+", group):
        raise ValueError(f"group is {group!r}, must be {register}- and a number")
    text, entities = read_marks(marked)
    return CorpusRow(
        name=f"{register}:{number}",
        text=text,
        topic=topic,
        sentiment=sentiment,
        entities=entities,
        register=register,
        group=group,
        hard=hard,
    )


def read_marks(marked: str) -> tuple[str, tuple[Span, ...]]:
    r"""Take the marks out of a sentence: `[Lima](LOC) wakes` is `Lima wakes` and a span.

    Raises:
        ValueError: If a bracket is neither a mark nor written `\[`, or a span is not allowed.

    >>> read_marks(r"[Lima](LOC) wakes \[again\]")
    ('Lima wakes [again]', (Span(start=0, end=4, label='LOC'),))
    """
    text, spans, last = "", [], 0
    for match in _MARKED.finditer(marked):
        text += _plain(marked[last : match.start()])
        surface = _plain(match[1])
        spans.append(Span(len(text), len(text) + len(surface), match[2]))
        text += surface
        last = match.end()
    text += _plain(marked[last:])
    if text != text.strip() or not text:
        raise ValueError("the text is empty or has a space at an end")
    check_spans(text, spans, ENTITIES)
    return text, tuple(spans)


def _plain(piece: str) -> str:
    if _BARE_BRACKET.search(piece):
        raise ValueError(f"a bracket in {piece.strip()!r} is no mark: write \\[ or \\]")
    return piece.replace("\\[", "[").replace("\\]", "]")


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far the second labelling agrees with the first.

    Attributes:
        rows: How many sentences were labelled twice.
        topic_kappa: Cohen's kappa of the topics.
        sentiment_kappa: Cohen's kappa of the sentiments.
        entity_f1: Strict span F1 of the second's entities against the first's.
        differences: What differs, a line each.
    """

    rows: int
    topic_kappa: float
    sentiment_kappa: float
    entity_f1: float
    differences: tuple[str, ...]


def second_pass_agreement(rows: list[CorpusRow], folder: Path = FOLDER) -> Agreement:
    """Compare the labels given a second time, without sight of the first, with the first.

    Raises:
        ValueError: If the second pass names a sentence that is not there or reads otherwise.
    """
    first = {row.text: row for row in rows}
    pairs: list[tuple[CorpusRow, str, str, tuple[Span, ...]]] = []
    path = folder / f"{SECOND_PASS}.txt"
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, topic, sentiment, marked = line.split(" | ", 3)
        text, spans = read_marks(marked)
        if text not in first:
            raise ValueError(f"{path.name}: {name} is not in the corpus as it stands: {text[:60]}")
        pairs.append((first[text], topic, sentiment, spans))
    differences = [
        f"{row.name}: {row.topic} {row.sentiment} {_surfaces(row.text, row.entities)} / "
        f"{topic} {sentiment} {_surfaces(row.text, spans)}: {row.text}"
        for row, topic, sentiment, spans in pairs
        if (row.topic, row.sentiment, row.entities) != (topic, sentiment, spans)
    ]
    return Agreement(
        rows=len(pairs),
        topic_kappa=cohen_kappa([p[0].topic for p in pairs], [p[1] for p in pairs]),
        sentiment_kappa=cohen_kappa([p[0].sentiment for p in pairs], [p[2] for p in pairs]),
        entity_f1=span_scores([p[0].entities for p in pairs], [p[3] for p in pairs]).f1,
        differences=tuple(differences),
    )


def _surfaces(text: str, spans: tuple[Span, ...]) -> str:
    return "{" + ", ".join(f"{text[s.start : s.end]}={s.label}" for s in spans) + "}"


def data_card_tables(rows: list[CorpusRow], folder: Path = FOLDER) -> str:
    """Write the data card's figures as Markdown."""
    lines = ["| register | sentences | words, median | with an entity | PER | LOC | ORG | hard |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    for register in [*sorted({row.register for row in rows}), "all"]:
        some = [row for row in rows if register in (row.register, "all")]
        words = sorted(len(row.text.split()) for row in some)
        labels = Counter(span.label for row in some for span in row.entities)
        shares = [sum(bool(x) for x in column) / len(some) for column in _columns(some)]
        lines.append(
            f"| {register} | {len(some)} | {words[len(words) // 2]} | {shares[0]:.0%} | "
            f"{labels['PER']} | {labels['LOC']} | {labels['ORG']} | {shares[1]:.0%} |"
        )
    lines += ["", "| topic | positive | neutral | negative |", "|---|---|---|---|"]
    for topic in TOPIC.labels:
        counts = Counter(row.sentiment for row in rows if row.topic == topic)
        total = sum(counts.values())
        cells = (f"{counts[s]} ({counts[s] / total:.0%})" for s in SENTIMENT.labels)
        lines.append(f"| {topic} | {' | '.join(cells)} |")
    splits = Counter(row.split for row in rows)
    lines += ["", "Splits: " + ", ".join(f"{name} {splits[name]}" for name in SPLITS) + "."]
    found = second_pass_agreement(rows, folder)
    lines.append(
        f"Second pass over {found.rows} sentences: kappa {found.topic_kappa:.3f} for topic, "
        f"{found.sentiment_kappa:.3f} for sentiment; strict span F1 {found.entity_f1:.3f}."
    )
    return "\n".join(lines)


def _columns(rows: list[CorpusRow]) -> tuple[list[object], list[object]]:
    return [row.entities for row in rows], [row.hard for row in rows]


if __name__ == "__main__":
    print(data_card_tables(load_corpus()))  # noqa: T201 (a command for those who grow the corpus)
