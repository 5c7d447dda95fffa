"""Strategies as cards, and the ones chosen for a comparison, each with a small picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from demo.frame.views import View
from demo.strategies.strip import Network
from demo.strategies.words import offers, title_of

if TYPE_CHECKING:  # torch is behind it
    from core.strategy.scenario import Scenario

MOST_CHOSEN = 12
"""Strategies that one comparison on the page takes; the command line takes more."""


def cards_view(network: Network, names: Sequence[str]) -> View:
    """Lay out the strategies on offer, and those chosen.

    Args:
        network: What they would train.
        names: Of those chosen.
    """
    return {
        "offers": [
            {
                "pattern": offer.pattern,
                "title": offer.title,
                "name": offer.name,
                "does": offer.kind.does,
                "good": offer.kind.good,
                "bad": offer.kind.bad,
                "when": offer.kind.when,
                "source": offer.kind.source,
                "parts": small_picture(network, network.parse(offer.name)),
            }
            for offer in offers(network.layers, network.names)
        ],
        "chosen": chosen_view(network, names),
    }


def chosen_view(network: Network, names: Sequence[str]) -> list[View]:
    """Lay out the strategies chosen: name, title, and a small picture of each."""
    found = []
    for name in names:
        scenario = network.parse(name)
        found.append(
            {
                "name": scenario.name,
                "title": title_of(scenario),
                "parts": small_picture(network, scenario),
            }
        )
    return found


def small_picture(network: Network, scenario: "Scenario") -> str:
    """Draw a strategy for a network, as `letters` does."""
    read = network.read(scenario).values()
    top = max(each if isinstance(each, int) else network.layers for each in read)
    return letters(scenario, network.layers, network.names, top)


def letters(scenario: "Scenario", layers: int, tasks: Sequence[str], top: int) -> str:
    """Draw a strategy as letters, bottom up: f frozen, t trains, l later, p partly, n not run.

    The last letter stands for the heads.

    Args:
        scenario: Whose strategy.
        layers: How many layers the encoder has.
        tasks: The tasks there are.
        top: The highest layer that a head reads.
    """
    from core.strategy.strategy import Part
    from core.strategy.thaw_plan import ThawPlan

    read, epochs = dict.fromkeys(tasks, top), scenario.strategy.epochs
    plan = ThawPlan(scenario=scenario, read=read, layers=layers, epochs=epochs)
    whole = plan.takes("layer.weight")  # a matrix trains where its part does

    def letter(part: Part) -> str:
        if part.layer is not None and part.layer > top:
            return "n"
        if part not in plan.trained:
            return "f"
        if part.layer is not None and not whole:
            return "p"
        return "t" if plan.shares[part][0] > 0 else "l"

    heads = {letter(Part(task=task)) for task in tasks}
    head = "p" if len(heads) > 1 else "".join(heads)
    return "".join(letter(Part(layer=layer)) for layer in range(layers + 1)) + head


def default_names(layers: int) -> list[str]:
    """Name what is compared unless a person says otherwise."""
    from core.comparison.choice import default_strategies

    return [scenario.name for scenario in default_strategies(layers)]
