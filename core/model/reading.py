"""A text as a model reads it, and the tags that its tokens' scores say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from core.encoder.tokenizer import Pieces
from core.task import Task


@dataclass(frozen=True, kw_only=True)
class ReadText:
    """One text as a model reads it.

    Attributes:
        text: The text.
        ids: Its token ids.
        truncated: Whether it went on after the last token.
        pieces: Its tokens with their places; None where no head asks for them.
        spelling: How its words are written, (tokens, features); None where no head reads it.
    """

    text: str
    ids: Sequence[int]
    truncated: bool
    pieces: Pieces | None = None
    spelling: Tensor | None = None


def decode_tags(likely: Tensor, task: Task, special: Sequence[bool]) -> list[str]:
    """Find the likeliest sequence of BIO tags that is one.

    An `I-` may only follow a `B-` or `I-` of its own label; a special token is outside.

    Args:
        likely: Each tag's probability, (tokens, classes).
        task: A token task.
        special: Whether each token was added by the tokenizer.

    Returns:
        A tag for each token.

    Source:
        Viterbi 1967; the constraint is Ramshaw & Marcus 1995, section 4.1.
    """
    if not len(likely):
        return []
    classes = task.classes
    costs = -likely.double().clamp(min=1e-12).log()  # (tokens, classes), nats
    costs[torch.tensor(special, dtype=torch.bool), 1:] = float("inf")
    inside = {
        to: [before for before, name in enumerate(classes) if name in (f"B-{tag[2:]}", tag)]
        for to, tag in enumerate(classes)
        if tag.startswith("I-")
    }
    return [classes[place] for place in _cheapest_path(costs.tolist(), inside)]


def _cheapest_path(costs: list[list[float]], inside: Mapping[int, Sequence[int]]) -> list[int]:
    """Find the cheapest sequence of classes.

    Args:
        costs: Python's own numbers, (tokens, classes): a text has so few of them that each tensor
            operation would cost more.
        inside: By class that may not follow every other one, those that it may follow.
    """
    first, *rest = costs
    everywhere = range(len(first))
    total = [float("inf") if to in inside else first[to] for to in everywhere]
    came_from: list[list[int]] = []
    for cost in rest:
        likeliest = min(everywhere, key=total.__getitem__)
        origin = [
            min(inside[to], key=total.__getitem__) if to in inside else likeliest
            for to in everywhere
        ]
        came_from.append(origin)
        total = [total[before] + own for before, own in zip(origin, cost, strict=True)]
    path = [min(everywhere, key=total.__getitem__)]
    for origin in reversed(came_from):
        path.append(origin[path[-1]])
    return path[::-1]
