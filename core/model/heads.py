"""Task heads: from the states of one layer, or a mix of all, to a score for each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import HEAD_POOLINGS, MIX, check_choice
from core.encoder.packed import pool_packed
from core.model.reading import ReadText, decode_tags
from core.model.spelling import FEATURES
from core.task import (
    IGNORED,
    Example,
    Kind,
    Label,
    SentenceKind,
    Span,
    Task,
    TokenKind,
    labels_in,
    spans_of,
    tags_of,
)

DROPOUT = 0.1


@dataclass(frozen=True, kw_only=True)
class HeadShape:
    """How a head is built and where it reads.

    Attributes:
        task: What it predicts.
        read: The layer whose output it reads, 0 being the embeddings, or `MIX`.
        pooling: Of a sentence task, one of `HEAD_POOLINGS`; a token task reads every token.
        hidden_units: Width of a hidden layer before the scores; None for a linear head.
        dropout: Share of its input that is zeroed while it trains.
        spelling: Of a token task, whether it reads how words are written beside their states.

    Raises:
        ValueError: If the pooling is unknown, or a number is out of range.
    """

    task: Task
    read: int | str
    pooling: str = "mean"
    hidden_units: int | None = None
    dropout: float = DROPOUT
    spelling: bool = False

    def __post_init__(self) -> None:
        check_choice("a head's pooling", self.pooling, HEAD_POOLINGS)
        if isinstance(self.read, str):
            check_choice("a head's layer", self.read, (MIX,))
        elif type(self.read) is not int or not self.read >= 0:
            raise ValueError(
                f"a head's layer is {self.read}, must be a whole number from 0 (the embeddings) on"
            )
        units = self.hidden_units
        if units is not None and (type(units) is not int or not units > 0):
            raise ValueError(f"hidden_units is {units}, must be a whole number from 1 on, or None")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}, must be 0 or more and below 1")
        if self.spelling and not self.task.of_kind.by_token:
            raise ValueError(
                f"task {self.task.name} is a {self.task.kind} task, which reads no spelling"
            )

    @property
    def is_linear(self) -> bool:
        """Whether its scores are a sum over tokens, so that they split over words exactly."""
        return self.hidden_units is None and (self.task.of_kind.by_token or self.pooling == "mean")


class ScalarMix(nn.Module):
    """A learned average of the layers. Source: Peters et al. 2018, ELMo, eq. 1 (1802.05365)."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers + 1))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        shares = self.weights.softmax(dim=0)  # (layers + 1,)
        return self.scale * sum(share * state for share, state in zip(shares, states, strict=True))


class TaskHead(nn.Module):
    """What all heads have in common: where they read, and their loss.

    A new kind of head is a subclass, in `HEADS`, and its kind of task in `core.task.KINDS`. What
    depends on no weights it answers as a class, of any task of its kind.

    Attributes:
        kind: The kind of task that it is for.

    Args:
        shape: How it is built.
        hidden: Numbers in a token's state.
        layers: How many layers the encoder has.

    Raises:
        ValueError: If the encoder has no such layer.
    """

    kind: ClassVar[type[Kind]]

    def __init__(self, shape: HeadShape, hidden: int, layers: int) -> None:
        super().__init__()
        if isinstance(shape.read, int) and shape.read > layers:
            raise ValueError(
                f"{shape.task.name} is to read layer {shape.read}, must be 0 to {layers}"
            )
        self.shape = shape
        self.task = shape.task
        self.layers_read = (
            range(layers + 1) if shape.read == MIX else range(int(shape.read), int(shape.read) + 1)
        )
        self.mix = ScalarMix(layers) if shape.read == MIX else None
        inputs = hidden + (len(FEATURES) if shape.spelling else 0)
        classes = len(shape.task.classes)
        self.hidden = nn.Linear(inputs, shape.hidden_units) if shape.hidden_units else None
        self.score = nn.Linear(shape.hidden_units or inputs, classes)

    @property
    def highest_read(self) -> int:
        """The highest layer it needs."""
        return self.layers_read[-1]

    def read(self, layers: Mapping[int, Tensor]) -> Tensor:
        """Take the state it reads out of the layers' outputs, (…, hidden).

        Args:
            layers: By layer, states of tokens or of pooled texts, all of one shape.
        """
        if self.mix is None:
            return layers[self.highest_read]
        return self.mix([layers[layer] for layer in self.layers_read])

    def classify(self, features: Tensor) -> Tensor:
        """Score features, (rows, inputs) to (rows, classes)."""
        features = F.dropout(features, self.shape.dropout, self.training)
        if self.hidden is not None:
            features = F.gelu(self.hidden(features))  # (rows, hidden units)
        return self.score(features)  # (rows, classes)

    def loss(
        self,
        scores: Tensor,
        labels: Tensor,
        *,
        weights: Tensor | None = None,
        smoothing: float = 0.0,
    ) -> Tensor:
        """Average the cross-entropy over the rows that have a label.

        Args:
            scores: (rows, classes).
            labels: Class numbers, `IGNORED` where there is none, (rows,).
            weights: What a row of each class counts for, (classes,); None is 1 for all.
            smoothing: Share of each label that is spread over all classes.

        Returns:
            Nats per labelled row; 0 where no row has a label, with a gradient of 0.

        Source:
            Szegedy et al. 2016, section 7, for the smoothing (arXiv:1512.00567).
        """
        labelled = (labels != IGNORED).sum()
        total = F.cross_entropy(
            scores,
            labels,
            weight=weights,
            ignore_index=IGNORED,
            reduction="sum",
            label_smoothing=smoothing,
        )
        return total / labelled.clamp(min=1)

    @property
    def pools(self) -> str | None:
        """How it pools a text's states, so that pooled ones are enough; None where it does not."""
        return None

    def features(self, states: Tensor, lengths: Tensor, spelling: Tensor | None) -> Tensor:
        """Turn states of texts into what it classifies, (rows, inputs).

        Args:
            states: Packed, (tokens, hidden).
            lengths: Each text's tokens, (batch,).
            spelling: How the words are written, (tokens, features), if known.

        Raises:
            ValueError: If the head reads spelling and there is none.
        """
        raise NotImplementedError

    @classmethod
    def rows_of(cls, tokens: int) -> int:
        """Count the rows of scores of a text of so many tokens."""
        raise NotImplementedError

    @classmethod
    def targets(cls, task: Task, text: ReadText, example: Example) -> Tensor:
        """Give what its scores of a text should say: class numbers, (rows,).

        Raises:
            ValueError: If a label is none of the task's, or of its kind.
        """
        raise NotImplementedError

    @classmethod
    def said(cls, task: Task, text: ReadText, scores: Tensor) -> Label:
        """Read what scores of a text say, (rows, classes), by what is likeliest."""
        raise NotImplementedError

    @classmethod
    def claims(cls, best: Tensor) -> Tensor:
        """Tell which likeliest classes claim something that may be unsure, (rows,)."""
        return torch.ones_like(best, dtype=torch.bool)


