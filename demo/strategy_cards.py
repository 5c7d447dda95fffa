"""Strategies as cards, and the ones chosen for a comparison, each with a small picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from demo.charts import View
from demo.layer_strip import Network
from demo.strategy_words import offers, title_of

if TYPE_CHECKING:  # torch is behind it
    from core.scenario import Scenario

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


def default_names(layers: int) -> list[str]:
    """Name what is compared unless a person says otherwise."""
    third, two_thirds = layers // 3, 2 * layers // 3
    names = ("heads", "heads@auto", f"lower:{third}@auto", f"lower:{third}")
    return list(dict.fromkeys((*names, f"lower:{two_thirds}", "full")))


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
    """Draw a strategy as letters, bottom up: f frozen, t trains, l later, p partly, n not run.

    The last letter stands for the heads.
    """
    from core.freezing import Moment, Part
    from core.train_plan import PARTLY

    strategy, layers = scenario.strategy, network.layers
    read = network.read(scenario).values()
    top = max(each if isinstance(each, int) else layers for each in read)
    start = Moment(epoch=0, epochs=strategy.epochs, top=top)
    partly = {Part(layer=k) for k in range(layers + 1) if not strategy.takes("weight")}

    def letter(part: Part) -> str:
        if part.layer is not None and part.layer > top:
            return "n"
        if not strategy.trains(part):
            return "f"
        if part in partly and part.layer is not None:
            return PARTLY[0]
        return "t" if strategy.rate(part, start) > 0 else "l"

    heads = [letter(Part(task=task)) for task in network.names]
    head = "t" if "t" in heads else "f"
    mixed = "p" if len(set(heads)) > 1 else head
    return "".join(letter(Part(layer=layer)) for layer in range(layers + 1)) + mixed
