"""A thaw plan: what a strategy answers for one run, asked once and handed down to all below."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from core.config import MIX
from core.strategy.scenario import Scenario
from core.strategy.strategy import Moment, Part, Strategy, frozen_depth, parts_of


@dataclass(frozen=True, kw_only=True)
class ThawPlan:
    """What trains when in a run, and at which share of its rate.

    Attributes:
        scenario: What was asked for.
        read: By task, the layer its head reads.
        layers: How many layers the encoder has.
        epochs: How many are planned. What is given by epoch has one more: as it is at the end.
    """

    scenario: Scenario
    read: Mapping[str, int | str]
    layers: int
    epochs: int

    @property
    def strategy(self) -> Strategy:
        """What trains, as data."""
        return self.scenario.strategy

    @cached_property
    def top(self) -> int:
        """The highest layer that a head reads, all of them where one reads a mix."""
        return max(self.layers if layer == MIX else int(layer) for layer in self.read.values())

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """All parts: embeddings, layers, heads."""
        return tuple(parts_of(self.layers, list(self.read)))

    @cached_property
    def trained(self) -> tuple[Part, ...]:
        """The parts that ever train: none above the highest layer read, as those never run."""
        return tuple(
            part
            for part in self.parts
            if self.strategy.trains(part) and (part.layer is None or part.layer <= self.top)
        )

    @cached_property
    def moves(self) -> bool:
        """Whether anything of the encoder ever trains."""
        return any(part.layer is not None for part in self.trained)

    @cached_property
    def shares(self) -> Mapping[Part, tuple[float, ...]]:
        """By part, its share of its full learning rate in each epoch; 0 is frozen."""
        return {
            part: tuple(self.strategy.rate(part, moment) for moment in self._moments)
            for part in self.parts
        }

    @cached_property
    def depth(self) -> int | None:
        """The highest layer up to which nothing ever trains; None where the embeddings do."""
        return frozen_depth(self.strategy, self.layers)

    @cached_property
    def starts(self) -> tuple[int | None, ...]:
        """By epoch, the layer from which the network has to run: up to it nothing trains.

        That is the highest one that is read, or one below it; None where the embeddings train.
        """
        depths = (frozen_depth(self.strategy, self.layers, moment) for moment in self._moments)
        return tuple(map(self._read_at_most, depths))

    @cached_property
    def start(self) -> int | None:
        """The same whenever it is, as when all has been trained."""
        return self._read_at_most(self.depth)

    @cached_property
    def layers_run(self) -> tuple[int, ...]:
        """By epoch, how many layers every text runs through: what is frozen then runs once."""
        return tuple(self.top - (start or 0) for start in self.starts[: self.epochs])

    def _read_at_most(self, depth: int | None) -> int | None:
        return None if depth is None else min(depth, self.top)

    @cached_property
    def _moments(self) -> tuple[Moment, ...]:
        epochs = range(self.epochs + 1)
        return tuple(Moment(epoch=each, epochs=self.epochs, top=self.top) for each in epochs)

    def takes(self, weight: str) -> bool:
        """Tell whether a weight of a part that trains does so, by the weight's name."""
        return self.strategy.takes(weight)
