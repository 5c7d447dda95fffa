"""What a head learns to say: a task is data, a name, a kind and its labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from core.errors import InputError, setting

OUTSIDE = "O"
RESERVED = ("text", "truncated", "unreadable")
"""What a prediction's row holds beside its tasks."""

IGNORED = -100
"""The target of a token that counts for nothing: torch's own `ignore_index`."""


class Span(NamedTuple):
    """A labelled stretch of a text, in characters; `text[start:end]` is its surface."""

    start: int
    end: int
    label: str


Label = str | tuple[Span, ...] | None
"""Of a sentence task its label, of a token task its spans; None where it was not labelled."""


class Kind:
    """How a task is answered, as far as no model is needed. A new one is a subclass, in `KINDS`.

    Attributes:
        word: What files and checkpoints call it.
        says: What it says of a text, for people.
        holds_what: What a row's label is, for people.
        least_labels: The fewest labels it needs.
        one_label: Whether a labelled row has exactly one label, by which rows can be told apart.
        by_token: Whether its heads read and score each token, and not the text as a whole.
        scores: Keys of its scores in `core.measures.scores`, the main one first.
    """

    word: ClassVar[str]
    says: ClassVar[str]
    holds_what: ClassVar[str]
    least_labels: ClassVar[int]
    one_label: ClassVar[bool]
    by_token: ClassVar[bool]
    scores: ClassVar[tuple[str, ...]]

    def holds(self, label: Label) -> bool:
        """Tell whether a row's label is of this kind."""
        raise NotImplementedError

    def classes(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Name what a head scores."""
        raise NotImplementedError


class SentenceKind(Kind):
    """One label a sentence."""

    word = "sentence"
    says = "a label a sentence"
    holds_what = "a label"
    least_labels = 2
    one_label = True
    by_token = False
    scores = ("accuracy", "macro_f1")

    def holds(self, label: Label) -> bool:
        return isinstance(label, str)

    def classes(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        return labels


class TokenKind(Kind):
    """Labelled spans of characters, by a tag for each token."""

    word = "token"
    says = "spans of characters"
    holds_what = "a list of spans"
    least_labels = 1
    one_label = False
    by_token = True
    scores = ("f1",)

    def holds(self, label: Label) -> bool:
        return isinstance(label, tuple)

    def classes(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """Name the tags: `O`, and B- and I- of each label."""
        return (OUTSIDE, *(f"{mark}-{label}" for label in labels for mark in "BI"))


KINDS: tuple[Kind, ...] = (SentenceKind(), TokenKind())
"""The kinds of tasks; a row's labels that no kind holds make a task of the first."""


def kind_named(word: str) -> Kind:
    """Find a kind by what files call it.

    Raises:
        ValueError: If there is none.
    """
    for kind in KINDS:
        if kind.word == word:
            return kind
    allowed = " or ".join(kind.word for kind in KINDS)
    raise ValueError(f"task kind is {word!r}, must be {allowed}")


def kind_of(rows: Sequence[Label]) -> Kind:
    """Tell which kind of task some rows' labels make."""
    return next((kind for kind in KINDS if any(map(kind.holds, rows))), KINDS[0])


def labels_in(label: Label) -> list[str]:
    """List the labels in a row's label, each as often as it stands; none where there is none."""
    if label is None:
        return []
    return [label] if isinstance(label, str) else [span.label for span in label]


def relabelled(label: Label, changes: Mapping[str, str | None]) -> Label:
    """Rename the labels in a row's label; those that are to become None are left out."""
    if label is None or isinstance(label, str):
        return None if label is None else changes.get(label, label)
    renamed = ((span, changes.get(span.label, span.label)) for span in label)
    return tuple(span._replace(label=new) for span, new in renamed if new is not None)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One thing to predict of a sentence.

    Attributes:
        name: What it is called in columns, tables and files: letters, digits, `_` and `-`.
        kind: The word for its kind: `sentence` (one label a sentence) or `token` (labelled spans).
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
        kind_named(self.kind)
        if self.name in RESERVED:
            other = f"{setting('label_columns')} {self.name}_label={self.name}"
            raise InputError(
                f"a task cannot be called {self.name!r}, which a prediction has of its own: name "
                f"it otherwise, as in {other}"
            )
        least = self.of_kind.least_labels
        if len(self.labels) < least:
            raise ValueError(f"task {self.name} has {len(self.labels)} labels, needs {least}")
        if len(set(self.labels)) != len(self.labels) or not all(self.labels):
            raise ValueError(f"task {self.name} has empty or repeated labels: {self.labels}")

    @property
    def of_kind(self) -> Kind:
        """The kind itself, which answers for its tasks."""
        return kind_named(self.kind)

    @property
    def classes(self) -> tuple[str, ...]:
        """What a head scores: the labels, or for a token task `O` and B- and I- of each."""
        return self.of_kind.classes(self.labels)


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
