"""What a head learns to say: a task is data, a name, a kind and its labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

OUTSIDE = "O"
RESERVED = ("text", "truncated", "unreadable")
"""What a prediction's row holds beside its tasks."""

IGNORED = -100
"""The target of a token that counts for nothing: torch's own `ignore_index`."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One thing to predict of a sentence.

    Attributes:
        name: What it is called in columns, tables and files: letters, digits, `_` and `-`.
        kind: `sentence` (one label a sentence) or `token` (labelled spans of characters).
        labels: What may be predicted; of a token task the span labels, without B- and I-.

    Raises:
        ValueError: If the name or kind is not allowed, or the labels are fewer than the kind
            needs, empty or repeated.
    """

    name: str
    kind: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name or not all(c.isalnum() or c in "_-" for c in self.name):
            raise ValueError(f"task name is {self.name!r}, must be letters, digits, _ and -")
        if self.kind not in ("sentence", "token"):
            raise ValueError(f"task kind is {self.kind!r}, must be sentence or token")
        if self.name in RESERVED:
            raise ValueError(
                f"a task cannot be called {self.name!r}, which a prediction has of its own: name "
                f"it otherwise, as in --label-column {self.name}_label={self.name}"
            )
        least = 2 if self.kind == "sentence" else 1
        if len(self.labels) < least:
            raise ValueError(f"task {self.name} has {len(self.labels)} labels, needs {least}")
        if len(set(self.labels)) != len(self.labels) or not all(self.labels):
            raise ValueError(f"task {self.name} has empty or repeated labels: {self.labels}")

    @property
    def classes(self) -> tuple[str, ...]:
        """What a head scores: the labels, or for a token task `O` and B- and I- of each."""
        if self.kind == "sentence":
            return self.labels
        return (OUTSIDE, *(f"{mark}-{label}" for label in self.labels for mark in "BI"))


class Span(NamedTuple):
    """A labelled stretch of a text, in characters; `text[start:end]` is its surface."""

    start: int
    end: int
    label: str


Label = str | tuple[Span, ...] | None
"""Of a sentence task its label, of a token task its spans; None where it was not labelled."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """One labelled sentence.

    Attributes:
        text: The sentence.
        labels: By task's name; a task may be missing.
        group: Shared by sentences that must not be told apart by a split; empty for none.
    """

    text: str
    labels: Mapping[str, Label] = field(default_factory=dict)
    group: str = ""


TOPIC = Task(
    name="topic",
    kind="sentence",
    labels=("news", "sports", "technology", "health", "business", "entertainment"),
)
SENTIMENT = Task(name="sentiment", kind="sentence", labels=("positive", "neutral", "negative"))
ENTITIES = Task(name="entities", kind="token", labels=("PER", "LOC", "ORG"))
SHIPPED_TASKS = (TOPIC, SENTIMENT, ENTITIES)


def check_spans(text: str, spans: Sequence[Span], task: Task) -> None:
    """Refuse spans that do not lie in the text, overlap, are blank at an end or have no label.

    Raises:
        ValueError: Naming the span and what is wrong with it.
    """
    before = 0
    for start, end, label in sorted(spans):
        surface = text[start:end]
        if not 0 <= start < end <= len(text):
            raise ValueError(f"span {start}:{end} does not lie in the {len(text)} characters")
        if label not in task.labels:
            allowed = ", ".join(task.labels)
            raise ValueError(f"span {surface!r} is labelled {label!r}, must be one of: {allowed}")
        if surface != surface.strip():
            raise ValueError(f"span {surface!r} begins or ends with a space: leave it out")
        if start < before:
            raise ValueError(f"span {surface!r} overlaps the one before it")
        before = end


def tags_of(pieces: Sequence[tuple[int, int]], spans: Sequence[Span]) -> list[str]:
    """Give each token the BIO tag of the span it lies in.

    Args:
        pieces: Where each token lies, (start, end) in characters; an empty one is a special token.
        spans: The labelled spans, not overlapping.

    Returns:
        `O`, `B-LABEL` or `I-LABEL` for each token. A span's first token begins it even where the
        token starts with the space before it, as byte-level tokens do.

    Source:
        Ramshaw & Marcus 1995, section 4.1 (cmp-lg/9505040), in the variant that marks every
        beginning.
    """
    tags = [OUTSIDE] * len(pieces)
    for span in spans:
        inside = [
            index
            for index, (start, end) in enumerate(pieces)
            if start < end and start < span.end and span.start < end
        ]
        for place, index in enumerate(inside):
            tags[index] = f"{'I' if place else 'B'}-{span.label}"
    return tags


def spans_of(text: str, pieces: Sequence[tuple[int, int]], tags: Sequence[str]) -> list[Span]:
    """Read spans out of BIO tags, the inverse of `tags_of`.

    An `I-` that continues nothing, or something of another label, starts no span: it is `O`.
    Tokens may share characters, as the bytes of one emoji do; spans never do: one that begins
    where another did takes its place, one that begins inside another of its label joins it.

    Args:
        text: The text.
        pieces: Where each token lies in it, (start, end) in characters.
        tags: One tag a token.

    Returns:
        The spans in order, without a space at either end.
    """
    spans: list[Span] = []
    going = False
    for (start, end), tag in zip(pieces, tags, strict=True):
        mark, _, label = tag.partition("-")
        if mark == "B" and start < end:
            while spans and spans[-1].start >= start:
                spans.pop()
            covered = spans[-1].end if spans else 0
            if start < covered and spans[-1].label == label:
                spans[-1] = spans[-1]._replace(end=max(end, covered))
            elif covered < end:
                spans.append(Span(max(start, covered), end, label))
            going = bool(spans) and spans[-1].label == label
        elif mark == "I" and going and spans[-1].label == label and start < end:
            spans[-1] = spans[-1]._replace(end=max(end, spans[-1].end))
        else:
            going = False
    return [_trimmed(text, span) for span in spans if text[span.start : span.end].strip()]


def _trimmed(text: str, span: Span) -> Span:
    surface = text[span.start : span.end]
    start = span.start + len(surface) - len(surface.lstrip())
    return span._replace(start=start, end=start + len(surface.strip()))
