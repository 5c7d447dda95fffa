"""Strategies in people's words: titles, what is known of each, and the choices of a list."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.strategy.strategies import (
    Adapters,
    Biases,
    FreezeHead,
    Frozen,
    Full,
    Gradual,
    Heads,
    HeadsThenFull,
    LayerwiseRates,
    Lower,
    Picked,
)
from core.strategy.strategy import Strategy

if TYPE_CHECKING:  # torch is behind it
    from core.strategy.scenario import Scenario


PLAIN_TITLES: dict[type[Strategy], str] = {
    Frozen: "Everything frozen",
    Full: "Everything trains",
    Gradual: "Gradual unfreezing",
    HeadsThenFull: "Heads first, then everything",
    Biases: "Biases only",
    Adapters: "Low-rank adapters (LoRA)",
    LayerwiseRates: "The lower, the slower",
}
"""Of strategies that have nothing more to say."""


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
    half, task = max(0, layers // 2), tasks[0]
    listed = [
        Offer(pattern="heads", title="Heads only", kind=Heads, name="heads"),
        Offer(
            pattern="lower:K",
            title="Lower layers frozen",
            kind=Lower,
            name=f"lower:{max(0, 2 * layers // 3)}" if layers > 1 else "lower:0",
        ),
        Offer(pattern="full", title=PLAIN_TITLES[Full], kind=Full, name="full"),
        Offer(
            pattern="freeze:0-2+5",
            title="Picked by hand",
            kind=Picked,
            name=f"freeze:0-{half - 1}+{layers}" if half > 1 else "freeze:0",
        ),
        Offer(pattern="gradual", title=PLAIN_TITLES[Gradual], kind=Gradual, name="gradual"),
        Offer(pattern="lp-ft", title=PLAIN_TITLES[HeadsThenFull], kind=HeadsThenFull, name="lp-ft"),
        Offer(
            pattern="layerwise-lr",
            title=PLAIN_TITLES[LayerwiseRates],
            kind=LayerwiseRates,
            name="layerwise-lr",
        ),
        Offer(pattern="bitfit", title=PLAIN_TITLES[Biases], kind=Biases, name="bitfit"),
        Offer(pattern="lora", title=PLAIN_TITLES[Adapters], kind=Adapters, name="lora"),
        Offer(
            pattern="freeze-head:TASK",
            title="One head frozen",
            kind=FreezeHead,
            name=f"freeze-head:{task}",
        ),
        Offer(pattern="frozen", title=PLAIN_TITLES[Frozen], kind=Frozen, name="frozen"),
    ]
    if len(tasks) > 1:
        held = Offer(
            pattern="heads+freeze-head:TASK",
            title="Heads only, one of them frozen",
            kind=Heads,
            name=f"heads+freeze-head:{task}",
        )
        listed.insert(-1, held)
    return listed


def title_of(scenario: "Scenario") -> str:
    """Say what a strategy does and where its heads read, in a few words."""
    strategy = scenario.strategy
    title = PLAIN_TITLES.get(type(strategy)) or _drawn_title(strategy)
    if scenario.read is None:
        return title
    read = {"auto": "each task read at its best layer", "mix": "a mix of layers read"}
    return f"{title}, {read.get(str(scenario.read), f'read at {layer_name(scenario.read)}')}"


def _drawn_title(strategy: Strategy) -> str:
    if isinstance(strategy, Heads):
        held = f", {strategy.frozen_head} head frozen" if strategy.frozen_head else ""
        return f"Heads only{held}"
    if isinstance(strategy, FreezeHead):
        return f"All but the {strategy.task} head"
    if isinstance(strategy, Lower):
        number = strategy.layers
        return f"Lower {plural(number, 'layer')} frozen" if number else "Embeddings frozen"
    assert isinstance(strategy, Picked)
    return f"{layers_in_words(strategy.frozen).capitalize()} frozen"


def layers_in_words(layers: Collection[int]) -> str:
    """Name layers as people read them: embeddings, layers 1 to 3 and 5."""
    runs: list[list[int]] = []
    for layer in sorted(each for each in layers if each):
        if runs and layer == runs[-1][-1] + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    pieces = [
        piece
        for run in runs
        for piece in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))
    ]
    several = sum(map(len, runs)) > 1
    named = f"layer{'s' * several} {listed(pieces)}" if pieces else ""
    if 0 not in layers:
        return named
    return f"embeddings{', ' if len(pieces) > 1 else ' and '}{named}" if named else "embeddings"


def listed(names: Sequence[str]) -> str:
    """Join names: a, b and c."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def layer_name(layer: int | str | None) -> str:
    """Name a layer: 0 is the embeddings."""
    return f"layer {layer}" if layer else "the embeddings"


def plural(count: int, what: str) -> str:
    """Write a number of things."""
    return f"{count:,} {what}{'s' * (count != 1)}"


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
    depths = [("one layer: the last", layers - 1)]
    for share, frozen in (("third", 2 * layers // 3), ("two thirds", layers // 3)):
        depths.append((f"{plural(layers - frozen, 'layer')}: the upper {share}", frozen))
    lower: dict[str, str] = {}  # with few layers some are the same
    for label, frozen in depths:
        lower.setdefault(f"lower:{frozen}", label)
    return [
        ("heads: the encoder frozen", "heads"),
        *((label, name) for name, label in lower.items()),
        ("everything", "full"),
        ("everything, the lower the slower", "layerwise-lr"),
        ("gradually, from the top down", "gradual"),
        ("heads first, then everything", "lp-ft"),
        ("biases only", "bitfit"),
        ("low-rank adapters (LoRA)", "lora"),
    ]


def first_choice(layers: int) -> str:
    """Name what is chosen at first: the upper third trains."""
    return f"lower:{2 * layers // 3}"


def followed(name: str, before: int, layers: int) -> str:
    """Name what a choice is on an encoder of another depth.

    What the list offered of a share of the layers is the same share; any other name stays.

    Args:
        name: What was chosen.
        before: How many layers the encoder had.
        layers: How many it has.
    """
    shares = [f"lower:{before - 1}", f"lower:{2 * before // 3}", f"lower:{before // 3}"]
    if name not in shares:
        return name
    return [f"lower:{layers - 1}", first_choice(layers), f"lower:{layers // 3}"][shares.index(name)]
