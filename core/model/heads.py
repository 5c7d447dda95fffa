"""Task heads: from the states of one layer, or a mix of all, to a score for each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import HEAD_POOLINGS, MIX, check_choice
from core.encoder.packed import pool_packed
from core.model.spelling import FEATURES
from core.task import IGNORED, Task

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
        if self.spelling and self.task.kind == "sentence":
            raise ValueError(f"task {self.task.name} is a sentence task, which reads no spelling")

    @property
    def is_linear(self) -> bool:
        """Whether its scores are a sum over tokens, so that they split over words exactly."""
        return self.hidden_units is None and (self.task.kind == "token" or self.pooling == "mean")


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

    Args:
        shape: How it is built.
        hidden: Numbers in a token's state.
        layers: How many layers the encoder has.

    Raises:
        ValueError: If the encoder has no such layer.
    """

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


class SentenceHead(TaskHead):
    """Predict one label for a text, from its tokens pooled."""

    def pool(self, states: Tensor, lengths: Tensor) -> Tensor:
        """Pool packed token states, (tokens, hidden), to (batch, hidden)."""
        return pool_packed(states, lengths, self.shape.pooling)


class TokenHead(TaskHead):
    """Predict a tag for every token of a text."""

    def features(self, states: Tensor, spelling: Tensor | None) -> Tensor:
        """Lay how words are written beside their states, (tokens, hidden) to (tokens, inputs).

        Raises:
            ValueError: If the head reads spelling and there is none.
        """
        if not self.shape.spelling:
            return states
        if spelling is None:
            raise ValueError(f"the head of {self.task.name} reads how words are written: give it")
        return torch.cat([states, spelling.to(states.dtype)], dim=1)  # (tokens, inputs)


def build_head(shape: HeadShape, hidden: int, layers: int) -> TaskHead:
    """Build the head for a task's kind. For the arguments see `TaskHead`."""
    kind = SentenceHead if shape.task.kind == "sentence" else TokenHead
    return kind(shape, hidden, layers)
