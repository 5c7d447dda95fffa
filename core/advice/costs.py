"""What a strategy costs, and which of two is cheaper."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.measures.metrics import Interval

ALIKE = 0.10
"""Costs within this share of the lower one count as equal."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A strategy that may be advised, and what it costs; None where that is not known.

    Attributes:
        name: As a person types it.
        trainable_parameters: Weights that train.
        seconds: Of all its training, as if it ran alone.
        memory_bytes: At its peak.
        sentences_per_second: When predicting.
        forgetting: Spearman lost on the probe; None where it was not measured.
    """

    name: str
    trainable_parameters: int | None = None
    seconds: float | None = None
    memory_bytes: float | None = None
    sentences_per_second: float | None = None
    forgetting: Interval | None = None

    def cost(self, kind: str) -> float | None:
        """Return a cost, one of `core.config.COSTS`: the lower the cheaper, 0 at least."""
        if kind == "inference":
            speed = self.sentences_per_second
            return 1 / speed if speed else None
        if kind == "forgetting":
            # What the probe gained is no thrift: it counts as nothing forgotten.
            return None if self.forgetting is None else max(0.0, self.forgetting.mean)
        costs = {
            "seconds": self.seconds,
            "memory": self.memory_bytes,
            "parameters": self.trainable_parameters,
        }
        return costs[kind]


def by_cost(candidates: Sequence[Candidate], kind: str) -> list[Candidate]:
    """Order candidates, the cheapest first.

    Costs within `ALIKE` of the cheapest of them are equal; then fewer trainable parameters come
    first, then the order given. As "within a tenth" chains, equal costs are cut into runs from
    the cheapest on, so that there is one order. What is unknown is never taken for cheap.

    Args:
        candidates: In the order given.
        kind: What a cheaper one is cheaper in, one of `core.config.COSTS`.
    """

    def parameters(candidate: Candidate) -> float:
        known = candidate.trainable_parameters
        return float("inf") if known is None else known

    priced = [(each.cost(kind), place) for place, each in enumerate(candidates)]
    known = sorted((cost, place) for cost, place in priced if cost is not None)
    alike: list[list[int]] = []
    first = 0.0
    for cost, place in known:
        if alike and cost <= first * (1 + ALIKE):
            alike[-1].append(place)
        else:
            alike.append([place])
            first = cost
    alike.append([place for cost, place in priced if cost is None])
    return [
        candidates[place]
        for places in alike
        for place in sorted(places, key=lambda at: (parameters(candidates[at]), at))
    ]
