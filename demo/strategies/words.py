"""Strategies in people's words: titles, what is known of each, and the choices of a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.strategy.strategies import KINDS, Lower
from core.strategy.strategy import Strategy
from core.strategy.words import layer_name

if TYPE_CHECKING:  # torch is behind it
    from core.strategy.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A strategy as a card shows it.

    Attributes:
        pattern: How it is typed, with what is to be filled in.
        title: What people call it.
        kind: Whose words describe it.
        name: One of its kind, for an encoder of so many layers and some tasks.
    """

    pattern: str
    title: str
    kind: type[Strategy]
    name: str


def offers(layers: int, tasks: Sequence[str]) -> list[Offer]:
    """List a card for each strategy there is, each drawn with a setting that makes sense.

    Args:
        layers: How many layers the encoder has.
        tasks: The tasks there are, at least one.
    """
    return [
        Offer(pattern=kind.pattern, title=kind.called, kind=kind, name=name)
        for kind in sorted(KINDS, key=lambda each: each.place)
        if (name := kind.example(layers, tasks))
    ]


def title_of(scenario: "Scenario") -> str:
    """Say what a strategy does and where its heads read, in a few words."""
    title = scenario.strategy.title
    if scenario.read is None:
        return title
    read = {"auto": "each task read at its best layer", "mix": "a mix of layers read"}
    return f"{title}, {read.get(str(scenario.read), f'read at {layer_name(scenario.read)}')}"


def short_count(count: int) -> str:
    """Write a number of weights briefly: 950, 2.3k, 1.8M."""
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if count >= size:
            shown = count / size
            return f"{shown:.0f}{letter}" if shown >= 100 else f"{shown:.1f}{letter}"
    return str(count)


Choice = tuple[str, str]
"""What the list says, and the strategy's name."""


def choices(layers: int) -> list[Choice]:
    """List what is offered; any other name may be typed, or made on the strip.

    Args:
        layers: How many layers the encoder has.
    """
    kinds = sorted(KINDS, key=lambda each: each.place)
    return [choice for kind in kinds for choice in kind.choices(layers)]


def first_choice(layers: int) -> str:
    """Name what is chosen at first: the upper third trains."""
    return Lower.shares(layers)[1].name


def followed(name: str, before: int, layers: int) -> str:
    """Name what a choice is on an encoder of another depth.

    What the list offered of a share of the layers is the same share; any other name stays.

    Args:
        name: What was chosen.
        before: How many layers the encoder had.
        layers: How many it has.
    """
    shares = [each.name for each in Lower.shares(before)]
    return Lower.shares(layers)[shares.index(name)].name if name in shares else name
