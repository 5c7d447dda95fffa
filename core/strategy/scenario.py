"""A scenario: a strategy and where the heads read, as a person types it."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from core.config import MIX
from core.errors import InputError, setting
from core.strategy.strategies import (
    OFFERED,
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
from core.strategy.strategy import Part, Strategy

AUTO = "auto"
"""Read each task's best layer by its profile on the training rows."""

PLAIN = (
    Frozen(),
    Heads(),
    Full(),
    Gradual(),
    HeadsThenFull(),
    Biases(),
    Adapters(),
    LayerwiseRates(),
)
"""Strategies whose name is all there is to say."""

MAX_SHOWN = 60
"""Of a longer name an error shows this much."""

NAMES = tuple(name for name, _ in OFFERED)


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


def parse_strategy(name: str, layers: int, tasks: Sequence[str] | None = None) -> Scenario:
    """Read a strategy's name, with where the heads read after an @.

    Args:
        name: Such as `lower:2@4`, `heads@auto` or `full`.
        layers: How many layers the encoder has.
        tasks: The tasks there are; None checks no task's name.

    Raises:
        ValueError: If there is no such strategy, task or layer, or nothing of the encoder that
            is read would train; the sentence names what there is.
    """
    given, at, suffix = name.strip().partition("@")
    name = name if len(name) <= MAX_SHOWN else f"{name[:MAX_SHOWN]}…"
    strategy = _parse_plain(given, name, layers, tasks)
    read = _parse_read(suffix, name, layers) if at else None
    reached = range(read + 1) if isinstance(read, int) else range(layers + 1)
    thaws = isinstance(strategy, Lower | Picked | Adapters)
    if thaws and not any(strategy.trains(Part(layer=layer)) for layer in reached):
        raise ValueError(
            f"{name} reads layer {read}, up to which it freezes everything, so nothing of the "
            f"encoder would train: that is heads@{read}"
        )
    return Scenario(strategy=strategy, read=read)


def drawn_scenario(
    frozen: Collection[int],
    layers: int,
    *,
    read: int | str | None = None,
    frozen_heads: Collection[str] = (),
    tasks: Sequence[str] = (),
) -> Scenario:
    """Name what was picked part by part: the plainest strategy that freezes just that.

    Args:
        frozen: The layers that stay frozen, 0 being the embeddings; those above the layer read
            never run and do not count.
        layers: How many layers the encoder has.
        read: As in `Scenario`; the last layer's number is the same as None.
        frozen_heads: The tasks whose heads stay frozen.
        tasks: The tasks there are.

    Raises:
        ValueError: If no strategy freezes just that.
    """
    read = None if read == layers else read
    reached = frozenset(range(read + 1 if isinstance(read, int) else layers + 1))
    kept, held = reached & frozenset(frozen), [task for task in tasks if task in frozen_heads]
    return Scenario(strategy=_drawn_strategy(kept, reached, held, tasks), read=read)


def _drawn_strategy(
    kept: frozenset[int], reached: frozenset[int], held: Sequence[str], tasks: Sequence[str]
) -> Strategy:
    """Name the strategy that freezes some of the layers reached, and the heads of some tasks."""
    if kept == reached:
        if held and len(held) == len(tasks):
            return Frozen()
        if len(held) < 2:
            return Heads(frozen_head="".join(held))
        raise ValueError(f"one head can stay frozen, or all can, not {len(held)} of {len(tasks)}")
    if held:
        if kept or len(held) > 1:
            raise ValueError(
                "a head stays frozen alone, with the whole encoder trained or the whole encoder "
                "frozen: thaw the head, or freeze or thaw the rest of the encoder first"
            )
        return FreezeHead(task=held[0])
    if not kept:
        return Full()
    below = max(kept)
    return Lower(layers=below) if len(kept) == below + 1 else Picked(frozen=kept)


def tuned(
    scenario: Scenario, *, lr_decay: float | None = None, unfreeze_every: int | None = None
) -> Scenario:
    """Set what a strategy lets a person set beside its name; None leaves it as it is.

    Args:
        scenario: Whose strategy.
        lr_decay: Of layer-wise rates, each layer's share of the rate of the one above it.
        unfreeze_every: Of gradual unfreezing, the epochs from one layer to the next; where
            nobody says, they are spread over two thirds of the epochs.

    Raises:
        ValueError: If the strategy has no such setting, or the number is out of range.
    """
    strategy = scenario.strategy
    if lr_decay is not None:
        if not isinstance(strategy, LayerwiseRates):
            raise InputError(
                f"{setting('lr_decay')} sets layerwise-lr, the strategy is {strategy.name}: leave "
                "it out"
            )
        strategy = replace(strategy, decay=lr_decay)
    if unfreeze_every is not None:
        if not isinstance(strategy, Gradual):
            raise InputError(
                f"{setting('unfreeze_every')} sets gradual, the strategy is {strategy.name}: leave "
                "it out"
            )
        strategy = replace(strategy, every=unfreeze_every)
    return replace(scenario, strategy=strategy)


def _parse_plain(given: str, name: str, layers: int, tasks: Sequence[str] | None) -> Strategy:
    for plain in PLAIN:
        if given == plain.name:
            return plain
    word, _, rest = given.partition(":")
    if word == "lower":
        if not _is_number(rest) or int(rest) >= layers:
            raise ValueError(
                f"strategy {name!r} freezes layers 0 to {rest[:9] or '?'}, must be lower:0 to "
                f"lower:{layers - 1} for an encoder of {layers} layers"
            )
        return Lower(layers=int(rest))
    if word == "freeze" and rest:
        return _parse_picked(rest, name, layers)
    if word in ("freeze-head", "heads+freeze-head") and rest:
        if tasks is not None and rest not in tasks:
            allowed = ", ".join(tasks)
            raise ValueError(f"{name!r} freezes the head of {rest[:40]!r}, must be of: {allowed}")
        if word == "freeze-head":
            return FreezeHead(task=rest)
        if tasks is not None and len(tasks) == 1:
            raise ValueError(f"{name!r} freezes the encoder and the only head: that is frozen")
        return Heads(frozen_head=rest)
    raise ValueError(
        f"strategy is {name!r}, must be one of: {', '.join(NAMES)}, each with @K, @auto or @mix "
        "behind it or nothing"
    )


def _parse_picked(rest: str, name: str, layers: int) -> Picked:
    frozen: set[int] = set()
    for piece in rest.split("+"):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", piece, flags=re.ASCII)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not first <= last <= layers:
            raise ValueError(
                f"strategy {name!r} freezes {piece[:20]!r}, must be layers of 0 (the embeddings) "
                f"to {layers}, such as freeze:0-2+5"
            )
        frozen.update(range(first, last + 1))
    if len(frozen) == layers + 1:
        raise ValueError(f"{name} freezes every layer: that is heads")
    return Picked(frozen=frozenset(frozen))


def _parse_read(suffix: str, name: str, layers: int) -> int | str:
    if suffix in (AUTO, MIX):
        return suffix
    if _is_number(suffix) and int(suffix) <= layers:
        return int(suffix)
    raise ValueError(
        f"{name!r} reads layer {suffix[:9]!r}, must be @0 to @{layers}, @{AUTO} or @{MIX}"
    )


def _is_number(given: str) -> bool:
    return given.isascii() and given.isdecimal() and len(given) < 5