class SentenceHead(TaskHead):
    """Predict one label for a text, from its tokens pooled."""

    kind = SentenceKind

    @property
    def pools(self) -> str:
        return self.shape.pooling

    def features(
        self,
        states: Tensor,
        lengths: Tensor,
        spelling: Tensor | None,  # noqa: ARG002 (it reads none)
    ) -> Tensor:
        return pool_packed(states, lengths, self.shape.pooling)  # (batch, hidden)

    @classmethod
    def rows_of(cls, tokens: int) -> int:  # noqa: ARG003 (one a text)
        return 1

    @classmethod
    def targets(cls, task: Task, text: ReadText, example: Example) -> Tensor:  # noqa: ARG003 (as above)
        label = example.labels.get(task.name)
        if label is None:
            return torch.tensor([IGNORED])
        if str(label) not in task.labels:
            raise ValueError(f"{label!r} is no label of {task.name}: {', '.join(task.labels)}")
        return torch.tensor([task.labels.index(str(label))])  # (1,)

    @classmethod
    def said(cls, task: Task, text: ReadText, scores: Tensor) -> str:  # noqa: ARG003 (as above)
        return task.labels[int(scores.argmax())]


class TokenHead(TaskHead):
    """Predict a tag for every token of a text."""

    kind = TokenKind

    def features(
        self,
        states: Tensor,
        lengths: Tensor,  # noqa: ARG002 (whose a token is does not matter)
        spelling: Tensor | None,
    ) -> Tensor:
        if not self.shape.spelling:
            return states
        if spelling is None:
            raise ValueError(f"the head of {self.task.name} reads how words are written: give it")
        return torch.cat([states, spelling.to(states.dtype)], dim=1)  # (tokens, inputs)

    @classmethod
    def rows_of(cls, tokens: int) -> int:
        return tokens

    @classmethod
    def targets(cls, task: Task, text: ReadText, example: Example) -> Tensor:
        spans = example.labels.get(task.name)
        if spans is None:
            return torch.full((len(text.ids),), IGNORED)  # (tokens,)
        unknown = isinstance(spans, str) or not set(labels_in(spans)) <= set(task.labels)
        if isinstance(spans, str) or text.pieces is None or unknown:
            allowed = ", ".join(task.labels)
            raise ValueError(f"{spans!r} are no spans of {task.name}, whose labels are: {allowed}")
        number = {tag: index for index, tag in enumerate(task.classes)}
        tags = [number[tag] for tag in tags_of(text.pieces.spans, spans)]
        found = torch.tensor(tags, dtype=torch.int64)  # (tokens,)
        found[torch.tensor(text.pieces.special, dtype=torch.bool)] = IGNORED
        return found

    @classmethod
    def said(cls, task: Task, text: ReadText, scores: Tensor) -> tuple[Span, ...]:
        if text.pieces is None or not len(scores):
            return ()
        tags = decode_tags(scores.softmax(dim=1), task, text.pieces.special)
        return tuple(spans_of(text.text, text.pieces.spans, tags))

    @classmethod
    def claims(cls, best: Tensor) -> Tensor:
        return best > 0  # the first class is `O`, which claims nothing


HEADS: tuple[type[TaskHead], ...] = (SentenceHead, TokenHead)


def head_for(task: Task) -> type[TaskHead]:
    """Find the kind of head for a task."""
    return next(head for head in HEADS if head.kind.word == task.kind)


def build_head(shape: HeadShape, hidden: int, layers: int) -> TaskHead:
    """Build the head for a task's kind. For the arguments see `TaskHead`."""
    return head_for(shape.task)(shape, hidden, layers)
