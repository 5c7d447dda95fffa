"""What a thaw plan reaches in a model: its weights, their modes, rates and optimiser."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from core.config import TrainingChoice
from core.encoder.adapters import adapter_weights
from core.model.model import MultiTaskModel
from core.strategy.scenario import Scenario
from core.strategy.strategy import Part, parts_of
from core.strategy.thaw_plan import ThawPlan
from core.training.adamw import AdamW

LAST_NORMS = ("norm", "final_norm")
"""What families call a norm that follows their last layer."""

Weights = dict[str, nn.Parameter]
"""By name."""


def plan_for(model: MultiTaskModel, scenario: Scenario, epochs: int) -> ThawPlan:
    """Plan a run of a model, whose heads read where they should."""
    read = {name: head.shape.read for name, head in model.task_heads.items()}
    return ThawPlan(scenario=scenario, read=read, layers=model.encoder.layers, epochs=epochs)


def part_parameters(model: MultiTaskModel, part: Part) -> Weights:
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


class Thawing:
    """A thaw plan on a model, whose weights are looked up once.

    Args:
        model: Whose weights; with adapters, where the strategy trains those.
        plan: What trains of it.

    Attributes:
        weights: By part that ever trains, those of its weights that do, by name.
    """

    def __init__(self, model: MultiTaskModel, plan: ThawPlan) -> None:
        self.model, self.plan = model, plan
        self._all = {part: part_parameters(model, part) for part in plan.parts}
        self.weights: Mapping[Part, Weights] = {
            part: {name: each for name, each in self._all[part].items() if plan.takes(name)}
            for part in plan.trained
        }

    @property
    def trained(self) -> Weights:
        """The weights that ever train, by name, also those that are frozen at the moment."""
        return {name: each for own in self.weights.values() for name, each in own.items()}

    def sizes(self, part: Part) -> tuple[int, int]:
        """Count the weights of a part that ever train, and all of them."""
        every = sum(weight.numel() for weight in self._all[part].values())
        return sum(weight.numel() for weight in self.weights.get(part, {}).values()), every

    def _trains(self, part: Part, epoch: int | None) -> bool:
        return part in self.weights and (epoch is None or self.plan.shares[part][epoch] > 0)

    def thaw(self, epoch: int | None = None) -> None:
        """Let gradients reach what trains in an epoch, None being whenever, and nothing else."""
        self.model.requires_grad_(False)
        for part, own in self.weights.items():
            for weight in own.values():
                weight.requires_grad_(self._trains(part, epoch))

    def set_modes(self, epoch: int | None = None) -> None:
        """Put what trains into training mode: what is frozen runs without dropout."""
        self.model.eval()
        backbone = self.model.encoder.backbone
        if self._trains(Part(layer=0), epoch):
            backbone.train()  # the embeddings are what is left when each layer has its own mode
        for number, layer in enumerate(backbone.layers(), 1):
            layer.train(self._trains(Part(layer=number), epoch))
        for task in self.model.tasks:
            self.model.heads[task.name].train(self._trains(Part(task=task.name), epoch))

    def modes(self, epoch: int) -> list[tuple[nn.Module, bool]]:
        """Put each module into its mode, as `set_modes` does, and list them for `keep_modes`."""
        self.set_modes(epoch)
        return [(module, module.training) for module in self.model.modules()]

    def optimizer(
        self, choice: TrainingChoice, beside: Sequence[nn.Parameter] = ()
    ) -> AdamW | None:
        """Give AdamW every weight that will ever train; None where none does.

        Each group keeps its full learning rate as `full_lr` and its part as `part`. Biases, norms
        and other weights of one dimension do not decay.

        Args:
            choice: Rates and decay.
            beside: Weights that train beside the model, as a balance's do, at the heads' rate.

        Source:
            Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization (arXiv:1711.05101).
        """
        groups: list[dict[str, Any]] = []
        head_rate = choice.head_rate or self.plan.strategy.head_rate
        encoder_rate = choice.encoder_rate or self.plan.strategy.encoder_rate
        for part, own in self.weights.items():
            rate = head_rate if part.layer is None else encoder_rate
            groups += _groups_of(list(own.values()), part, rate, choice.weight_decay)
        if groups and beside:
            groups.append({"params": list(beside), "full_lr": head_rate, "weight_decay": 0.0})
        for group in groups:
            group["lr"] = group["full_lr"]
        return AdamW(groups) if groups else None

    def set_rates(self, optimizer: torch.optim.Optimizer, epoch: int, share: float) -> None:
        """Give each part its learning rate in an epoch, `share` of the full one times its own."""
        for group in optimizer.param_groups:
            own = self.plan.shares[group["part"]][epoch] if "part" in group else 1.0
            group["lr"] = group["full_lr"] * share * own


def add_to_optimizer(
    optimizer: torch.optim.Optimizer,
    weights: Sequence[nn.Parameter],
    part: Part,
    rate: float,
    weight_decay: float,
) -> None:
    """Give an optimiser weights of a part that it did not know, in groups as `Thawing.optimizer`'s.

    Args:
        optimizer: What `Thawing.optimizer` returned.
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


def planned_sizes(model: MultiTaskModel, plan: ThawPlan) -> dict[Part, tuple[int, int]]:
    """Count, part by part, the weights that would ever train and all there would be.

    Args:
        model: As it is before training: without the adapters that a strategy may put in.
        plan: What would train.
    """
    layers, sizes = model.encoder.backbone.layers(), dict[Part, tuple[int, int]]()
    thawing, rank = Thawing(model, plan), plan.strategy.adapter_rank
    for part in plan.parts:
        trained, every = thawing.sizes(part)
        if rank is not None and part.layer and part.layer <= plan.top:
            added = adapter_weights(layers[part.layer - 1], rank)
            trained, every = added, every + added
        sizes[part] = trained, every
    return sizes
