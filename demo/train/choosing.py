"""What the Train tab's strip, strategy and notes do: they always say the same strategy."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from core.config import EncoderChoice
from demo.frame.spoken import as_sentence
from demo.frame.views import View
from demo.frame.widgets import SKIP, Updates, answered, given_by
from demo.freeze.profiles import ProfileShelf
from demo.shelves.working_data import CORPUS_DATA, WorkingData
from demo.strategies.cards import small_picture
from demo.strategies.clicks import LONGEST_NAME, clicked
from demo.strategies.strip import Network, strip_view
from demo.strategies.words import choices, first_choice, followed, title_of
from demo.train.notes import Controls, notes

if TYPE_CHECKING:  # torch is behind it
    from core.strategy.scenario import Scenario


FIRST_LAYERS = 6
"""The depth of the built-in encoder, for which the strategy's list is laid out at first."""


class Drawn(NamedTuple):
    """What is drawn on the strip.

    Attributes:
        name: The strategy's.
        layers: How many layers the encoder has; 0 while nothing is drawn.
        encoder: Its name.
        data: Whose tasks the heads are of.
    """

    name: str = ""
    layers: int = 0
    encoder: str = ""
    data: WorkingData = CORPUS_DATA


class Chosen(NamedTuple):
    """What is chosen, as the fields hold it.

    Attributes:
        typed: The strategy's name.
        tasks: The tasks ticked.
        epochs: How many.
        working: The working data.
        choice: The working encoder.
    """

    typed: str | None
    tasks: Sequence[str] | None
    epochs: float | None
    working: WorkingData
    choice: EncoderChoice

    @property
    def name(self) -> str:
        """The strategy's name, as it may be typed."""
        return str(self.typed or "").strip()

    def drawn(self, scenario: "Scenario", network: Network) -> Drawn:
        """Say what is drawn of it."""
        return Drawn(scenario.name, network.layers, self.choice.name, self.working)


class ChoosingEvents:
    """The callbacks.

    Args:
        profiles: What is known of the working data, and what strategies would train.
    """

    def __init__(self, profiles: ProfileShelf) -> None:
        self.profiles = profiles

    def open(self, drawn: Drawn, *given: Any) -> Updates:  # noqa: ANN401 (as in `Chosen`)
        """Draw what the strategy's field says: returns drawn, strip, card, the field.

        On an encoder of another depth the field's list and its choice follow. What is no strategy
        is said under the strip, which stays.
        """

        def draw() -> Updates:
            chosen = Chosen(*given)
            network, name, field = self._network(chosen), chosen.name, SKIP
            before = drawn.layers or FIRST_LAYERS
            if network.layers != before:
                name = followed(name, before, network.layers)
                field = gr.update(choices=choices(network.layers), value=name)
            scenario, said = _read(network, name, drawn.name)
            return chosen.drawn(scenario, network), *_views(network, scenario, chosen, said), field

        return answered(draw)

    def follow(self, drawn: Drawn, *given: Any) -> Updates:  # noqa: ANN401 (as `open`)
        """Draw anew, as `open`, once the tab was opened; before that nothing is loaded for it."""
        return self.open(drawn, *given) if drawn.layers else (SKIP,) * 4

    def click(self, drawn: Drawn, asked: gr.EventData, *given: Any) -> Updates:  # noqa: ANN401
        """Change what is drawn as a click on the strip asks: returns as `open`."""
        what = given_by(asked)

        def draw() -> Updates:
            chosen = Chosen(*given)
            network = self._network(chosen)
            shown, _ = _read(network, chosen.name, drawn.name)
            scenario, said = clicked(network, shown.name, what)
            views = _views(network, scenario, chosen, said)
            return chosen.drawn(scenario, network), *views, gr.update(value=scenario.name)

        return answered(draw)

    def notes(self, drawn: Drawn, *fields: Any) -> Updates:  # noqa: ANN401 (the fields)
        """Say a sentence beside each control, of the value chosen.

        Returns an update for tasks, epochs, batch, both rates, balance and seed.
        """
        if not drawn.layers:
            return (SKIP,) * 7
        _, tasks, _, epochs, batch, encoder_rate, head_rate, balance, seed = fields
        controls = {"epochs": epochs, "batch": batch, "balance": str(balance), "seed": seed}

        def say() -> dict[str, str]:
            from core.strategy.scenario import parse_strategy
            from core.strategy.strategy import Part

            scenario = parse_strategy(drawn.name, drawn.layers)
            layers = [Part(layer=layer) for layer in range(drawn.layers + 1)]
            return notes(
                Controls(
                    strategy=scenario.strategy,
                    moves=any(map(scenario.strategy.trains, layers)),
                    tasks=[str(task) for task in tasks or ()],
                    encoder_rate=encoder_rate,
                    head_rate=head_rate,
                    **controls,
                )
            )

        return tuple(gr.update(info=text) for text in answered(say).values())

    def _network(self, chosen: "Chosen") -> Network:
        """Return what would be trained: heads of the tasks ticked, of all where none is."""
        network = self.profiles.network(chosen.working, chosen.choice)
        ticked = tuple(task for task in network.tasks if task.name in (chosen.tasks or ()))
        return replace(network, tasks=ticked or network.tasks)


def _read(network: Network, typed: str, before: str) -> "tuple[Scenario, str]":
    """Read the field; what is no strategy leaves what was drawn, and is said."""
    try:
        if len(typed) > LONGEST_NAME:
            raise ValueError(f"a strategy's name is text of up to {LONGEST_NAME} characters")
        return network.parse(typed), ""
    except ValueError as error:
        said = as_sentence(error)
    for name in (before, first_choice(network.layers)):
        try:
            return network.parse(name), said
        except ValueError:  # of another encoder, or of tasks that are not ticked any more
            continue
    raise RuntimeError("the first choice is a strategy of every encoder")


def _views(network: Network, scenario: "Scenario", chosen: Chosen, said: str) -> tuple[View, View]:
    """Lay out the strip and the strategy's card."""
    epochs = max(1, int(chosen.epochs or 1))
    strategy, strip = scenario.strategy, strip_view(network, scenario, epochs)
    strip["said"] = said
    card = {
        "name": scenario.name,
        "title": title_of(scenario),
        "does": strategy.does,
        "good": strategy.good,
        "bad": strategy.bad,
        "when": strategy.when,
        "source": strategy.source,
        "parts": small_picture(network, scenario),
    }
    return strip, card
