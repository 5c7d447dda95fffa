"""How the losses of several tasks become one: a balance."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

BALANCES = ("sum", "uncertainty", "dwa")
"""Balances by name; `TASK=WEIGHT` pairs are fixed weights."""


class Balance(nn.Module):
    """Weighs tasks' losses against each other. A new one is a subclass and a name to parse.

    Attributes:
        name: How a person types it.
    """

    name: str = "sum"

    def weights(self, tasks: Iterable[str]) -> dict[str, Tensor | float]:
        """Give each task's weight at present."""
        return dict.fromkeys(tasks, 1.0)

    def penalty(self) -> Tensor | float:
        """Give what a step's loss has beside the weighed losses."""
        return 0.0

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Make one loss of a step's losses, in nats, each 0-dimensional."""
        weights = self.weights(losses)
        weighed = torch.stack([weights[task] * loss for task, loss in losses.items()])  # (tasks,)
        return weighed.sum() + self.penalty()

    def end_epoch(self, means: Mapping[str, float]) -> None:
        """Take note of each task's mean training loss in an epoch that has ended."""


class FixedWeights(Balance):
    """Weights that a person chose.

    Args:
        weights: By task; a task that is missing has weight 1.

    Raises:
        ValueError: If a weight is negative or not a number, or all are 0.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        super().__init__()
        for task, weight in weights.items():
            if not 0 <= weight < math.inf:
                raise ValueError(f"the weight of {task} is {weight}, must be 0 or more")
        self.given = dict(weights)
        self.name = "+".join(f"{task}={weight:g}" for task, weight in weights.items())

    def weights(self, tasks: Iterable[str]) -> dict[str, Tensor | float]:
        return {task: self.given.get(task, 1.0) for task in tasks}


class Uncertainty(Balance):
    """Learn how noisy each task is, and weigh it down accordingly.

    Each loss L becomes exp(-s) L + s / 2 with a learned log-variance s, which starts at 0.

    Args:
        tasks: The tasks' names.

    Source:
        Kendall, Gal & Cipolla 2018, section 3.2, equation 10, with s = log σ² (arXiv:1705.07115).
    """

    name = "uncertainty"

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.places = {task: place for place, task in enumerate(tasks)}
        self.log_variances = nn.Parameter(torch.zeros(len(tasks)))

    def weights(self, tasks: Iterable[str]) -> dict[str, Tensor | float]:
        return {task: (-self.log_variances[self.places[task]]).exp() for task in tasks}

    def penalty(self) -> Tensor | float:
        return self.log_variances.sum() / 2


class DynamicWeightAveraging(Balance):
    """Give more weight to the task whose loss fell least from one epoch to the next.

    The weights are T·softmax(r / temperature) with r the ratio of the last two epochs' losses; 1
    for all in the first two epochs.

    Args:
        tasks: The tasks' names.

    Source:
        Liu, Johns & Davison 2019, section 3.2, equation 7 (arXiv:1803.10704).
    """

    name = "dwa"
    temperature: ClassVar[float] = 2.0

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        # Buffers, so that a checkpoint holds them; NaN until an epoch has ended.
        self.register_buffer("last", torch.full((len(tasks),), math.nan))
        self.register_buffer("before", torch.full((len(tasks),), math.nan))

    def weights(self, tasks: Iterable[str]) -> dict[str, Tensor | float]:
        before, last = self.get_buffer("before"), self.get_buffer("last")
        if not (torch.isfinite(before).all() and torch.isfinite(last).all()):
            return dict.fromkeys(tasks, 1.0)
        ratios = last / before.clamp(min=1e-12)  # (tasks,)
        shares = (ratios / self.temperature).softmax(dim=0) * len(self.tasks)  # (tasks,)
        given = dict(zip(self.tasks, shares.tolist(), strict=True))
        return {task: given[task] for task in tasks}

    def end_epoch(self, means: Mapping[str, float]) -> None:
        last = self.get_buffer("last")
        self.get_buffer("before").copy_(last)
        found = [means.get(task, math.nan) for task in self.tasks]
        last.copy_(torch.tensor(found))


def parse_balance(name: str, tasks: Sequence[str]) -> Balance:
    """Read a balance's name: `sum`, `uncertainty`, `dwa`, or weights such as `topic=2+entities=1`.

    Args:
        name: As typed.
        tasks: The tasks there are.

    Raises:
        ValueError: If there is no such balance or task, or a weight is none; the sentence names
            what is allowed.
    """
    given = name.strip()
    if given == "sum":
        return Balance()
    if given == "uncertainty":
        return Uncertainty(tasks)
    if given == "dwa":
        return DynamicWeightAveraging(tasks)
    if "=" not in given:
        raise ValueError(
            f"balance is {given!r}, must be one of: {', '.join(BALANCES)}, or weights such as "
            f"{tasks[0]}=2"
        )
    weights: dict[str, float] = {}
    for pair in given.split("+"):
        task, _, number = pair.partition("=")
        if task not in tasks:
            raise ValueError(f"balance {given!r} weighs {task!r}, must be of: {', '.join(tasks)}")
        try:
            weights[task] = float(number)
        except ValueError as error:
            raise ValueError(f"the weight of {task} is {number!r}, must be a number") from error
    if not any(weights.get(task, 1.0) > 0 for task in tasks):
        raise ValueError(f"balance {given!r} gives every task weight 0: nothing would be learned")
    return FixedWeights(weights)
