"""What a strategy is: data that says of each part whether, when and how fast it trains.

Layers are numbered as people count them, 1 to L; 0 is the embeddings. What lies above the highest
layer read never runs, whatever a strategy says of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the network that is frozen or trained as one.

    Attributes:
        layer: 0 for the embeddings, 1 to L for a layer; None for a head.
        task: A head's task; empty for a part of the encoder.
    """

    layer: int | None = None
    task: str = ""

    def __str__(self) -> str:
        if self.layer is None:
            return f"head {self.task}"
        return f"layer {self.layer}" if self.layer else "embeddings"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """When in a training, and in how much of the network.

    Attributes:
        epoch: Epochs done.
        epochs: Epochs planned.
        top: The highest layer that a head reads.
    """

    epoch: int
    epochs: int
    top: int


@dataclass(frozen=True, kw_only=True)
class Typed:
    """A strategy's name as a person types it, and for what.

    Attributes:
        given: The name, without where the heads read.
        name: The same for an error: all that was typed, at most so long.
        layers: How many layers the encoder has.
        tasks: The tasks there are; None where nobody knows.
    """

    given: str
    name: str
    layers: int
    tasks: Sequence[str] | None = None

    @property
    def word(self) -> str:
        """What stands before the colon."""
        return self.given.partition(":")[0]

    @property
    def rest(self) -> str:
        """What stands behind it; empty where there is none."""
        return self.given.partition(":")[2]


class Strategy:
    """Which parts train, and when. A new one is a subclass, in `core.strategy.strategies.KINDS`.

    Attributes:
        pattern: How its name is typed, with an example of what is to be filled in.
        called: What people call it.
        place: Where its card stands among the others, the plainest first.
        listed: What a list of plain choices calls it; empty where it is not in it.
        settable: What can be set of it beside its name: its field, by the option's name.
        trains_encoder: Whether it trains any of the encoder.
        trains_heads: Whether it trains any head.
        takes_in_code: In code without Thaw, the condition on a weight's `name` under which it
            trains where its part does; empty for all.
        does: What it does, in a sentence.
        good: What speaks for it.
        bad: What speaks against it.
        when: When to use it.
        source: Where it comes from.
        rates_from: Where its rates and epochs come from.
        encoder_rate: Learning rate of what trains in the encoder, unless told.
        head_rate: Learning rate of the heads, unless told.
        head_penalty: L2 penalty on the heads' matrices, in nats per squared weight, unless told.
        epochs: The most epochs, unless told.
        patience: Epochs without a better score on the validation rows before it stops, unless
            told.
        gradient: What a trained layer's gradient costs, in forward runs of that layer: one for
            what lies below it, and one for its weights.
    """

    pattern: ClassVar[str]
    called: ClassVar[str]
    place: ClassVar[int]
    listed: ClassVar[str] = ""
    settable: ClassVar[Mapping[str, str]] = {}
    trains_encoder: ClassVar[bool] = True
    trains_heads: ClassVar[bool] = True
    takes_in_code: ClassVar[str] = ""
    does: ClassVar[str]
    good: ClassVar[str]
    bad: ClassVar[str]
    when: ClassVar[str]
    source: ClassVar[str]
    rates_from: ClassVar[str] = "As `full`'s, which is nearest to it: not tried by itself."
    encoder_rate: ClassVar[float] = 3e-4
    head_rate: ClassVar[float] = 1e-2
    head_penalty: ClassVar[float] = 0.0
    epochs: ClassVar[int] = 10
    patience: ClassVar[int] = 3
    gradient: ClassVar[float] = 2.0

    @classmethod
    def parse(cls, typed: Typed) -> Self | None:
        """Read a name as one of this strategy; None where it is another's.

        Raises:
            ValueError: If it is this strategy's and says what cannot be.
        """
        return cls() if typed.given == cls.pattern else None

    @classmethod
    def example(cls, layers: int, tasks: Sequence[str]) -> str:  # noqa: ARG003 (plain ones are one)
        """Name one that makes sense for an encoder and some tasks; empty where none does."""
        return cls.pattern

    @classmethod
    def choices(cls, layers: int) -> list[tuple[str, str]]:  # noqa: ARG003 (as above)
        """List what a list of plain choices offers of it: what that says, and the name."""
        return [(cls.listed, cls.pattern)] if cls.listed else []

    @property
    def name(self) -> str:
        """How a person types it."""
        return self.pattern

    @property
    def title(self) -> str:
        """What people call it, with what was filled in."""
        return self.called

    @property
    def settings(self) -> Mapping[str, float]:
        """What was set of it beside its name, by the option's name."""
        given = {option: getattr(self, field) for option, field in self.settable.items()}
        return {option: value for option, value in given.items() if value is not None}

    @property
    def held_head(self) -> str:
        """The task that it names, whose head it keeps frozen; empty for none."""
        return ""

    @property
    def adapter_rank(self) -> int | None:
        """The rank of the adapters that it puts in and trains; None where it has none."""
        return None

    @property
    def was_changed(self) -> bool:
        """Whether it was changed while it ran, so that what is frozen now may have moved before."""
        return False

    def trains(self, part: Part) -> bool:
        """Tell whether a part is ever trained."""
        raise NotImplementedError

    def rate(self, part: Part, moment: Moment) -> float:
        """Give the share of a part's full learning rate at a moment; 0 is frozen."""
        del moment  # most strategies are the same from the first step to the last
        return float(self.trains(part))

    def takes(self, weight: str) -> bool:
        """Tell whether a weight of a part that trains does so, by the weight's name."""
        del weight
        return True


def parts_of(layers: int, tasks: Sequence[str]) -> list[Part]:
    """List the parts of a model: embeddings, layers, heads."""
    encoder = [Part(layer=layer) for layer in range(layers + 1)]
    return encoder + [Part(task=task) for task in tasks]


def frozen_depth(strategy: Strategy, layers: int, moment: Moment | None = None) -> int | None:
    """Find the highest layer up to which nothing trains: None where the embeddings do.

    Args:
        strategy: What trains.
        layers: How many layers there are.
        moment: When; None asks what never trains.
    """
    depth = None
    for layer in range(layers + 1):
        part = Part(layer=layer)
        now = None if strategy.was_changed else moment
        if strategy.trains(part) and (now is None or strategy.rate(part, now) > 0):
            break
        depth = layer
    return depth


def lowest_read(strategy: Strategy, layers: int) -> int:
    """Name the lowest layer that a head may read without leaving the encoder nothing to train."""
    depth = frozen_depth(strategy, layers)
    return 0 if depth is None or depth == layers else depth + 1
