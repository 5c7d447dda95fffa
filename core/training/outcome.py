"""What a person should know of how a training ended, told in words: where nothing was learned."""

import math
from collections.abc import Mapping

from core.model.evaluation import TaskScores

FAR_ABOVE = 1.5
"""A loss of so many times that of even odds is no chance of a few rows: the model is sure, and
wrong. MiniLM at a rate of 1 has two to three times it, after two epochs at its own rate 1.1."""


def outcome_notes(scores: Mapping[str, TaskScores], losses: Mapping[str, float]) -> tuple[str, ...]:
    """Say of which tasks a model knows no more than someone who never read a sentence.

    Args:
        scores: By task, on the validation rows.
        losses: By task, there too, in nats per label.

    Returns:
        A sentence for each task that is no better than its commonest label, or without any span
        found; where its loss is far above that of even odds, with the likely cause.
    """
    notes = []
    for name, each in scores.items():
        told = _nothing_known(each)
        if told is None:
            continue
        odds = math.log(len(each.task.classes))
        cause = "give it more rows or epochs, or another strategy"
        if losses[name] > FAR_ABOVE * odds:
            cause = (
                f"its loss is {losses[name]:.2f}, that of even odds {odds:.2f}: a learning rate "
                "may be too high, give a lower --lr or --head-lr"
            )
        notes.append(f"{name} has learned nothing that helps: {told}; {cause}")
    return tuple(notes)


def _nothing_known(scores: TaskScores) -> str | None:
    if scores.confusion is None:
        spans = scores.spans
        found_none = spans is not None and spans.rows > 0 and spans.f1 == 0
        return f"none of {spans.rows:,} spans is found" if spans and found_none else None
    counts = scores.confusion.sum(axis=1)  # (labels,)
    if not scores.rows or scores.main > counts.max() / scores.rows:
        return None
    commonest = scores.task.labels[int(counts.argmax())][:40]
    return (
        f"on {scores.rows:,} validation rows its accuracy is {scores.main:.3f}, and always saying "
        f"{commonest!r} has {counts.max() / scores.rows:.3f}"
    )
