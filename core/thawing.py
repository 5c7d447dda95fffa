"""What a strategy reaches in a model: its weights, their modes, rates and optimiser."""

from collections.abc import Sequence

import torch
from torch import nn

from core.config import TrainingChoice
from core.freezing import Part, Strategy, parts_of
from core.model import MultiTaskModel

LAST_NORMS = ("norm", "final_norm")
"""What families call a norm that follows their last layer."""


def part_parameters(model: MultiTaskModel, part: Part) -> dict[str, nn.Parameter]:
    """List a part's weights by name.

    What lies beside the layers belongs to the embeddings, as MPNet's shared position bias does;
    a norm after the last layer belongs to that layer. Each weight is in one part.
    """
    if part.layer is None:
        return dict(model.heads[part.task].named_parameters(prefix=f"heads.{part.task}"))
    backbone = model.encoder.backbone
    layers = backbone.layers()
    if part.layer > 0:
        own = {id(weight) for weight in layers[part.layer - 1].parameters()}
    else:
        inside = {id(weight) for layer in layers for weight in layer.parameters()}
        own = {id(weight) for weight in backbone.parameters()} - inside
    last = {
        id(weight)
        for name, weight in backbone.named_parameters()
        if name.removeprefix("model.").partition(".")[0] in LAST_NORMS
    }
    own = own - last if part.layer == 0 else own | (last if part.layer == len(layers) else set())
    return {name: each for name, each in backbone.named_parameters() if id(each) in own}


def model_parts(model: MultiTaskModel) -> list[Part]:
    """List a model's parts: embeddings, layers, heads."""
    return parts_of(model.encoder.layers, [task.name for task in model.tasks])


def trained_parts(model: MultiTaskModel, strategy: Strategy) -> list[Part]:
    """List the parts that ever train: not those above the highest layer read, which never run."""
    highest = model.highest_read
    return [
        part
        for part in model_parts(model)
        if strategy.trains(part) and (part.layer is None or part.layer <= highest)
    ]


def thaw(model: MultiTaskModel, strategy: Strategy) -> dict[str, nn.Parameter]:
    """Let gradients reach what trains and nothing else.

    Returns:
        The weights that train, by name.
    """
    model.requires_grad_(False)
    trained: dict[str, nn.Parameter] = {}
    for part in trained_parts(model, strategy):
        trained.update(part_parameters(model, part))
    for weight in trained.values():
        weight.requires_grad_(True)
    return trained


def build_optimizer(
    model: MultiTaskModel, strategy: Strategy, choice: TrainingChoice
) -> torch.optim.Optimizer | None:
    """Give AdamW every weight that will ever train; None where none does.

    Each group keeps its full learning rate as `full_lr`. Biases, norms and other weights of one
    dimension do not decay.

    Source:
        Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization (arXiv:1711.05101).
    """
    groups = []
    for part in trained_parts(model, strategy):
        if part.layer is None:
            rate = choice.head_rate or strategy.head_rate
        else:
            rate = choice.encoder_rate or strategy.encoder_rate
        weights = list(part_parameters(model, part).values())
        for some, decay in (
            ([weight for weight in weights if weight.ndim > 1], choice.weight_decay),
            ([weight for weight in weights if weight.ndim <= 1], 0.0),
        ):
            if some:
                groups.append({"params": some, "lr": rate, "full_lr": rate, "weight_decay": decay})
    return torch.optim.AdamW(groups, fused=True) if groups else None


def set_modes(model: MultiTaskModel, strategy: Strategy) -> None:
    """Put what trains into training mode: what is frozen runs without dropout."""
    model.eval()
    backbone = model.encoder.backbone
    if strategy.trains(Part(layer=0)):
        backbone.train()  # the embeddings are what is left when each layer has its own mode
    for number, layer in enumerate(backbone.layers(), 1):
        layer.train(strategy.trains(Part(layer=number)))
    for task in model.tasks:
        model.heads[task.name].train(strategy.trains(Part(task=task.name)))


def rate_share(step: int, steps: int, warmup: float) -> float:
    """Give the share of the full learning rate at a step: a linear rise, then a linear fall.

    Args:
        step: How many steps are done.
        steps: How many there will be at most.
        warmup: The share of the steps over which the rate rises.

    Returns:
        Above 0, at most 1.
    """
    rise = max(1, round(warmup * steps))
    return min((step + 1) / rise, (steps - step) / max(1, steps - rise), 1.0)


def weights_in(model: MultiTaskModel, parts: Sequence[Part]) -> int:
    """Count the weights of some parts."""
    return sum(w.numel() for part in parts for w in part_parameters(model, part).values())
