"""What there is to see of a training: gradients, drift, and single rows."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from core.model.model import MultiTaskModel
from core.model.reading import ReadText
from core.task import Example, Label
from core.training.events import Watched


def gradient_norms(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Give the norm of each part's gradient, of the parts that have one."""
    names: list[str] = []
    grads: list[Tensor] = []
    for group in optimizer.param_groups:
        for weight in group["params"] if "part" in group else ():
            if weight.grad is None:
                continue
            if weight.grad.is_sparse:
                weight.grad = weight.grad.coalesce()
            names.append(str(group["part"]))
            grads.append(weight.grad.values() if weight.grad.is_sparse else weight.grad)
    squares: dict[str, float] = {}
    if grads:
        norms = torch.stack(torch._foreach_norm(grads)).tolist()
        for name, norm in zip(names, norms, strict=True):
            squares[name] = squares.get(name, 0.0) + norm**2
    return {name: math.sqrt(square) for name, square in squares.items()}


@torch.no_grad()
def weight_drift(
    optimizer: torch.optim.Optimizer | None,
    trained: Mapping[str, Tensor],
    begun: Mapping[str, Tensor],
) -> dict[str, float]:
    """Give how far each part's weights are from where they began, as a share of their norm then.

    Args:
        optimizer: Whose groups say which weights make a part.
        trained: The weights as they are, by name.
        begun: The same as they were.

    Returns:
        By part; where a part began as zeros, the distance itself.
    """
    by_id = {id(weight): name for name, weight in trained.items()}
    far: dict[str, float] = {}
    size: dict[str, float] = {}
    for group in optimizer.param_groups if optimizer else []:
        if "part" not in group:
            continue
        part = str(group["part"])
        for name in (by_id[id(weight)] for weight in group["params"]):
            far[part] = far.get(part, 0.0) + _square(trained[name] - begun[name])
            size[part] = size.get(part, 0.0) + _square(begun[name])
    return {part: math.sqrt(far[part] / (size[part] or 1.0)) for part in far}


def _square(weight: Tensor) -> float:
    """Give the sum of a tensor's squares."""
    norm = float(torch.linalg.vector_norm(weight))
    if not math.isfinite(norm):  # weights that a rate blew up are finite still, their squares not
        norm = float(torch.linalg.vector_norm(weight.double()))
    return norm**2


def watch(
    model: MultiTaskModel, text: ReadText, example: Example, scores: Mapping[str, Tensor]
) -> Watched:
    """Tell predicted against actual for one row.

    Args:
        model: What scored it.
        text: The row as the model read it.
        example: Its labels; any may be missing.
        scores: By task, (1, labels) or (tokens, classes).
    """
    predicted: dict[str, Label] = {}
    confidence: dict[str, float] = {}
    for name, head in model.task_heads.items():
        predicted[name] = head.said(head.task, text, scores[name])
        if head.task.of_kind.one_label:
            confidence[name] = float(scores[name].softmax(dim=1).max())
    actual = {name: each for name, each in example.labels.items() if name in model.heads}
    return Watched(text=example.text, actual=actual, predicted=predicted, confidence=confidence)
