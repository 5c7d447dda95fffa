"""The layer strip: a strategy as blocks one can click, and clicks as a strategy's name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from core.strategy.words import layer_name, layers_in_words, listed, plural
from demo.frame.theme import beside
from demo.frame.views import View
from demo.strategies.words import short_count, title_of

if TYPE_CHECKING:  # torch is behind it, and the page is on screen before torch
    from core.encoder.encoder import Encoder
    from core.knowledge.layer_profile import LayerProfile
    from core.strategy.scenario import Scenario
    from core.strategy.strategy import Part
    from core.task import Task

FILES = beside(__file__, "strip.js")
"""What draws a strip, for every tab that shows one."""

TOKENS = "each token"


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a strip is drawn of: an encoder, and a head for each task.

    Attributes:
        encoder: Without adapters; only its shape is looked at.
        tasks: One head each.
        profile: Where each task is read best, if that is known.
    """

    encoder: "Encoder"
    tasks: tuple["Task", ...]
    profile: "LayerProfile | None" = None

    @property
    def layers(self) -> int:
        """How many layers the encoder has."""
        return self.encoder.layers

    @property
    def names(self) -> list[str]:
        """The tasks' names."""
        return [task.name for task in self.tasks]

    def parse(self, name: str) -> "Scenario":
        """Read a strategy's name.

        Raises:
            ValueError: If there is no such strategy here.
        """
        from core.strategy.scenario import parse_strategy

        return parse_strategy(name, self.layers, self.names)

    def read(self, scenario: "Scenario") -> dict[str, int | str]:
        """Tell which layer each head reads; the last, where the best is not known yet."""
        from core.strategy.scenario import AUTO
        from core.strategy.strategy import lowest_read

        wanted = self.layers if scenario.read is None else scenario.read
        if wanted != AUTO:
            return dict.fromkeys(self.names, wanted)
        found: dict[str, int | str] = dict.fromkeys(self.names, self.layers)
        if self.profile is not None:
            lowest = lowest_read(scenario.strategy, self.layers)
            found |= self.profile.best_from(lowest)
        return found


def strip_view(network: Network, scenario: "Scenario", epochs: int | None = None) -> View:
    """Lay out a strategy: its blocks, where the heads read, and all of it in words.

    Args:
        network: What it would train.
        scenario: The strategy, and where its heads read.
        epochs: For how many; None for the strategy's own most, which is said then.
    """
    from core.model.model import MultiTaskModel, default_shapes
    from core.strategy.thaw_plan import ThawPlan
    from core.training.plan import part_state
    from core.training.thawing import planned_sizes

    read = network.read(scenario)
    model = MultiTaskModel(network.encoder, default_shapes(network.encoder, network.tasks, read))
    strategy, most = scenario.strategy, epochs or scenario.strategy.epochs
    plan = ThawPlan(scenario=scenario, read=read, layers=network.layers, epochs=most)
    sizes = planned_sizes(model, plan)
    told = _counted(sizes, plan.top, network.layers)
    if epochs is None and any(trained for trained, _ in sizes.values()):
        told += f" At most {plural(strategy.epochs, 'epoch')} unless you say otherwise."
    blocks = []
    for part, (trained, every) in sizes.items():
        found = part_state(plan, part, (trained, every))
        blocks.append(
            {
                "part": str(part),
                "layer": part.layer,
                "name": part.task if part.layer is None else str(part),
                "state": found.state,
                "size": short_count(every),
                "trained": short_count(trained),
                "from": found.from_epoch,
                "read": _read_of(read, part),
            }
        )
    return {
        "name": scenario.name,
        "title": title_of(scenario),
        "does": strategy.does,
        "layers": network.layers,
        "top": plan.top,
        "read": scenario.read,
        "readOf": read,
        "pooling": "mean pooling" if not all(t.of_kind.by_token for t in network.tasks) else TOKENS,
        "blocks": blocks,
        "told": told,
        "said": "",
    }


def toggled(network: Network, scenario: "Scenario", part: str) -> "Scenario":
    """Freeze a part that trains, or thaw one that is frozen.

    Args:
        network: What the parts are of.
        scenario: What is drawn now.
        part: As a block calls it.

    Raises:
        ValueError: If there is no such part, it is not used, or no strategy freezes just that.
    """
    from core.strategy.scenario import drawn_scenario
    from core.strategy.strategy import parts_of

    parts = {str(each): each for each in parts_of(network.layers, network.names)}
    picked = parts.get(part)
    if picked is None:
        raise ValueError(f"there is no {part[:60]!r} here, must be one of: {', '.join(parts)}")
    read = network.read(scenario)
    top = max(each if isinstance(each, int) else network.layers for each in read.values())
    if picked.layer is not None and picked.layer > top:
        raise ValueError(
            f"{picked} is not run, as the heads read {layer_name(top)}: have them read higher first"
        )
    frozen = {each for each in parts.values() if not scenario.strategy.trains(each)} ^ {picked}
    return drawn_scenario(
        {each.layer for each in frozen if each.layer is not None},
        network.layers,
        read=scenario.read,
        frozen_heads={each.task for each in frozen if each.layer is None},
        tasks=network.names,
    )


def reading(network: Network, scenario: "Scenario", read: int | str) -> "Scenario":
    """Move where the heads read; what would leave nothing to train becomes heads alone there.

    Raises:
        ValueError: If there is no such layer.
    """
    from core.strategy.strategies import Heads
    from core.strategy.strategy import Part

    wanted = replace(scenario, read=None if read == network.layers else read)
    strategy = scenario.strategy
    if isinstance(read, int) and strategy.trains_encoder:
        reached = [Part(layer=layer) for layer in range(read + 1)]
        heads = [Part(task=task) for task in network.names]
        if any(map(strategy.trains, heads)) and not any(map(strategy.trains, reached)):
            wanted = replace(wanted, strategy=Heads())
    return network.parse(wanted.name)


def _read_of(read: Mapping[str, int | str], part: "Part") -> str:
    if part.layer is not None:
        return ""
    layer = read[part.task]
    return "a mix of all layers" if isinstance(layer, str) else layer_name(layer)


def _counted(sizes: Mapping["Part", tuple[int, int]], top: int, layers: int) -> str:
    """Say how much trains, and what is not run."""
    trained, every = (sum(counts) for counts in zip(*sizes.values(), strict=True))
    moving = [part for part, (some, _) in sizes.items() if some]
    encoder = {part.layer for part in moving if part.layer is not None}
    heads = [part.task for part in moving if part.layer is None]
    what = _listed(encoder, heads, sizes)
    share = 100 * trained / every
    shown = f"{share:.0f} %" if share >= 1 else f"{share:.2g} %"
    said = f"{trained:,} of {every:,} parameters train ({shown}): {what}."
    if top < layers:
        above = layers_in_words(range(top + 1, layers + 1))
        said += f" {above.capitalize()} {'is' if layers - top == 1 else 'are'} not run."
    if not trained:
        return "Nothing trains: this measures the model as it is."
    return said


def _listed(
    encoder: set[int], heads: Sequence[str], sizes: Mapping["Part", tuple[int, int]]
) -> str:
    every = [part.task for part in sizes if part.layer is None]
    of_heads = f"the head{'s' * (len(heads) > 1)} of {listed(heads)}"
    if heads == every:
        of_heads = "the heads" if len(heads) > 1 else "the head"
    said = [layers_in_words(encoder)] if encoder else []
    if heads:
        said.append(of_heads)
    return (", and " if len(encoder) > 1 else " and ").join(said)
