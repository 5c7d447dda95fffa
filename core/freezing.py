"""What trains and what stays frozen: a strategy is data, one answer for each part and step.

Layers are numbered as people count them, 1 to L; 0 is the embeddings.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from core.heads import MIX

AUTO = "auto"
"""Read each task's best layer by its profile on the training rows."""


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


class Strategy:
    """Which parts train. A new one is a subclass, and a line in `parse_strategy`.

    Attributes:
        does: What it does, in a sentence.
        good: What speaks for it.
        bad: What speaks against it.
        when: When to use it.
        source: Where it comes from.
        encoder_rate: Learning rate of what trains in the encoder, unless told.
        head_rate: Learning rate of the heads, unless told.
        epochs: The most epochs, unless told.
    """

    does: ClassVar[str]
    good: ClassVar[str]
    bad: ClassVar[str]
    when: ClassVar[str]
    source: ClassVar[str]
    encoder_rate: ClassVar[float] = 3e-4
    head_rate: ClassVar[float] = 2e-3
    epochs: ClassVar[int] = 6

    @property
    def name(self) -> str:
        """How a person types it."""
        raise NotImplementedError

    def trains(self, part: Part) -> bool:
        """Tell whether a part is ever trained."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Frozen(Strategy):
    """Nothing trains."""

    does: ClassVar[str] = "Freezes everything: nothing is updated, the heads stay as they came."
    good: ClassVar[str] = "Costs nothing and forgets nothing."
    bad: ClassVar[str] = "Heads that nobody trained predict by chance."
    when: ClassVar[str] = "To measure a model as it is."
    source: ClassVar[str] = "The encoder as a feature extractor."

    @property
    def name(self) -> str:
        return "frozen"

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (it asks of no part)
        return False


@dataclass(frozen=True, kw_only=True)
class Heads(Strategy):
    """The encoder is frozen, the heads train."""

    does: ClassVar[str] = "Freezes the encoder and trains the heads on what it gives."
    good: ClassVar[str] = "Each sentence runs through the network once, whatever the epochs."
    bad: ClassVar[str] = "Can read off only what the encoder already knows."
    when: ClassVar[str] = "Few rows, little time, or an embedding that must not change."
    source: ClassVar[str] = "Alain & Bengio 2016 (arXiv:1610.01644)."
    head_rate: ClassVar[float] = 1e-2
    epochs: ClassVar[int] = 30  # steps are nearly free here: patience ends it

    @property
    def name(self) -> str:
        return "heads"

    def trains(self, part: Part) -> bool:
        return part.layer is None


@dataclass(frozen=True, kw_only=True)
class Lower(Strategy):
    """The embeddings and the lowest layers are frozen; the upper layers and the heads train.

    Attributes:
        layers: How many layers are frozen, beside the embeddings.
    """

    layers: int
    does: ClassVar[str] = "Freezes the embeddings and the lowest layers; the rest trains."
    good: ClassVar[str] = "Adapts what is nearest to the task; the frozen part is computed once."
    bad: ClassVar[str] = "What the lower layers miss stays missed."
    when: ClassVar[str] = "A few hundred rows or more."
    source: ClassVar[str] = "Lee, Tang & Lin 2019, What would Elsa do? (arXiv:1911.03090)."

    @property
    def name(self) -> str:
        return f"lower:{self.layers}"

    def trains(self, part: Part) -> bool:
        return part.layer is None or part.layer > self.layers


@dataclass(frozen=True, kw_only=True)
class Full(Strategy):
    """Everything trains."""

    does: ClassVar[str] = "Trains every layer, the embeddings and the heads."
    good: ClassVar[str] = "Can learn the most."
    bad: ClassVar[str] = "Costs the most, and can forget what the encoder was good for."
    when: ClassVar[str] = "Many rows, or a task far from what the encoder learned."
    source: ClassVar[str] = "Devlin et al. 2019, BERT, section 4 (arXiv:1810.04805)."

    @property
    def name(self) -> str:
        return "full"

    def trains(self, part: Part) -> bool:  # noqa: ARG002 (it says yes to every part)
        return True


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A strategy, and where the heads read.

    Attributes:
        strategy: What trains.
        read: A layer, `MIX`, `AUTO`, or None for the last.
    """

    strategy: Strategy
    read: int | str | None = None

    @property
    def name(self) -> str:
        """How a person types it."""
        return self.strategy.name if self.read is None else f"{self.strategy.name}@{self.read}"


NAMES = ("frozen", "heads", "lower:K", "full")


def parse_strategy(name: str, layers: int) -> Scenario:
    """Read a strategy's name, with where the heads read after an @.

    Args:
        name: Such as `lower:2@4`, `heads@auto` or `full`.
        layers: How many layers the encoder has.

    Raises:
        ValueError: If there is no such strategy or layer, or nothing of the encoder that is
            read would train; the sentence names what there is.
    """
    given, _, suffix = name.strip().partition("@")
    strategy = _parse_plain(given, name, layers)
    read = _parse_read(suffix, name, layers) if "@" in name else None
    if isinstance(strategy, Lower) and isinstance(read, int) and read <= strategy.layers:
        raise ValueError(
            f"{name} freezes layers 0 to {strategy.layers} and reads layer {read}, so nothing of "
            f"the encoder would train: that is heads@{read}"
        )
    return Scenario(strategy=strategy, read=read)


def _parse_plain(given: str, name: str, layers: int) -> Strategy:
    simple: dict[str, Strategy] = {each.name: each for each in (Frozen(), Heads(), Full())}
    if given in simple:
        return simple[given]
    word, _, number = given.partition(":")
    if word == "lower":
        if not number.isdecimal() or int(number) >= layers:
            raise ValueError(
                f"strategy {name!r} freezes layers 0 to {number or '?'}, must be lower:0 to "
                f"lower:{layers - 1} for an encoder of {layers} layers"
            )
        return Lower(layers=int(number))
    raise ValueError(
        f"strategy is {name!r}, must be one of: {', '.join(NAMES)}, each with @K, @auto or @mix "
        "behind it or nothing"
    )


def _parse_read(suffix: str, name: str, layers: int) -> int | str:
    if suffix in (AUTO, MIX):
        return suffix
    if suffix.isdecimal() and int(suffix) <= layers:
        return int(suffix)
    raise ValueError(f"{name!r} reads layer {suffix!r}, must be @0 to @{layers}, @{AUTO} or @{MIX}")


def parts_of(layers: int, tasks: Sequence[str]) -> list[Part]:
    """List the parts of a model: embeddings, layers, heads."""
    encoder = [Part(layer=layer) for layer in range(layers + 1)]
    return encoder + [Part(task=task) for task in tasks]


def frozen_depth(strategy: Strategy, layers: int) -> int | None:
    """Count the layers at the bottom that never train: None where the embeddings train."""
    depth = None
    for layer in range(layers + 1):
        if strategy.trains(Part(layer=layer)):
            break
        depth = layer
    return depth
