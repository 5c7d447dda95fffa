"""What a model says of texts: a label per sentence task, entities per token task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.encoder.backbone import eval_mode
from core.encoder.encoder import (
    TOKENS_PER_BATCH,
    CancelledError,
    Progress,
    batches_by_length,
)
from core.encoder.tokenizer import Tokens
from core.model.attribution import WordContributions, split_logits, why_not_exact
from core.model.heads import TaskHead
from core.model.model import MultiTaskModel
from core.model.reading import ReadText, decode_tags
from core.task import OUTSIDE, Label, Span, Task, spans_of


@dataclass(frozen=True, kw_only=True)
class LabelPrediction:
    """What a sentence task's head says of one text.

    Attributes:
        label: The likeliest.
        confidence: Its calibrated probability.
        unsure: Whether that is below the threshold.
        scores: Every label's calibrated probability.
        words: What each word adds to each score before calibration, if asked for and possible.
        reason: Why `words` cannot be told, or empty.
    """

    label: str
    confidence: float
    unsure: bool
    scores: dict[str, float]
    words: WordContributions | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class EntityPrediction:
    """One entity that a token task's head found.

    Attributes:
        span: Where it is and what.
        confidence: The probability of its least certain token.
        unsure: Whether that is below the threshold.
    """

    span: Span
    confidence: float
    unsure: bool


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """All that a model says of one text.

    Attributes:
        text: The text.
        labels: By sentence task.
        entities: By token task, in the order they stand.
        truncated: Whether the text went on after what was read.
        unreadable: Whether the encoder knows no token of it, so that what is said of it is said
            of every such text.
    """

    text: str
    labels: dict[str, LabelPrediction]
    entities: dict[str, tuple[EntityPrediction, ...]]
    truncated: bool
    unreadable: bool = False

    def said(self, task: str) -> Label:
        """Give what is said of a task, as a row's label is."""
        if task in self.labels:
            return self.labels[task].label
        return tuple(each.span for each in self.entities[task])


def predict(
    model: MultiTaskModel,
    texts: Sequence[str],
    *,
    explain: bool = False,
    threshold: float | None = None,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Prediction]:
    """Predict every task of a model for each text.

    Args:
        model: What predicts.
        texts: Any number of texts.
        explain: Whether to split each sentence task's scores over the words.
        threshold: Below this confidence a prediction is unsure; None is each task's own.
        progress: Called after each batch with texts done and texts in all.
        cancelled: Asked before each batch; True stops.

    Raises:
        ValueError: If the threshold is not a probability.
        RuntimeError: If the model gives something else than numbers.
        CancelledError: If `cancelled` answered True.
    """
    if threshold is not None and not 0 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}, must be 0 to 1")
    read = model.read(texts, pieces=explain)
    tokens = [Tokens(ids=list(each.ids), truncated=each.truncated) for each in read]
    batches = list(batches_by_length(tokens, TOKENS_PER_BATCH))
    # A text without a single token, as an empty one may be, is in no batch by length.
    batches += [[index] for index, each in enumerate(read) if not each.ids]
    found: dict[int, Prediction] = {}
    for batch in batches:
        if cancelled is not None and cancelled():
            raise CancelledError(f"stopped after {len(found)} of {len(read)} sentences")
        some = _predict_batch(model, [read[i] for i in batch], explain, threshold)
        found.update(zip(batch, some, strict=True))
        if progress is not None:
            progress(len(found), len(read))
    return [found[index] for index in range(len(read))]


@torch.inference_mode()
def _predict_batch(
    model: MultiTaskModel, texts: list[ReadText], explain: bool, threshold: float | None
) -> list[Prediction]:
    batch = model.batch(texts)
    with eval_mode(model), model.encoder.busy:
        layers = model.states(batch)
        scores = model.score(layers, batch.lengths, batch.spelling)
    scores = {name: each.float().cpu() for name, each in scores.items()}
    if not all(bool(torch.isfinite(each).all()) for each in scores.values()):
        raise RuntimeError(
            "the model gave scores that are not finite numbers: its weights are broken"
        )
    starts = [0, *batch.lengths.cumsum(dim=0).tolist()]
    labels: list[dict[str, LabelPrediction]] = [{} for _ in texts]
    entities: list[dict[str, tuple[EntityPrediction, ...]]] = [{} for _ in texts]
    for name, head in model.task_heads.items():
        calibration = model.calibration[name]
        below = calibration.threshold if threshold is None else threshold
        likely = (scores[name] / calibration.temperature).softmax(dim=1)  # (rows, classes)
        state = head.read(layers).float().cpu() if explain else None  # (tokens, hidden)
        for row, text in enumerate(texts):
            own = slice(starts[row], starts[row + 1])
            if head.task.of_kind.by_token:
                entities[row][name] = _entities(text, head.task, likely[own], below)
            else:
                said = _label(head.task, likely[row], below)
                labels[row][name] = (
                    said if state is None else _explained(said, head, text, state[own])
                )
    return [
        Prediction(
            text=text.text,
            labels=a,
            entities=b,
            truncated=text.truncated,
            unreadable=model.encoder.tokenizer.is_unreadable(text.ids),
        )
        for text, a, b in zip(texts, labels, entities, strict=True)
    ]


def _label(task: Task, likely: Tensor, threshold: float) -> LabelPrediction:
    """Read the likeliest label off its probabilities, (labels,)."""
    best = int(likely.argmax())
    confidence = float(likely[best])
    scores = dict(zip(task.labels, likely.tolist(), strict=True))
    return LabelPrediction(
        label=task.labels[best], confidence=confidence, unsure=confidence < threshold, scores=scores
    )


def _entities(
    text: ReadText, task: Task, likely: Tensor, threshold: float
) -> tuple[EntityPrediction, ...]:
    """Read entities off tag probabilities, (tokens, classes)."""
    pieces = text.pieces
    if pieces is None:
        return ()
    tags = decode_tags(likely, task, pieces.special)
    chosen = torch.tensor([task.classes.index(tag) for tag in tags])  # (tokens,)
    sure = likely.gather(1, chosen[:, None])[:, 0]  # (tokens,)
    found = []
    for span in spans_of(text.text, pieces.spans, tags):
        inside = [
            i
            for i, (start, end) in enumerate(pieces.spans)
            if start < end and start < span.end and span.start < end and tags[i] != OUTSIDE
        ]
        confidence = float(sure[inside].min())
        found.append(
            EntityPrediction(span=span, confidence=confidence, unsure=confidence < threshold)
        )
    return tuple(found)


def _explained(
    said: LabelPrediction, head: TaskHead, text: ReadText, state: Tensor
) -> LabelPrediction:
    """Add what each word contributes, from the states the head read, (tokens, hidden)."""
    reason = why_not_exact(head.shape.pooling, head.shape.hidden_units)
    if reason or text.pieces is None:
        return LabelPrediction(**{**vars(said), "reason": reason})
    weight, bias = head.score.weight.detach().cpu(), head.score.bias.detach().cpu()
    words = split_logits(state, weight, bias, text.pieces, text.text)
    return LabelPrediction(**{**vars(said), "words": words})
