"""What a strategy reaches in a model: its weights, their modes, rates and optimiser."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from core.config import TrainingChoice
from core.encoder.adapters import adapter_weights
from core.model.model import MultiTaskModel
from core.strategy.strategy import Moment, Part, Strategy, parts_of
from core.training.adamw import AdamW

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
    layers, every = backbone.layers(), list(backbone.named_parameters())
    if part.layer > 0:
        own = {id(weight) for weight in layers[part.layer - 1].parameters()}
    else:
        inside = {id(weight) for layer in layers for weight in layer.parameters()}
        own = {id(weight) for _, weight in every} - inside
    last = {
        id(weight)
        for name, weight in every
        if name.removeprefix("model.").partition(".")[0] in LAST_NORMS
    }
    own = own - last if part.layer == 0 else own | (last if part.layer == len(layers) else set())
    return {name: each for name, each in every if id(each) in own}


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


def thaw(
    model: MultiTaskModel, strategy: Strategy, moment: Moment | None = None
) -> dict[str, nn.Parameter]:
    """Let gradients reach what trains and nothing else.

    Args:
        model: Whose weights.
        strategy: What trains.
        moment: When; None is whenever.

    Returns:
        The weights that ever train, by name, also those that are frozen at the moment.
    """
    model.requires_grad_(False)
    trained: dict[str, nn.Parameter] = {}
    for part in trained_parts(model, strategy):
        now = moment is None or strategy.rate(part, moment) > 0
        for name, weight in part_weights(model, strategy, part).items():
            weight.requires_grad_(now)
            trained[name] = weight
    return trained


def part_weights(model: MultiTaskModel, strategy: Strategy, part: Part) -> dict[str, nn.Parameter]:
    """List the weights of a part that a strategy trains where it trains the part at all."""
    weights = part_parameters(model, part)
    return {name: weight for name, weight in weights.items() if strategy.takes(name)}


def build_optimizer(
    model: MultiTaskModel,
    strategy: Strategy,
    choice: TrainingChoice,
    beside: Sequence[nn.Parameter] = (),
) -> AdamW | None:
    """Give AdamW every weight that will ever train; None where none does.

    Each group keeps its full learning rate as `full_lr` and its part as `part`. Biases, norms and
    other weights of one dimension do not decay.

    Args:
        model: Whose weights.
        strategy: What trains.
        choice: Rates and decay.
        beside: Weights that train beside the model, as a balance's do, at the heads' rate.

    Source:
        Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization (arXiv:1711.05101).
    """
    groups: list[dict[str, Any]] = []
    head_rate = choice.head_rate or strategy.head_rate
    for part in trained_parts(model, strategy):
        encoder_rate = choice.encoder_rate or strategy.encoder_rate
        rate = head_rate if part.layer is None else encoder_rate
        weights = list(part_weights(model, strategy, part).values())
        groups += _groups_of(weights, part, rate, choice.weight_decay)
    if groups and beside:
        groups.append({"params": list(beside), "full_lr": head_rate, "weight_decay": 0.0})
    for group in groups:
        group["lr"] = group["full_lr"]
    return AdamW(groups) if groups else None


def add_to_optimizer(
    optimizer: torch.optim.Optimizer,
    weights: Sequence[nn.Parameter],
    part: Part,
    rate: float,
    weight_decay: float,
) -> None:
    """Give an optimiser weights of a part that it did not know, in groups as `build_optimizer`'s.

    Args:
        optimizer: What `build_optimizer` returned.
        weights: None of which it knows.
        part: Whose they are.
        rate: Their full learning rate.
        weight_decay: Of those of more than one dimension.
    """
    for group in _groups_of(weights, part, rate, weight_decay):
        optimizer.add_param_group({**group, "lr": rate})


def _groups_of(
    weights: Sequence[nn.Parameter], part: Part, rate: float, weight_decay: float
) -> list[dict[str, Any]]:
    return [
        {"params": some, "full_lr": rate, "weight_decay": decay, "part": part}
        for some, decay in (
            ([weight for weight in weights if weight.ndim > 1], weight_decay),
            ([weight for weight in weights if weight.ndim <= 1], 0.0),
        )
        if some
    ]


def set_rates(
    optimizer: torch.optim.Optimizer, strategy: Strategy, moment: Moment, share: float
) -> None:
    """Give each part its learning rate at a moment, `share` of the full one times its own."""
    for group in optimizer.param_groups:
        own = strategy.rate(group["part"], moment) if "part" in group else 1.0
        group["lr"] = group["full_lr"] * share * own


def set_modes(model: MultiTaskModel, strategy: Strategy, moment: Moment | None = None) -> None:
    """Put what trains into training mode: what is frozen runs without dropout.

    Args:
        model: Whose modules.
        strategy: What trains.
        moment: When; None is whenever.
    """

    def trains(part: Part) -> bool:
        now = moment is None or strategy.rate(part, moment) > 0
        return strategy.trains(part) and now

    model.eval()
    backbone = model.encoder.backbone
    if trains(Part(layer=0)):
        backbone.train()  # the embeddings are what is left when each layer has its own mode
    for number, layer in enumerate(backbone.layers(), 1):
        layer.train(trains(Part(layer=number)))
    for task in model.tasks:
        model.heads[task.name].train(trains(Part(task=task.name)))


def modes_of(
    model: MultiTaskModel, strategy: Strategy, moment: Moment
) -> list[tuple[nn.Module, bool]]:
    """Put each module into its mode, as `set_modes` does, and list the modes for `keep_modes`."""
    set_modes(model, strategy, moment)
    return [(module, module.training) for module in model.modules()]


def keep_modes(modes: Sequence[tuple[nn.Module, bool]]) -> None:
    """Put each module back into its mode, if somebody changed it."""
    for module, training in modes:
        if module.training is not training:
            module.training = training


def rate_share(step: int, steps: int, warmup: float, schedule: str = "linear") -> float:
    """Give the share of the full learning rate at a step: a linear rise, then a fall.

    Args:
        step: How many steps are done.
        steps: How many there will be at most.
        warmup: The share of the steps over which the rate rises.
        schedule: How it falls: `linear`, or `cosine` as half a wave.

    Returns:
        Above 0, at most 1.

    Source:
        Loshchilov & Hutter 2017, SGDR, equation 5 without restarts, for the cosine
        (arXiv:1608.03983).
    """
    rise = max(1, round(warmup * steps))
    if schedule == "cosine" and step >= rise:
        return (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise))) / 2
    return min((step + 1) / rise, (steps - step) / max(1, steps - rise), 1.0)


def part_sizes(model: MultiTaskModel, strategy: Strategy, part: Part) -> tuple[int, int]:
    """Count the weights of a part that ever train, and all of them."""
    every = sum(weight.numel() for weight in part_parameters(model, part).values())
    if part not in trained_parts(model, strategy):
        return 0, every
    return sum(weight.numel() for weight in part_weights(model, strategy, part).values()), every


def planned_sizes(model: MultiTaskModel, strategy: Strategy) -> dict[Part, tuple[int, int]]:
    """Count, part by part, the weights that would ever train and all there would be.

    Args:
        model: As it is before training: without the adapters that a strategy may put in.
        strategy: What would train.
    """
    layers, sizes = model.encoder.backbone.layers(), dict[Part, tuple[int, int]]()
    for part in model_parts(model):
        trained, every = part_sizes(model, strategy, part)
        rank = strategy.adapter_rank
        if rank is not None and part.layer and part.layer <= model.highest_read:
            added = adapter_weights(layers[part.layer - 1], rank)
            trained, every = added, every + added
        sizes[part] = trained, every
    return sizes
