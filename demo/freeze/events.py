"""What the events of the Freeze tab do with the strip and the cards: plain values in and out."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from core.config import EncoderChoice
from demo.frame.spoken import as_page_says
from demo.frame.views import View
from demo.frame.widgets import SKIP, Updates, answered, followed, given_by, hidden, warning
from demo.frame.widgets import shown as stoppable
from demo.frame.work import RunningWork, Work, progress_line
from demo.freeze.examples import shipped
from demo.freeze.profiles import ProfileShelf, profile_view
from demo.shelves.working_data import CORPUS_DATA, WorkingData
from demo.strategies.cards import MOST_CHOSEN, cards_view, default_names
from demo.strategies.clicks import clicked, name_in
from demo.strategies.strip import Network, strip_view

if TYPE_CHECKING:  # torch is behind it
    from core.strategy.scenario import Scenario

STOPPED = '<p class="progress">Stopped; the strip works without a profile.</p>'


class FreezingEvents:
    """The callbacks.

    Args:
        profiles: What is known of the working data, and what strategies would train.
    """

    def __init__(self, profiles: ProfileShelf) -> None:
        self.profiles = profiles
        self._running = RunningWork()
        self.stop = self._running.stop

    def open(
        self,
        shown: tuple[str, WorkingData],
        working: WorkingData,
        choice: EncoderChoice,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Show the tab for the working data and encoder, where it shows others.

        Yields shown, drawn, chosen, strip, cards, status, Stop.
        """
        wanted = (choice.name, working)
        if wanted == shown:
            yield (SKIP,) * 7
            return

        def begin() -> Updates:
            from core.strategy.strategies import Lower, kind_called

            network = self.profiles.network(working, choice)
            names = default_names(network.layers)
            drawn = next(name for name in reversed(names) if kind_called(name) is Lower)
            view = self._view(network, network.parse(drawn), names, working, choice)
            return wanted, drawn, tuple(names), view, cards_view(network, names)

        work = Work(lambda *_: begin())
        found = yield from followed(
            self._running,
            work,
            request,
            lambda _: f"Reading {working.name}…",
            around=(5, 0),
            stopped="",
        )
        if found is not None:
            yield *found, "", hidden()

    def profile(
        self, working: WorkingData, choice: EncoderChoice, request: gr.Request
    ) -> Iterator[Updates]:
        """Compute the layer profile, unless it is at hand: yields status, Stop."""
        if self.profiles.known(working, choice) is not None:
            yield SKIP, SKIP
            return
        work = Work(lambda *task: self.profiles.compute(working, choice, *task))
        for step in self._running.steps(work, request):
            what = "Profiling every layer: "
            if step.done < step.total:
                what += f"{step.done:,} of {step.total:,} sentences read"
            else:
                what += "trying what can be read off each"
            yield progress_line(what, step), stoppable()
        if work.stopped:
            yield STOPPED, hidden()
            return
        try:
            work.result()
        except ValueError as error:  # such as too few rows: the strip works all the same
            yield no_profile(as_page_says(str(error), working.choice.source)), hidden()
            return
        yield "", hidden()

    def redraw(
        self, drawn: str, chosen: Sequence[str], working: WorkingData, choice: EncoderChoice
    ) -> View:
        """Draw the same again, with what is known by now."""
        return answered(lambda: self._drawn(drawn, chosen, working, choice, {})[1])

    def draw(
        self,
        drawn: str,
        chosen: Sequence[str],
        working: WorkingData,
        choice: EncoderChoice,
        asked: gr.EventData,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Change what is drawn: `{part}` freezes or thaws it, `{read}` moves the heads, `{name}`.

        Yields drawn, strip, status, Stop. What cannot be is said under the strip, which stays.
        """
        given = given_by(asked)
        work = Work(lambda *_: self._drawn(drawn, chosen, working, choice, given))
        found = yield from followed(
            self._running,
            work,
            request,
            lambda _: "Loading the encoder…",
            around=(2, 0),
            stopped="",
        )
        if found is not None:
            yield *found, "", hidden()

    def choose(
        self,
        drawn: str,
        chosen: Sequence[str],
        working: WorkingData,
        choice: EncoderChoice,
        asked: gr.EventData,
    ) -> Updates:
        """Choose what is compared: `{add}` or `{remove}` a name, `{reset}`.

        Returns chosen, cards and strip.
        """
        given = given_by(asked)

        def change() -> Updates:
            network = self.profiles.network(working, choice)
            names = self._chosen(network, list(chosen), given)
            view = self._view(network, network.parse(drawn), names, working, choice)
            return tuple(names), cards_view(network, names), view

        return answered(change)

    def _chosen(self, network: Network, names: list[str], given: dict[str, Any]) -> list[str]:
        if given.get("reset"):
            return default_names(network.layers)
        if "remove" in given:
            return [name for name in names if name != given["remove"]]
        name = network.parse(name_in(given, "add")).name
        if name in names:
            return names
        if len(names) >= MOST_CHOSEN:
            raise ValueError(
                f"{len(names)} strategies are chosen, which is the most the page compares at once: "
                "leave one out first, or use python -m core compare"
            )
        return [*names, name]

    def _drawn(
        self,
        drawn: str,
        chosen: Sequence[str],
        working: WorkingData,
        choice: EncoderChoice,
        given: dict[str, Any],
    ) -> tuple[str, View]:
        network = self.profiles.network(working, choice)
        scenario, said = clicked(network, drawn, given)
        view = self._view(network, scenario, chosen, working, choice)
        view["strip"]["said"] = said
        return scenario.name, view

    def _view(
        self,
        network: Network,
        scenario: "Scenario",
        chosen: Sequence[str],
        working: WorkingData,
        choice: EncoderChoice,
    ) -> View:
        """Lay out the strip with the profile along it, if that is known."""
        known = self.profiles.known(working, choice)
        profile = None if known is None else profile_view(known, working)
        return {
            "strip": strip_view(network, scenario),
            "profile": profile,
            "chosen": list(chosen),
        }


def first_view() -> View:
    """Return what the tab opens with, which is shipped: no encoder is loaded for it."""
    found = shipped()
    return {
        "strip": found["strip"],
        "profile": profile_view(found["profile"], CORPUS_DATA),
        "chosen": [each["name"] for each in found["cards"]["chosen"]],
    }


def no_profile(why: str) -> str:
    """Say why there is no profile."""
    return warning(f"No layer profile: {why[:1_000]}. The strip works without.")
